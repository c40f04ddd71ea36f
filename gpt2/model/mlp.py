"""The MLP: every position thinks by itself, in a wider space."""

from max.experimental import functional as F
from max.experimental.nn import Module
from max.experimental.tensor import Tensor

from .config import GPT2Config
from .hooks import MIDDLE, HookPoint
from .linear import Linear


class MLP(Module[[Tensor], Tensor]):
    """`c_proj(gelu(c_fc(x)))`, with GELU in its tanh form (Hendrycks & Gimpel, 2016).

    Shapes: c_fc [d_mlp, d_model], c_proj [d_model, d_mlp]; [seq, d_model] -> [seq, d_model].
    """

    def __init__(self, config: GPT2Config, name: str) -> None:
        """Declare both matrices; `name` is the TransformerLens name, such as `blocks.0.mlp`."""
        self.c_fc = Linear(config.n_embd, config.n_inner)
        self.c_proj = Linear(config.n_inner, config.n_embd)
        self.hook_pre = HookPoint(f"{name}.hook_pre", MIDDLE)
        self.hook_post = HookPoint(f"{name}.hook_post", MIDDLE)

    def forward(self, x: Tensor) -> Tensor:
        """Widen, let each neuron decide how far it fires, and write the result back."""
        pre = self.hook_pre(self.c_fc(x))  # [seq, d_mlp]
        post = self.hook_post(F.gelu(pre, approximate="tanh"))  # [seq, d_mlp]
        return self.c_proj(post)
