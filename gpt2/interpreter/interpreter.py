"""Running a traced graph operation by operation: each in a kernel of MAX's own, or in NumPy where none is at hand.

MAX's interpreter compiles a small kernel at the first use of each operation, which takes a minute or two. Here nothing
is ever compiled: `kernels` adopts precompiled ones, and `numpy_kernels` has the rest. The names with an underscore are
private parts of MAX: `tests/test_interpreter.py` holds that they are as this module needs them.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from max import _core, _eager_policy, _interpreter
from max._core.dialects import rmo
from max._interpreter_ops.handlers import lookup_handler
from max._mlir_context import in_default_mlir_context
from max.driver import Buffer
from max.dtype import DType
from max.graph import Dim, Graph, SymbolicDim, Type
from numpy.typing import NDArray

from gpt2.engine.awake import first_call
from gpt2.engine.shutdown import CALLS_IN_FLIGHT
from gpt2.errors import EngineError

from .numpy_kernels import KERNELS

Array = NDArray[Any]

os.environ[_eager_policy.ALLOW_LAZY_COMPILE_ENV_VAR] = "0"  # a kernel that is not at hand is refused, never compiled


@dataclass(frozen=True)
class Operation:
    """One operation of a graph, and what it computed.

    Attributes:
        name: as MAX names it, such as `Matmul`.
        index: its place among the operations of the lowered graph.
        by: whose kernel computed it; None for a view, a copy or shape arithmetic, which need none.
        operands, results: the values it read and made, in order; those that are no arrays are left out.
    """

    name: str
    index: int
    by: Literal["MAX", "NumPy"] | None
    operands: tuple[Array, ...]
    results: tuple[Array, ...]


class Interpreter:
    """A traced graph, ready to be run operation by operation, at any length where its shapes have one."""

    @in_default_mlir_context
    def __init__(self, graph: Graph) -> None:
        """Lower the graph to the operations that MAX has kernels for; its text is another one afterwards.

        Raises:
            EngineError: if MAX cannot lower it.
        """
        self._graph = graph
        try:
            _core.lower(graph._module, [rmo.passes.LegalizeRMOOps()])
        except Exception as error:  # MAX raises many kinds
            raise EngineError(f"MAX cannot lower this graph: {str(error).strip()}") from None
        self._operations = [(op, name_of(op), shape_said(op)) for op in _interpreter._walk_ops(graph._module)]

    @in_default_mlir_context
    def run(
        self,
        inputs: Sequence[Array],
        weights: Mapping[str, Array] | None = None,
        watch: Callable[[Operation], None] | None = None,
    ) -> list[Array]:
        """Compute the graph's outputs.

        Args:
            inputs: an array for each input of the graph.
            weights: the graph's weights, by name.
            watch: called after each operation; what it is given must not be changed.

        Raises:
            EngineError: if an operation has neither a kernel of MAX's at hand nor one in NumPy, or a weight is missing.
        """
        slots: dict[Any, Buffer | None] = {}
        sizes: dict[str, int] = {}  # of the symbolic dimensions, by their names
        for given, array in zip(self._graph.inputs, inputs, strict=True):
            slots[given._mlir_value] = as_buffer(array)
            shape = zip(given.type.shape, array.shape, strict=True)
            sizes |= {dim.name: size for dim, size in shape if isinstance(dim, SymbolicDim)}
        with CALLS_IN_FLIGHT:
            return self._walk(slots, sizes, weights or {}, watch)

    def _walk(
        self,
        slots: dict[Any, Buffer | None],
        sizes: Mapping[str, int],
        weights: Mapping[str, Array],
        watch: Callable[[Operation], None] | None,
    ) -> list[Array]:
        """Compute one operation after the other; `slots` has the inputs, and gets what they make."""
        results: Sequence[Buffer | None]
        for index, (op, name, said) in enumerate(self._operations):
            operands = [slots.get(getattr(operand, "value", operand)) for operand in op.operands]
            if name == "Output":
                return [as_array(operand) for operand in operands if operand is not None]
            if name == "ConstantExternal":
                results, by = [as_buffer(weight(op.name, weights))], None
            elif said is not None:
                results, by = [reshaped(operands, [int(dim.substitute(sizes)) for dim in said])], None
            else:
                results, by = compute(op, name, operands, bool(sizes))
            slots.update(zip(op.results, results, strict=True))
            if watch is not None:
                watch(Operation(name, index, by, tuple(arrays(operands)), tuple(arrays(results))))
        raise EngineError("This graph has no output.")


def shape_said(op: Any) -> Sequence[Dim] | None:
    """The shape that an operation's text says, symbolic sizes included, which MAX's own handlers do not know.

    Reshaping gives its operand that shape; another operation gives the shape itself. None for all others.
    """
    match name_of(op):
        case "StaticReshape":
            return list(Type.from_mlir(op.results[0].type).shape)
        case "ParamToValue" if hasattr(op.value, "values"):
            return [Dim.from_mlir(dim) for dim in op.value.values]
    return None


def reshaped(operands: Sequence[Buffer | None], shape: list[int]) -> Buffer:
    """The first operand in this shape, or the shape itself if there is none."""
    if operands and operands[0] is not None:
        return operands[0].view(operands[0].dtype, shape)
    return as_buffer(np.array(shape, np.int64))


def compute(
    op: Any, name: str, operands: Sequence[Buffer | None], is_symbolic: bool
) -> tuple[Sequence[Buffer | None], Literal["MAX", "NumPy"] | None]:
    """The results of one operation, and whose kernel computed them.

    Raises:
        EngineError: if there is no kernel for it.
    """
    if name == "BroadcastTo" and is_there_already(operands):
        return operands[:1], None
    handler = None if name == "Custom" else lookup_handler(op)  # a custom operation has its code compiled into it
    if handler is not None:
        try:
            if name not in KERNELS:
                return handler(op, list(operands)), None
            with first_call():
                return handler(op, list(operands)), "MAX"
        except (_eager_policy.EagerLazyCompileDisallowed, _eager_policy.UnsupportedOpVariant, NotImplementedError):
            pass  # not at hand: NumPy's, if there is one
        except TypeError:
            if not is_symbolic or name not in KERNELS:  # some handlers take no symbolic dimension
                raise
    if name not in KERNELS:
        raise EngineError(f"{name} can only be compiled: there is no kernel that runs it at once.")
    with np.errstate(all="ignore"):
        made = KERNELS[name](op, *arrays(operands))
    return [as_buffer(array) for array in (made if isinstance(made, tuple) else (made,))], "NumPy"


def is_there_already(operands: Sequence[Buffer | None]) -> bool:
    """Whether the first operand has the shape that the second one says."""
    value, shape = (*operands, None)[:2]
    return value is not None and shape is not None and list(value.shape) == as_array(shape).tolist()


def name_of(op: Any) -> str:
    """The operation's name: MAX writes the same one as `AddOp` or, before lowering, `MoAddOp`."""
    return re.sub(r"^Mo(?=[A-Z])|Op$", "", type(op).__name__)  # but the remainder is `ModOp`


def weight(name: str, weights: Mapping[str, Array]) -> Array:
    """The weight that the graph asks for.

    Raises:
        EngineError: if it is not there.
    """
    if name not in weights:
        raise EngineError(f"The graph needs the weight {name}, which is missing.")
    return weights[name]


def as_buffer(array: Array) -> Buffer:
    """An array as MAX reads it. MAX reads it in place, so whoever calls keeps it alive and unchanged."""
    held = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
    if not held.flags.writeable:
        held = held.copy()
    if held.dtype == np.bool_:
        return Buffer.from_numpy(held.view(np.uint8)).view(DType.bool, held.shape)
    return Buffer.from_numpy(held)


def as_array(buffer: Buffer) -> Array:
    """A buffer as NumPy reads it."""
    return buffer.to_numpy()


def arrays(buffers: Sequence[Buffer | None]) -> Iterator[Array]:
    """All buffers as arrays; values that have none, such as chains, are left out."""
    return (as_array(buffer) for buffer in buffers if buffer is not None)
