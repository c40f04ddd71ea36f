"""The stack: embeddings, all blocks, the final norm."""

from max.experimental.nn import ModuleList, TransparentModule
from max.experimental.tensor import Tensor

from .attention import Past
from .block import Block
from .changes import Changes
from .config import GPT2Config
from .embeddings import Embeddings
from .layer_norm import LayerNorm
from .mask import causal_mask


class Transformer(TransparentModule):
    """GPT-2 without its head (Radford et al., 2019).

    Shapes: ids [seq], positions [seq] -> [seq, d_model].
    """

    def __init__(self, config: GPT2Config) -> None:
        """Make the parts; their attribute names are the checkpoint's."""
        self.embeddings = Embeddings(config)
        self.h = ModuleList([Block(config, layer) for layer in range(config.n_layer)])
        self.ln_f = LayerNorm(config, "ln_final")

    def forward(self, ids: Tensor, positions: Tensor, past: list[Past] | None, changes: list[Changes]) -> Tensor:
        """Run the new tokens through the stack; `past` and `changes` hold one entry a layer.

        A single token after a past needs no mask: nothing later than itself is there to look at.
        """
        x = self.embeddings(ids, positions)
        mask = causal_mask(positions) if past is None else None
        for layer, block in enumerate(self.h):
            x = block(x, mask, None if past is None else past[layer], changes[layer])
        return self.ln_f(x)
