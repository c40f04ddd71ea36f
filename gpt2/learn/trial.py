"""Trying a source on cases: it is traced by MAX and run operation by operation, so nothing is compiled.

A verdict must not depend on names that a reader may choose: weights go by their names where those are the project's,
else by their order and shape.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from max._mlir_context import in_default_mlir_context
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.compilation import StagedGraph
from max.experimental.nn import Module
from max.experimental.tensor import Tensor, default_device, default_dtype
from max.graph import DeviceRef, TensorType, TensorValue
from numpy.typing import NDArray

from gpt2.interpreter.interpreter import Interpreter

from .lesson import Array, Case, Failure
from .reasons import failure

READER = "reader"  # the module that a reader's file becomes
KINDS = {type(None): "nothing (is a return missing?)", np.ndarray: "a NumPy array", int: "a number", float: "a number"}
KINDS |= {tuple: "a tuple", list: "a list", dict: "a dictionary"}
PREFIX = "component."  # of the names of its parameters, unless it is a transparent module


class WrongKind(Exception):
    """What came out is not what a component gives: one sentence."""


class WrongType(WrongKind):
    """What came out is a tensor whose numbers are of a type that no component gives."""


def define(source: str, path: str) -> Mapping[str, Any]:
    """The names that a source defines; it may import other files of its folder."""
    module = ModuleType(READER)
    if (folder := str(Path(path).resolve().parent)) not in sys.path:
        sys.path.append(folder)
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
        return Failure(type(error).__name__, str(error), None, outputs)
    except BaseException as error:  # whatever a reader's code raises, SystemExit and KeyboardInterrupt too
        return replace(failure(error, path), before=outputs)
    return outputs


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
        """Call it with the tensors in the places of the arrays.

        Raises:
            WrongKind: if it gives anything else than one tensor.
        """
        given = self.component(*with_leaves(self.arguments, iter(tensors)))
        if not isinstance(given, Tensor | TensorValue):
            raise WrongKind(f"It gives {KINDS.get(type(given), type(given).__name__)} where it should give one tensor.")
        return given


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
    staged, known = traced(trying, types_of(inputs), weights)
    return Interpreter(staged.graph).run(inputs, known)


def traced(
    make: Callable[[], Module[..., Any]], types: Sequence[Any], weights: Mapping[str, Array], name: str = "trial"
) -> tuple[StagedGraph[..., Any], dict[str, Array]]:
    """Trace a module: its graph, and the graph's weights, those that the module makes itself among them.

    Raises:
        WrongKind: if it gives no tensor, or has a parameter that no weight is for.
        WrongType: if it gives bfloat16, which NumPy has not.
    """
    with F.lazy(), default_device(CPU()), default_dtype(DType.float32):
        module = make()
        shapes = {name: tuple(int(size) for size in parameter.shape) for name, parameter in module.parameters}
        known = assigned(weights, shapes)
        others = [name for name in shapes if name not in known]
        staged = module.trace(*types, name=name, allow_subgraphs=False)
        try:
            made = Made(make, others).trace(allow_subgraphs=False).graph if others else None
        except RuntimeError:  # random numbers have no seed here: they are what a weight should replace
            raise unknown(others[0], shapes[others[0]], weights) from None
    if (dtype := staged.graph.output_types[0].dtype) == DType.bfloat16:
        raise WrongType(f"The output is {dtype.name}; it should be float32.")
    if made is not None:
        known |= dict(zip(others, Interpreter(made).run([]), strict=True))
        refuse_unfilled({name: known[name] for name in others}, weights)
    return staged, known


class Made(Module[..., Any]):
    """Tensors that a component makes itself, such as a mask: MAX counts them as parameters, but they have values."""

    def __init__(self, trying: Callable[[], Module[..., Any]], names: Sequence[str]) -> None:
        """Take how the component is made, and the names of the tensors."""
        self.trying, self.names = trying, names

    def forward(self) -> list[Tensor]:
        """Make it anew, now as a part of the graph."""
        parameters = dict(self.trying().parameters)
        return [parameters[name] for name in self.names]


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
    """The weights under the module's own names: by name where all are known, else part by part, the likest first.

    Parameters that are left once all weights are taken get none: they keep the values that the module gave them.

    Raises:
        WrongKind: if a parameter is left and a weight is too.
    """
    own = {name: name.removeprefix(PREFIX) for name in shapes}
    if all(known in weights and weights[known].shape == shapes[name] for name, known in own.items()):
        return {name: weights[known] for name, known in own.items()}
    found: dict[str, Array] = {}
    left = by_part({known: weight.shape for known, weight in weights.items()})
    parts = by_part({known: shapes[name] for name, known in own.items()})
    pairs = [
        (-alike(part, name), part, name)
        for part, inside in parts.items()
        for name, given in left.items()
        if sorted(given.values()) == sorted(inside.values())
    ]
    taken_parts: set[str] = set()
    for _, part, name in sorted(pairs, key=lambda pair: pair[0]):  # stable: else in their order
        if part not in taken_parts and name in left:
            taken_parts.add(part)
            found |= in_order({one: weights[one] for one in left.pop(name)}, parts[part])
    missing = {known: shapes[name] for name, known in own.items() if known not in found}
    unused = {name: weights[name] for given in left.values() for name in given}
    taken = in_order(unused, missing)
    if len(taken) < len(missing) and len(taken) < len(unused):
        name = next(name for name in missing if name not in taken)
        raise unknown(name, missing[name], weights)
    found |= taken
    return {name: found[known] for name, known in own.items() if known in found}


def alike(name: str, known: str) -> int:
    """How many words at the end of two names are equal, as two of `blocks.0.ln_1` and `h.0.ln_1` are."""
    words = zip(reversed(name.split(".")), reversed(known.split(".")), strict=False)
    return 1000 * (name == known) + next((at for at, (one, other) in enumerate(words) if one != other), 100)


def by_part(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, dict[str, tuple[int, ...]]]:
    """The parameters that lie in one part of a module together, such as a norm's, by the part's name."""
    parts: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        parts.setdefault(name.rpartition(".")[0], {})[name] = shape
    return parts


def in_order(weights: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """A weight for each parameter that one is left for: that with the same last word, else the first of its shape."""
    left, found = dict(weights), {}
    for name, shape in shapes.items():
        if fits := [known for known, weight in left.items() if weight.shape == shape]:
            words = [known.rpartition(".")[2] for known in fits]
            last = name.rpartition(".")[2]
            found[name] = left.pop(fits[words.index(last) if last in words else 0])
    return found


def refuse_unfilled(tensors: Mapping[str, Array], weights: Mapping[str, Array]) -> None:
    """Refuse a row of zeros that a component made for itself: a bias that no weight would ever fill.

    Raises:
        WrongKind: if there is one.
    """
    for name, tensor in tensors.items():
        if tensor.ndim == 1 and not tensor.any():
            raise unknown(name, tensor.shape, weights)


def unknown(name: str, shape: tuple[int, ...], weights: Mapping[str, Array]) -> WrongKind:
    """What is told of a parameter that the component does not have."""
    wanted = ", ".join(f"{known} {list(weight.shape)}" for known, weight in weights.items())
    return WrongKind(
        f"The parameter {name.removeprefix(PREFIX)} has the shape {list(shape)}; the component has {wanted}."
    )


def gains_and_shifts(seed: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Random gain and shift of a norm: both far from 1 and 0, so that neither can be forgotten unseen."""
    rng = np.random.default_rng(seed)
    return (
        (1 + rng.uniform(-0.9, 0.9, width)).astype(np.float32),
        rng.uniform(-1, 1, width).astype(np.float32),
    )
