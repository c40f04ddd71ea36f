"""Small arrays copied into one block of memory.

A step has some ninety captures of a few kilobytes. Each in memory of its own, they leave holes between those that a
squeezed run keeps: too small to be returned to the system, and after an hour of visitors more than all that is held.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALL_BYTES = 65_536


def in_one_block(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """The same arrays, the small ones of each type as views of one new block; a large one stays where it is.

    An array that is given twice is copied once. A block lives for as long as any of its views.
    """
    small = {id(array): array for array in arrays if array.nbytes < SMALL_BYTES}
    views: dict[int, NDArray[Any]] = {}
    for dtype in {array.dtype for array in small.values()}:
        own = {key: array for key, array in small.items() if array.dtype == dtype}
        block, end = np.concatenate([array.ravel() for array in own.values()]), 0
        for key, array in own.items():
            start, end = end, end + array.size
            views[key] = block[start:end].reshape(array.shape)
    return [views.get(id(array), array) for array in arrays]
