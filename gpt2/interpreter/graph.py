"""A model's graphs run at once, operation by operation, for as long as none is compiled for its shape."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cache, partial
from typing import Any

import numpy as np
from max.driver import Buffer
from numpy.typing import NDArray

from gpt2.engine.shutdown import CALLS_IN_FLIGHT
from gpt2.model.config import GPT2Config
from gpt2.model.graphs import trace_graph
from gpt2.model.hooks import output_names
from gpt2.trace.timing import timed

from .interpreter import Interpreter, as_buffer
from .kernels import adopt

Array = NDArray[np.float32]


class InterpretedGraph:
    """One graph with its weights, as the engine's compiled ones are: arrays in, named outputs out, from any thread."""

    def __init__(self, kind: str, interpreter: Interpreter, n_layer: int, weights: Mapping[str, Array]) -> None:
        """Take the traced graph `kind` and its weights."""
        self._names, self._interpreter, self._weights = output_names(kind, n_layer), interpreter, weights
        # As of a compiled one: the lens graph is timed by its caller.
        self._timed = nullcontext if kind == "lens" else partial(timed, "model")

    def __call__(self, *inputs: NDArray[Any] | Buffer) -> dict[str, Buffer]:
        """Run operation by operation."""
        given = [array if isinstance(array, np.ndarray) else array.to_numpy() for array in inputs]
        with self._timed(), CALLS_IN_FLIGHT:
            outputs = self._interpreter.run(given, self._weights)
            return {name: as_buffer(output) for name, output in zip(self._names, outputs, strict=True)}


def source(config: GPT2Config) -> Callable[[str, Mapping[str, Array]], InterpretedGraph]:
    """What binds the graphs of this shape to weights; it is a `passes.GraphSource`, and each graph is traced once."""
    adopt()

    @cache
    def traced(kind: str) -> Interpreter:
        return Interpreter(trace_graph(kind, config).graph)

    def bind(kind: str, weights: Mapping[str, Array]) -> InterpretedGraph:
        return InterpretedGraph(kind, traced(kind), config.n_layer, weights)

    return bind
