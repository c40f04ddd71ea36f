"""Trying a source on cases: it is traced by MAX and run operation by operation, so nothing is compiled.

A verdict must not depend on names that a reader may choose: weights go by their names where those are the project's,
else by their order and shape.
"""

import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
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
    """The names that a source defines."""
    module = ModuleType(READER)
    module.__file__ = path
    sys.modules[READER] = module  # dataclasses look their module up
    exec(compile(source, path, "exec"), module.__dict__)
    return module.__dict__


def attempt(source: str, path: str, cases: Sequence[Case]) -> list[list[Array]] | Failure:
    """The outputs of a source on each case, or why there are none."""
    outputs: list[list[Array]] = []
    try:
        names = define(source, path)
        for case in cases:
            outputs.append(list(case.compute(names)))
    except WrongKind as error:
        return Failure("WrongKind", str(error), None, outputs)
    except BaseException as error:  # whatever a reader's code raises, SystemExit and KeyboardInterrupt too
        return replace(failure(error, path), before=outputs)
    return outputs


def failure(error: BaseException, path: str) -> Failure:
    """What is told of an error: where in the reader's own file it arose."""
    if isinstance(error, SyntaxError):
        return Failure("SyntaxError", str(error.msg), error.lineno)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    said = in_one_line(str(error).strip() or type(error).__name__)
    return Failure(type(error).__name__, said[:300], frames[-1].lineno if frames else None)


def in_one_line(said: str) -> str:
    """An error's first line; of an operation that MAX refuses, what is wrong with its tensors."""
    if index := re.search(r"index (-?\d+) is out of bounds for axis \d+ with size (\d+)", said):
        return f"index {index[1]} was asked for where there are only 0 to {int(index[2]) - 1}"
    if (operation := re.match(r"Failed to create op '(?:Mo)?(\w+?)(?:Op)?'", said)) is None:
        return said.splitlines()[0]
    if kind := re.search(r"must be tensor with integer .*, (\w+)>'", said):
        return f"{operation[1]} takes whole numbers there, not {kind[1]}"
    shapes = [re.sub(r"Dim\((.*?)\)", r"\1", shape) for shape in re.findall(r"TensorValue\(.*?shape=(\[.*?\])", said)]
    return f"{operation[1]} does not fit the shape{'s' * (len(shapes) > 1)} {' and '.join(shapes)}"


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


def run(trying: Callable[[], Trying], weights: Mapping[str, Array], arguments: tuple[Any, ...]) -> list[Array]:
    """Trace a component and run it operation by operation.

    Raises:
        WrongKind: if it gives no tensor, or has a parameter that no weight is for.
    """
    inputs = list(leaves(arguments))
    with F.lazy(), default_device(CPU()), default_dtype(DType.float32):
        module = trying()
        full_names = {name.removeprefix("component."): name for name, _ in module.parameters}  # one may have no prefix
        shapes = {
            name.removeprefix("component."): tuple(int(size) for size in parameter.shape)
            for name, parameter in module.parameters
        }
        types = [TensorType(DType.from_numpy(array.dtype), array.shape, DeviceRef.CPU()) for array in inputs]
        graph = module.trace(*types, allow_subgraphs=False).graph
    if len(graph.output_types) != 1:
        raise WrongKind(f"It gave {len(graph.output_types)} tensors where it should give one; is a return missing?")
    own = {full_names[name]: weight for name, weight in assigned(weights, shapes).items()}
    return Interpreter(graph).run(inputs, own)


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
    """The weights under the module's own names: by name where all are known, else in order, shape by shape.

    Raises:
        WrongKind: if there is no weight for a parameter.
    """
    if all(name in weights and weights[name].shape == shape for name, shape in shapes.items()):
        return {name: weights[name] for name in shapes}
    left, found = list(weights.values()), {}
    for name, shape in shapes.items():
        at = next((index for index, weight in enumerate(left) if weight.shape == shape), None)
        if at is None:
            wanted = ", ".join(f"{known} {list(weight.shape)}" for known, weight in weights.items())
            raise WrongKind(f"The parameter {name} has the shape {list(shape)}; the component has {wanted}.")
        found[name] = left.pop(at)
    return found


def gains_and_shifts(seed: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Random gain and shift of a norm: both far from 1 and 0, so that neither can be forgotten unseen."""
    rng = np.random.default_rng(seed)
    return (
        (1 + rng.uniform(-0.9, 0.9, width)).astype(np.float32),
        rng.uniform(-1, 1, width).astype(np.float32),
    )
