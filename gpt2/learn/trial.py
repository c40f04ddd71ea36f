"""Trying a source on cases: it is traced by MAX and run operation by operation, so nothing is compiled.

A verdict must not depend on names that a reader may choose: weights go by their names where those are the project's,
else by their order and shape.
"""

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from max._mlir_context import in_default_mlir_context
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.nn import Module
from max.experimental.tensor import Tensor, default_device, default_dtype
from max.graph import DeviceRef, TensorType
from numpy.typing import NDArray

from gpt2.interpreter.interpreter import Interpreter

from .lesson import Array, Case, Failure

READER = "reader"  # the module that a reader's file becomes


class WrongKind(Exception):
    """What came out is not what a component gives: one sentence."""


def define(source: str, path: str) -> Mapping[str, Any]:
    """The names that a source defines; it may import other files that lie beside it, such as an earlier lesson's."""
    folder = str(Path(path).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = ModuleType(READER)
    module.__file__ = path
    sys.modules[READER] = module  # dataclasses look their module up
    exec(compile(source, path, "exec"), module.__dict__)
    return module.__dict__


def attempt(source: str, path: str, cases: Sequence[Case]) -> list[list[Array]] | Failure:
    """The outputs of a source on each case, or why there are none."""
    try:
        names = define(source, path)
        return [list(case.compute(names)) for case in cases]
    except WrongKind as error:
        return Failure("WrongKind", str(error), None)
    except BaseException as error:  # whatever a reader's code raises, SystemExit and KeyboardInterrupt too
        return failure(error, path)


def failure(error: BaseException, path: str) -> Failure:
    """What is told of an error: where in the reader's own file it arose."""
    if isinstance(error, SyntaxError):
        return Failure("SyntaxError", str(error.msg), error.lineno)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    told = str(error).strip() or type(error).__name__
    said = (told.partition("Diagnostics:\n")[2].strip() or told).splitlines()  # where MAX says which sizes do not fit
    return Failure(type(error).__name__, said[0][:300], frames[-1].lineno if frames else None)


def defined(names: Mapping[str, Any], name: str) -> Any:
    """The class or function that a file must define.

    Raises:
        WrongKind: if it does not.
    """
    if name not in names:
        raise WrongKind(f"The file defines no {name}; keep the name that the skeleton has.")
    return names[name]


class Trying(Module[..., Any]):
    """A component that is called with arguments of any structure, of which only the arrays are inputs of the graph."""

    def __init__(self, component: Any, arguments: tuple[Any, ...]) -> None:
        """Take the component, or a function, and what it is called with."""
        self.component, self.arguments = component, arguments

    def forward(self, *tensors: Tensor) -> Any:
        """Call it with the tensors in the places of the arrays."""
        return self.component(*with_leaves(self.arguments, iter(tensors)))


def types_of(inputs: Sequence[Array]) -> list[TensorType]:
    """The types of arrays, of fixed shape."""
    return [TensorType(DType.from_numpy(array.dtype), array.shape, DeviceRef.CPU()) for array in inputs]


def leaves(value: Any) -> Iterator[Array]:
    """The arrays in nested tuples and lists, in their order."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from leaves(part)


def with_leaves(value: Any, given: Iterator[Any]) -> Any:
    """The same structure with what is given in the places of its arrays."""
    if isinstance(value, np.ndarray):
        return next(given)
    if isinstance(value, tuple | list):
        parts = [with_leaves(part, given) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


@in_default_mlir_context  # a thread has none of its own
def run(trying: Callable[[], Trying], weights: Mapping[str, Array], arguments: tuple[Any, ...]) -> list[Array]:
    """Trace a component and run it operation by operation.

    Raises:
        WrongKind: if it gives no tensor, or has a parameter that no weight is for.
    """
    inputs = list(leaves(arguments))
    with F.lazy(), default_device(CPU()), default_dtype(DType.float32):
        module = trying()
        shapes = {
            name.removeprefix("component."): tuple(int(size) for size in parameter.shape)
            for name, parameter in module.parameters
        }
        graph = module.trace(*types_of(inputs), allow_subgraphs=False).graph
    if len(graph.output_types) != 1:
        raise WrongKind(f"It gave {len(graph.output_types)} tensors where it should give one; is a return missing?")
    given = assigned(
        weights, shapes
    )  # a transparent module's parameters keep their names, those of others are within it
    return Interpreter(graph).run(inputs, {**given, **{f"component.{name}": one for name, one in given.items()}})


def of_module(
    name: str, made_with: tuple[Any, ...], weights: Mapping[str, Array], *arguments: Any
) -> Callable[[Mapping[str, Any]], Sequence[Array]]:
    """What a class `name`, made with some arguments and given these weights, computes from others.

    Both may be nested tuples and lists; the arrays in `arguments` become inputs of the graph.
    """
    return lambda names: run(lambda: Trying(defined(names, name)(*made_with), arguments), weights, arguments)


def of_function(name: str, *arguments: Any) -> Callable[[Mapping[str, Any]], Sequence[Array]]:
    """What a function `name` of tensors gives for these arguments."""
    return lambda names: run(lambda: Trying(defined(names, name), arguments), {}, arguments)


def assigned(weights: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The weights under the module's own names: by name where all are known, else part by part, in order.

    Raises:
        WrongKind: if there is no weight for a parameter.
    """
    if all(name in weights and weights[name].shape == shape for name, shape in shapes.items()):
        return {name: weights[name] for name in shapes}
    found: dict[str, Array] = {}
    left = by_part({name: weight.shape for name, weight in weights.items()})
    for part, own in sorted(by_part(shapes).items(), key=lambda named: named[0] not in left):  # known names choose
        same = [name for name, given in left.items() if sorted(given.values()) == sorted(own.values())]
        if same:
            given = left.pop(part if part in same else same[0])
            found |= in_order({name: weights[name] for name in given}, own)
    missing = {name: shape for name, shape in shapes.items() if name not in found}
    return found | in_order({name: weights[name] for given in left.values() for name in given}, missing)


def by_part(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, dict[str, tuple[int, ...]]]:
    """The parameters that lie in one part of a module together, such as a norm's, by the part's name."""
    parts: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        parts.setdefault(name.rpartition(".")[0], {})[name] = shape
    return parts


def in_order(weights: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """A weight for each parameter: the one with the same last word if it fits, else the first of its shape.

    Raises:
        WrongKind: if there is none.
    """
    left, found = dict(weights), {}
    for name, shape in shapes.items():
        fits = [known for known, weight in left.items() if weight.shape == shape]
        if not fits:
            wanted = ", ".join(f"{known} {list(weight.shape)}" for known, weight in weights.items()) or "no more"
            raise WrongKind(f"The parameter {name} has the shape {list(shape)}; the component has {wanted}.")
        words = [known.rpartition(".")[2] for known in fits]
        last = name.rpartition(".")[2]
        found[name] = left.pop(fits[words.index(last) if last in words else 0])
    return found


def gains_and_shifts(seed: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Random gain and shift of a norm: both far from 1 and 0, so that neither can be forgotten unseen."""
    rng = np.random.default_rng(seed)
    return (
        (1 + rng.uniform(-0.9, 0.9, width)).astype(np.float32),
        rng.uniform(-1, 1, width).astype(np.float32),
    )
