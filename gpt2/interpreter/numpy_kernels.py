"""MAX's operations in NumPy, by their names: what stands in where no compiled kernel fits, and what the tests compare.

Each kernel takes the operation, which knows its axis and the type of its result, and its operands as arrays.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from max.dtype import DType
from max.graph import Type
from numpy.typing import NDArray

Array = NDArray[Any]
Kernel = Callable[..., Array | tuple[Array, ...]]


def result_dtype(op: Any) -> np.dtype[Any]:
    """The type of the operation's first result."""
    return np.dtype(DType(op.results[0].type.dtype).to_numpy())


def erf(x: Array) -> Array:
    """The error function."""
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)."""
    return 1 / (1 + np.exp(-x))


def gelu_tanh(x: Array) -> Array:
    """GELU as GPT-2 has it, with a tanh (Hendrycks and Gimpel, 2016)."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def softmax(x: Array, axis: int) -> Array:
    """Shares that sum to 1 along an axis."""
    exponentials = np.exp(x - x.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def divide(a: Array, b: Array) -> Array:
    """Quotients; those of whole numbers are cut towards zero."""
    if a.dtype.kind == "f":
        return np.true_divide(a, b)
    return np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))


def layer_norm(_: Any, x: Array, gain: Array, bias: Array, epsilon: Array) -> Array:
    """Each vector to mean 0 and variance 1, then scaled and shifted."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * gain + bias


def band_part(_: Any, x: Array, lower: Array, upper: Array, is_excluded: Array) -> Array:
    """The diagonals from `lower` below to `upper` above the main one, or all but those; -1 means all."""
    row, column = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])[None]
    is_inside = ((lower < 0) | (row - column <= lower)) & ((upper < 0) | (column - row <= upper))
    return np.where(is_inside ^ bool(is_excluded), x, np.zeros((), x.dtype))


def cut(_: Any, x: Array, starts: Array, stops: Array, steps: Array, *_more: Array) -> Array:
    """A slice along every axis."""
    return x[tuple(slice(*map(int, bounds)) for bounds in zip(starts, stops, steps, strict=True))]


def split(op: Any, x: Array, sizes: Array) -> tuple[Array, ...]:
    """Parts of these sizes along an axis."""
    return tuple(np.split(x, np.cumsum(sizes.ravel())[:-1].astype(int), axis=op.axis))


def count(op: Any, start: Array, stop: Array, step: Array) -> Array:
    """Numbers from `start` to before `stop`."""
    return np.arange(start.item(), stop.item(), step.item()).astype(result_dtype(op))


def broadcast(op: Any, x: Array, shape: Array | None = None) -> Array:
    """The same values repeated along new axes."""
    sizes = Type.from_mlir(op.results[0].type).shape if shape is None else shape
    return np.broadcast_to(x, [int(size) for size in sizes])


def pad(_: Any, x: Array, widths: Array, value: Array) -> Array:
    """The values with others around them; `widths` has two numbers an axis."""
    return np.pad(x, widths.reshape(-1, 2), constant_values=value)


def top_k(_: Any, x: Array, k: Array, axis: Array, *_more: Array) -> tuple[Array, Array]:
    """The largest values along an axis, largest first, and where they are."""
    order = np.argsort(-x, axis=int(axis), kind="stable").take(np.arange(int(k)), axis=int(axis))
    return np.take_along_axis(x, order, axis=int(axis)), order.astype(np.int64)


def rms_norm(_: Any, x: Array, gain: Array, epsilon: Array, *_more: Array) -> Array:
    """Each vector divided by the root of its mean square, then scaled."""
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * gain


def by_index(function: Callable[..., Array]) -> Kernel:
    """The place of an extreme value along the operation's axis, which stays with length 1."""
    return lambda op, x: np.expand_dims(function(x, axis=op.axis), op.axis).astype(np.int64)


def reduced(function: Callable[..., Array]) -> Kernel:
    """One value along the operation's axis, which stays with length 1."""
    return lambda op, x: function(x, axis=op.axis, keepdims=True).astype(x.dtype)


def of_one(function: Callable[[Array], Array]) -> Kernel:
    """A function of each value by itself."""
    return lambda op, x: function(x).astype(result_dtype(op), copy=False)


def of_two(function: Callable[[Array, Array], Array]) -> Kernel:
    """A function of two values in the same place."""
    return lambda op, a, b: function(a, b).astype(result_dtype(op), copy=False)


ONE: dict[str, Callable[[Array], Array]] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Cos": np.cos,
    "Erf": erf,
    "Exp": np.exp,
    "Floor": np.floor,
    "Gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "GeluQuick": lambda x: x * sigmoid(1.702 * x),
    "GeluTanh": gelu_tanh,
    "IsInf": np.isinf,
    "IsNan": np.isnan,
    "Log": np.log,
    "Log1p": np.log1p,
    "Negative": np.negative,
    "Not": np.logical_not,
    "Relu": lambda x: np.maximum(x, 0),
    "Round": np.round,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Sigmoid": sigmoid,
    "Silu": lambda x: x * sigmoid(x),
    "Sin": np.sin,
    "Sqrt": np.sqrt,
    "Tanh": np.tanh,
    "Trunc": np.trunc,
}
TWO: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "And": np.logical_and,
    "Div": divide,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterEqual": np.greater_equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mod": np.mod,
    "Mul": np.multiply,
    "NotEqual": np.not_equal,
    "Or": np.logical_or,
    "Pow": np.power,
    "Sub": np.subtract,
    "Xor": np.logical_xor,
}
ALONG: dict[str, Callable[..., Array]] = {
    "ReduceAdd": np.sum,
    "ReduceMax": np.max,
    "ReduceMean": np.mean,
    "ReduceMin": np.min,
    "ReduceMul": np.prod,
}
KERNELS: dict[str, Kernel] = {
    **{name: of_one(function) for name, function in ONE.items()},
    **{name: of_two(function) for name, function in TWO.items()},
    **{name: reduced(function) for name, function in ALONG.items()},
    "BatchMatmul": lambda op, a, b: a @ b,
    "BroadcastTo": broadcast,
    "Cast": lambda op, x: x.astype(result_dtype(op)),
    "Concat": lambda op, *parts: np.concatenate(parts, axis=op.axis),
    "Cumsum": lambda op, x, *_: np.cumsum(x, axis=op.axis).astype(x.dtype),
    "Gather": lambda op, x, indices: np.take(x, indices, axis=op.axis),
    "LinalgBandPart": band_part,
    "Matmul": lambda op, a, b: a @ b,
    "PadConstant": pad,
    "Range": count,
    "ReduceArgMax": by_index(np.argmax),
    "ReduceArgMin": by_index(np.argmin),
    "ReduceLayerNorm": layer_norm,
    "ReduceLogsoftmax": lambda op, x: np.log(softmax(x, op.axis)),
    "ReduceRmsNorm": rms_norm,
    "ReduceSoftmax": lambda op, x: softmax(x, op.axis),
    "Select": lambda op, condition, a, b: np.where(condition, a, b),
    "Slice": cut,
    "Split": split,
    "StaticBroadcastTo": broadcast,
    "Tile": lambda op, x, repeats: np.tile(x, [int(count) for count in repeats]),
    "TopK": top_k,
    "Transpose": lambda op, x, order: np.transpose(x, [int(axis) for axis in order]),
}
