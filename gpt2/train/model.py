"""GPT-2 in PyTorch for training only; parameter names are the checkpoint's, matrices are [out, in]."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The sizes a training run chooses, under Hugging Face's names."""

    vocab_size: int = 2048
    n_positions: int = 512
    n_layer: int = 6
    n_head: int = 8
    n_embd: int = 256
    layer_norm_epsilon: float = 1e-5


class Attention(nn.Module):
    """Causal multi-head self-attention."""

    def __init__(self, shape: Shape) -> None:
        """Make the fused query-key-value projection and the output projection."""
        super().__init__()
        self.n_head = shape.n_head
        self.c_attn = nn.Linear(shape.n_embd, 3 * shape.n_embd)
        self.c_proj = nn.Linear(shape.n_embd, shape.n_embd)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: [batch, seq, d_model] -> [batch, seq, d_model]."""
        batch, seq, d_model = x.shape
        q, k, v = (
            part.view(batch, seq, self.n_head, -1).transpose(1, 2) for part in self.c_attn(x).split(d_model, dim=2)
        )
        z = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # [batch, head, seq, d_head]
        return self.c_proj(z.transpose(1, 2).reshape(batch, seq, d_model))


class MLP(nn.Module):
    """Two matrices with GELU (tanh form) between them."""

    def __init__(self, shape: Shape) -> None:
        """Make the expansion to four times the width and the projection back."""
        super().__init__()
        self.c_fc = nn.Linear(shape.n_embd, 4 * shape.n_embd)
        self.c_proj = nn.Linear(4 * shape.n_embd, shape.n_embd)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: [batch, seq, d_model] -> [batch, seq, d_model]."""
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    """Attention and MLP, each normalised before and added to the residual stream."""

    def __init__(self, shape: Shape) -> None:
        """Make the two norms and the two parts."""
        super().__init__()
        self.ln_1 = nn.LayerNorm(shape.n_embd, shape.layer_norm_epsilon)
        self.attn = Attention(shape)
        self.ln_2 = nn.LayerNorm(shape.n_embd, shape.layer_norm_epsilon)
        self.mlp = MLP(shape)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: [batch, seq, d_model] -> [batch, seq, d_model]."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2(nn.Module):
    """The whole model with a tied LM head."""

    def __init__(self, shape: Shape) -> None:
        """Make all parameters with GPT-2's initialisation (normal 0.02, residual projections scaled down)."""
        super().__init__()
        self.wte = nn.Embedding(shape.vocab_size, shape.n_embd)
        self.wpe = nn.Embedding(shape.n_positions, shape.n_embd)
        self.h = nn.ModuleList(Block(shape) for _ in range(shape.n_layer))
        self.ln_f = nn.LayerNorm(shape.n_embd, shape.layer_norm_epsilon)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 2:
                residual = name.endswith("c_proj.weight")
                nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * shape.n_layer) if residual else 1))

    def forward(self, ids: Tensor) -> Tensor:
        """Shapes: [batch, seq] -> logits [batch, seq, vocab]."""
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for block in self.h:
            x = block(x)
        return F.linear(self.ln_f(x), self.wte.weight)
