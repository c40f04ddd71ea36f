"""Token and position embeddings: the first numbers a token becomes, and the start of the residual stream."""

from max.experimental import functional as F
from max.experimental.nn import Embedding, TransparentModule
from max.experimental.tensor import Tensor

from .config import GPT2Config
from .hooks import STREAM, HookPoint


class Embeddings(TransparentModule):
    """`x = wte[token] + wpe[position]`.

    Shapes: wte [vocab, d_model], wpe [n_positions, d_model].
    """

    def __init__(self, config: GPT2Config) -> None:
        """Declare both tables."""
        self.wte = Embedding(config.vocab_size, dim=config.n_embd)
        self.wpe = Embedding(config.n_positions, dim=config.n_embd)
        self.hook_embed = HookPoint("hook_embed", STREAM)
        self.hook_pos_embed = HookPoint("hook_pos_embed", STREAM)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Look up what each token is and where it stands, and add.

        Shapes: ids [seq], positions [seq] -> [seq, d_model].
        """
        token = self.hook_embed(F.gather(self.wte.weight, ids, axis=0))  # [seq, d_model]
        position = self.hook_pos_embed(F.gather(self.wpe.weight, positions, axis=0))  # [seq, d_model]
        return token + position
