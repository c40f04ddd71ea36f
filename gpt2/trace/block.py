"""Small arrays copied into one block of memory.

A step has some ninety captures of a few kilobytes. Each in memory of its own, they leave holes between those that a
squeezed run keeps: too small to be returned to the system, and after an hour of visitors more than all that is held.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALL_BYTES = 65_536
ALIGNMENT = 64  # bytes, as NumPy's fast loops and MAX like it


def in_one_block(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """The same arrays, the small ones as views of one new block; a large one stays where it is.

    An array that is given twice is copied once. The block lives for as long as any of its views.
    """
    small = {id(array): array for array in arrays if array.nbytes < SMALL_BYTES}
    places, end = {}, 0
    for key, array in small.items():
        places[key] = end
        end += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    block = np.empty(end, np.uint8)
    views = {}
    for key, array in small.items():
        view = block[places[key] : places[key] + array.nbytes].view(array.dtype).reshape(array.shape)
        view[...] = array
        views[key] = view
    return [views.get(id(array), array) for array in arrays]
