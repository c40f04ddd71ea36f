"""The captures of a single token in two blocks, as the decode graph gives them.

A token has a hundred captures and more, most of a few kilobytes. To hand out each in a buffer of its own takes a fifth
as long as to compute them.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from numpy.typing import NDArray

from .config import GPT2Config
from .hooks import SQUARE, hook_axes

Array = NDArray[np.float32]


def pack(captures: Mapping[str, Tensor], n_layer: int) -> dict[str, Tensor]:
    """Every capture of a token in two tensors.

    Shapes: `vectors` [number], all captures of a fixed size, one after the other; `squares` [capture * head, 1, key],
    attention scores and patterns.
    """
    return {
        "vectors": _joined(captures, n_layer, is_square=False),
        "squares": _joined(captures, n_layer, is_square=True),
    }


def _joined(captures: Mapping[str, Tensor], n_layer: int, is_square: bool) -> Tensor:
    """Block by block first: the code for joining a hundred tensors at once takes tens of megabytes."""
    axes = hook_axes(n_layer)
    blocks: dict[str, list[Tensor]] = {}
    for name in axes:
        if (axes[name] == SQUARE) == is_square:
            capture = captures[name] if is_square else captures[name].reshape([-1])
            blocks.setdefault(name.rpartition("blocks.")[2].partition(".")[0], []).append(capture)
    return F.concat([F.concat(block) if len(block) > 1 else block[0] for block in blocks.values()])


def unpack(vectors: Array, squares: Array, config: GPT2Config) -> dict[str, Array]:
    """The captures by name, as views of the two blocks that `pack` made."""
    captures = {name: vectors[start:stop].reshape(shape) for name, start, stop, shape in vector_places(config)}
    names = [name for name, axes in hook_axes(config.n_layer).items() if axes == SQUARE]
    for number, name in enumerate(names):
        captures[name] = squares[number * config.n_head : (number + 1) * config.n_head]
    return captures


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
