"""The LM head: every token of the vocabulary scored against the final vector of each position."""

from max.experimental.nn import Module
from max.experimental.tensor import Tensor

from .config import GPT2Config


class LMHead(Module[[Tensor], Tensor]):
    """`logits = x Wᵀ`; where the checkpoint has no head of its own, W is the token embedding table.

    Shapes: weight [vocab, d_model]; [seq, d_model] -> logits [seq, vocab].
    """

    def __init__(self, config: GPT2Config) -> None:
        """Declare the unembedding; it has no bias."""
        self.weight = Tensor.zeros([config.vocab_size, config.n_embd])

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; a single row goes as a column, because `W @ x` reads the matrix at full memory speed."""
        if x.shape[0] == 1:
            vocab, d_model = self.weight.shape
            return (self.weight @ x.reshape([d_model, 1])).reshape([1, vocab])
        return x @ self.weight.T
