"""The captures of a single token by name again, out of the two blocks of `packing`; without MAX's tensors."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import GPT2Config
from .hooks import SQUARE, hook_axes

Array = NDArray[np.float32]


def unpack(vectors: Array, squares: Array, config: GPT2Config) -> dict[str, Array]:
    """The captures by name, as views of the two blocks that `pack` made."""
    captures = {name: vectors[start:stop].reshape(shape) for name, start, stop, shape in vector_places(config)}
    for number, name in enumerate(square_names(config.n_layer)):
        captures[name] = squares[number * config.n_head : (number + 1) * config.n_head]
    return captures


@lru_cache(maxsize=32)
def square_names(n_layer: int) -> tuple[str, ...]:
    """The captures in `squares`, in their order there."""
    return tuple(name for name, axes in hook_axes(n_layer).items() if axes == SQUARE)


@lru_cache(maxsize=32)
def vector_places(config: GPT2Config) -> tuple[tuple[str, int, int, tuple[int, ...]], ...]:
    """Where each capture of a fixed size lies in `vectors`: its name, first number, end, and shape."""
    size = {"seq": 1, "head": config.n_head, "d_head": config.d_head, "d_model": config.n_embd, "d_mlp": config.n_inner}
    places: list[tuple[str, int, int, tuple[Any, ...]]] = []
    stop = 0
    for name, axes in hook_axes(config.n_layer).items():
        if axes != SQUARE:
            shape = tuple(size[axis] for axis in axes)
            start, stop = stop, stop + math.prod(shape)
            places.append((name, start, stop, shape))
    return tuple(places)
