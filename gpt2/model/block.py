"""One transformer block: attention and MLP, each reading from the residual stream and adding to it."""

from max.experimental.nn import Module
from max.experimental.tensor import Tensor

from .attention import Attention, Past
from .changes import Changes
from .config import GPT2Config
from .hooks import STREAM, HookPoint
from .layer_norm import LayerNorm
from .mlp import MLP


class Block(Module[..., Tensor]):
    """`x = x + attn(ln_1(x))`, then `x = x + mlp(ln_2(x))`.

    Shapes: [seq, d_model] -> [seq, d_model].
    """

    def __init__(self, config: GPT2Config, layer: int) -> None:
        """Make the two norms, the two parts, and the places where the stream is watched."""
        name = f"blocks.{layer}"
        self.ln_1 = LayerNorm(config, f"{name}.ln1")
        self.attn = Attention(config, f"{name}.attn")
        self.ln_2 = LayerNorm(config, f"{name}.ln2")
        self.mlp = MLP(config, f"{name}.mlp")
        self.hook_resid_pre, self.hook_attn_out, self.hook_resid_mid, self.hook_mlp_out, self.hook_resid_post = (
            HookPoint(f"{name}.hook_{part}", STREAM)
            for part in ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
        )

    def forward(self, x: Tensor, mask: Tensor | None, past: Past | None, changes: Changes) -> Tensor:
        """Add what attention found, then what the MLP made of it."""
        resid_pre = self.hook_resid_pre(changes.resid_pre.apply(x))
        attn_out = self.hook_attn_out(self.attn(self.ln_1(resid_pre), mask, past, changes.z))
        resid_mid = self.hook_resid_mid(resid_pre + attn_out)
        mlp_out = self.hook_mlp_out(changes.mlp_out.apply(self.mlp(self.ln_2(resid_mid))))
        return self.hook_resid_post(changes.resid_post.apply(resid_mid + mlp_out))
