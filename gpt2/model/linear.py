"""A matrix and a bias: what GPT-2's checkpoints call Conv1D, with the matrix turned to [out, in]."""

from max.experimental.nn import Module
from max.experimental.tensor import Tensor


class Linear(Module[[Tensor], Tensor]):
    """`y = x Wᵀ + b`.

    Shapes: weight [out, in], bias [out]; [seq, in] -> [seq, out].
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        """Declare the parameters; their values come from the checkpoint."""
        self.weight = Tensor.zeros([n_out, n_in])
        self.bias = Tensor.zeros([n_out])

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; a single row goes as a column, because `W @ x` reads the matrix at full memory speed."""
        if x.shape[0] == 1:
            n_out, n_in = self.weight.shape
            return (self.weight @ x.reshape([n_in, 1])).reshape([1, n_out]) + self.bias
        return x @ self.weight.T + self.bias
