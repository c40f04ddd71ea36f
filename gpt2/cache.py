"""The KV cache: keys and values of every position run so far, cut back by moving one number."""

import numpy as np
from numpy.typing import NDArray

from .config import GPT2Config

Array = NDArray[np.float32]


class KVCache:
    """One array of keys and one of values a layer, grown by doubling.

    Shapes: each [position, head, d_head], of which the first `length` are filled. The layout keeps the filled part
    contiguous, so that graphs read it in place.
    """

    def __init__(self, config: GPT2Config) -> None:
        """Start empty, with room for 64 positions."""
        self._config = config
        self._k = self._rooms(min(64, config.n_positions))
        self._v = self._rooms(min(64, config.n_positions))
        self.length = 0

    def _rooms(self, capacity: int) -> list[Array]:
        shape = (capacity, self._config.n_head, self._config.d_head)
        return [np.zeros(shape, np.float32) for _ in range(self._config.n_layer)]

    @property
    def nbytes(self) -> int:
        """Bytes held, filled or not."""
        return sum(array.nbytes for array in (*self._k, *self._v))

    def past(self, layer: int) -> tuple[Array, Array]:
        """The filled keys and values of a layer, without a copy. Shapes: both [key, head, d_head]."""
        return self._k[layer][: self.length], self._v[layer][: self.length]

    def extend(self, keys: list[Array], values: list[Array]) -> None:
        """Append new positions. Shapes: one [seq, head, d_head] a layer, for keys and for values."""
        stop = self.length + len(keys[0])
        if stop > len(self._k[0]):
            self._grow(min(max(stop, 2 * len(self._k[0])), self._config.n_positions))
        for layer, (k, v) in enumerate(zip(keys, values, strict=True)):
            self._k[layer][self.length : stop] = k
            self._v[layer][self.length : stop] = v
        self.length = stop

    def cut(self, length: int) -> None:
        """Forget all positions from `length` on; costs nothing, since later ones overwrite them."""
        self.length = min(self.length, length)

    def _grow(self, capacity: int) -> None:
        for rooms in (self._k, self._v):
            for layer, larger in enumerate(self._rooms(capacity)):
                larger[: self.length] = rooms[layer][: self.length]
                rooms[layer] = larger
