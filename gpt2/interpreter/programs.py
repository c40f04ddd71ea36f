"""Small programs that say which kernels are compiled ahead: what a person who builds GPT-2 in MAX may write.

A kernel serves every shape, so one program stands for all uses of an operation on values of its type, and for a few
operations of its rank.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.nn import Module
from max.experimental.tensor import Tensor, default_device, default_dtype
from max.graph import DeviceRef, Graph, TensorType
from numpy.typing import NDArray

Array = NDArray[Any]

# What the programs read: numbers of rank 1 to 4, token ids of both widths, whole numbers, and truth values.
VALUES: dict[str, Array] = {
    "row": np.linspace(-2, 2, 8, dtype=np.float32),
    "x": np.linspace(-3, 3, 24, dtype=np.float32).reshape(3, 8),
    "y": np.cos(np.arange(24, dtype=np.float32)).reshape(3, 8),
    "positive": np.linspace(0.1, 4, 24, dtype=np.float32).reshape(3, 8),
    "table": np.sin(np.arange(40, dtype=np.float32)).reshape(8, 5),
    "heads": np.sin(np.arange(24, dtype=np.float32)).reshape(2, 3, 4),
    "batch": np.cos(np.arange(48, dtype=np.float32)).reshape(2, 2, 3, 4),
    "ids": np.array([2, 0, 7], np.int64),
    "ids32": np.array([2, 0, 7], np.int32),
    "n": np.arange(24, dtype=np.int64).reshape(3, 8) % 5,
    "truth": np.arange(24).reshape(3, 8) % 3 == 0,
}

PROGRAMS = (
    # Each value by itself
    *("F.exp(x)", "F.tanh(x)", "F.sqrt(positive)", "F.rsqrt(positive)", "F.log(positive)", "F.erf(x)"),
    *("F.abs(x)", "-x", "F.sigmoid(x)", "F.relu(x)", "F.silu(x)", "F.gelu(x)", 'F.gelu(x, approximate="tanh")'),
    *("F.sin(x)", "F.cos(x)", "F.is_nan(x)", "F.floor(x)", "F.clip(x, -1.0, 1.0)"),
    # Two values in one place, a number among them
    *("x + y", "x - y", "x * y", "x / positive", "positive ** y", "x**2", "x**3", "x + 1.0", "1.0 - x", "2.0 * x"),
    *("1.0 / positive", "x + row", "F.elementwise_max(x, y)", "F.elementwise_min(x, y)", "F.max(x, y)", "F.min(x, y)"),
    *("x > y", "x >= y", "x < y", "x <= y", "x == y", "x != y", "x > 0.0", "heads + heads", "batch * batch"),
    *("n + n", "n - n", "n * n", "n > n", "n >= n", "n < n", "n <= n", "n == n", "n != n", "n + 1", "ids32 + ids32"),
    *("truth & truth", "truth | truth", "~truth", "F.logical_and(truth, truth)", "F.logical_not(truth)"),
    *("F.logical_xor(truth, truth)", "F.where(truth, x, y)", "F.where(x > y, x, 0.0)", "F.where(truth, n, n)"),
    # Along an axis
    *("F.sum(x, axis=-1)", "F.mean(x, axis=-1)", "F.max(x, axis=-1)", "F.min(x, axis=0)", "F.prod(x, axis=-1)"),
    *("F.mean(x, axis=0)", "F.mean(heads, axis=1)", "F.sum(n, axis=-1)", "F.max(n, axis=-1)", "F.cumsum(x, axis=-1)"),
    *("F.softmax(x)", "F.softmax(heads, axis=-1)", "F.softmax(heads, axis=1)", "F.logsoftmax(x)"),
    *("F.argmax(x, axis=-1)", "F.argmin(x, axis=-1)", "F.top_k(row, 3)[0]", "F.top_k(x, 2)[1]"),
    "F.layer_norm(x, row, row, 1e-5)",
    # Products
    *("x @ table", "heads @ heads.permute([0, 2, 1])", "batch @ batch.permute([0, 1, 3, 2])", "F.matmul(x, table)"),
    *("row @ table", "F.outer(row, row)", "x.transpose(0, 1)", "x.T", "heads.permute([1, 0, 2])"),
    "batch.permute([0, 2, 1, 3])",
    # Shapes and parts
    *("F.reshape(x, [4, 6])", "x.reshape([-1])", "F.flatten(heads)", "F.squeeze(F.unsqueeze(x, 0), 0)"),
    *("row[2]", "row[1:5]", "x[1]", "x[:, 2:5]", "x[-1:]", "x[:, -1]", "x[:, ::2]", "heads[0]", "heads[:, 1:, :2]"),
    *("heads[..., 1]", "batch[0]", "batch[:, :, 1:, 2:]", "ids[1:]", "ids32[1:]", "n[:, -1]", "truth[1:]"),
    *("F.concat([x, y])", "F.concat([x, y], axis=-1)", "F.concat([ids, ids])", "F.concat([n, n], axis=1)"),
    *("F.stack([x, y])", "F.stack([row, row], axis=-1)", "F.concat([truth, truth])", "F.tile(x, [2, 1])"),
    *("F.chunk(x, 2, axis=1)[1]", "F.split(x, [3, 5], axis=1)[0]", "F.split(x, [3, 5], axis=1)[1]"),
    *("F.split(heads, [1, 2], axis=1)[1]", "F.split(n, [3, 5], axis=1)[1]"),
    *("F.broadcast_to(row, [3, 8])", "F.broadcast_to(ids, [2, 3])", "F.broadcast_to(truth[0], [3, 8])"),
    "F.pad(x, [0, 1, 1, 0])",
    # Tables, positions and masks
    *("F.gather(table, ids, axis=0)", "F.gather(table, ids32, axis=0)", "F.gather(x, ids, axis=1)"),
    *("F.gather(n, ids - ids, axis=0)", "F.arange(0, 5, dtype=DType.int64)", "F.arange(0, 5, dtype=DType.float32)"),
    *("F.arange(0, 5, dtype=DType.int32)", "F.band_part(x, 0, -1)", "F.band_part(x, 0, None)"),
    *("F.band_part(x, None, 0, exclude=True)", "F.band_part(x, -1, 0, exclude=True)", "F.band_part(truth, -1, 0)"),
    *("F.band_part(heads, -1, 0)", "F.full([3, 4], float('-inf'))", "F.zeros([3, 4])", "F.ones_like(x)"),
    *("Tensor.full([2, 3], 1.5)", "Tensor.zeros([2, 2])", "Tensor.ones([2, 2])"),
    "F.constant(1.5, DType.float32, CPU())",
    # Types
    *("x.cast(DType.int64)", "n.cast(DType.float32)", "truth.cast(DType.float32)", "ids.cast(DType.int32)"),
    *("ids32.cast(DType.int64)", "ids32.cast(DType.float32)", "truth.cast(DType.int64)", "n.cast(DType.bool)"),
    *("x.cast(DType.float64)", "x.cast(DType.float64).cast(DType.float32)", "x.cast(DType.bool)"),
)


def trace(program: str) -> Graph:
    """The traced graph of one program, whose inputs are `VALUES` in order."""
    return trace_function(
        lambda *given: eval(program, dict(zip(VALUES, given, strict=True)) | NAMES),  # our own text, above
        [TensorType(DType.from_numpy(value.dtype), value.shape, DeviceRef.CPU()) for value in VALUES.values()],
    )


NAMES = {"F": F, "Tensor": Tensor, "DType": DType, "CPU": CPU}


class Function(Module[..., Tensor]):
    """A module that is one function and has no weights."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        """Take the function."""
        self.function = function

    def forward(self, *given: Tensor) -> Tensor:
        """Call it."""
        return self.function(*given)


def trace_function(function: Callable[..., Tensor], types: list[TensorType]) -> Graph:
    """A function of tensors as a graph, on the CPU and in float32 unless it says otherwise."""
    with F.lazy(), default_device(CPU()), default_dtype(DType.float32):
        return Function(function).trace(*types, allow_subgraphs=False).graph
