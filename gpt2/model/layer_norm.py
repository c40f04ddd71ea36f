"""Layer norm: each position's vector brought to mean 0 and variance 1, then scaled and shifted."""

from max.experimental import functional as F
from max.experimental.nn import Module
from max.experimental.tensor import Tensor

from .config import GPT2Config
from .hooks import POSITION, STREAM, HookPoint


class LayerNorm(Module[[Tensor], Tensor]):
    """`y = (x - mean) / sqrt(variance + epsilon) * weight + bias` (Ba et al., 2016).

    Shapes: weight, bias [d_model]; [seq, d_model] -> [seq, d_model].
    """

    def __init__(self, config: GPT2Config, name: str) -> None:
        """Declare gain and shift; `name` is the norm's TransformerLens name, such as `blocks.0.ln1`."""
        self.weight = Tensor.ones([config.n_embd])
        self.bias = Tensor.zeros([config.n_embd])
        self.epsilon = config.layer_norm_epsilon
        self.hook_scale = HookPoint(f"{name}.hook_scale", POSITION)
        self.hook_normalized = HookPoint(f"{name}.hook_normalized", STREAM)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise every position by itself."""
        centred = x - F.mean(x, axis=-1)  # [seq, d_model]
        variance = F.squeeze(F.mean(centred * centred, axis=-1), -1)  # [seq]
        scale = self.hook_scale(F.sqrt(variance + self.epsilon))  # [seq]
        normalized = self.hook_normalized(centred / F.unsqueeze(scale, -1))  # [seq, d_model]
        return normalized * self.weight + self.bias
