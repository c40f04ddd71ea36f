"""The KV cache: keys and values of every position run so far; cutting it back changes one number."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2.model.config import GPT2Config

Array = NDArray[np.float32]


def full_bytes(config: GPT2Config) -> int:
    """Bytes of the cache of a run whose context is full."""
    return 2 * 4 * config.n_layer * config.n_positions * config.n_embd


class KVCache:
    """One array of keys and one of values for each layer, grown by doubling.

    Shapes: each [position, head, d_head], of which the first `length` are filled. The layout keeps the filled part
    contiguous, so that graphs read it in place. For a cache in an accelerator's memory see `devices.DeviceCache`.
    """

    def __init__(self, config: GPT2Config) -> None:
        """Start empty, with room for 64 positions."""
        self._config = config
        self._k = self._allocate(min(64, config.n_positions))
        self._v = self._allocate(min(64, config.n_positions))
        self.length = 0

    def _allocate(self, capacity: int) -> Sequence[Any]:
        shape = (capacity, self._config.n_head, self._config.d_head)
        return [np.zeros(shape, np.float32) for _ in range(self._config.n_layer)]

    def _read(self, buffer: Any, stop: int) -> Any:
        return buffer[:stop]

    def _write(self, buffer: Any, start: int, rows: Any) -> None:
        buffer[start : start + len(rows)] = rows

    @property
    def nbytes(self) -> int:
        """Bytes allocated, filled or not."""
        return sum(buffer.nbytes for buffer in (*self._k, *self._v))

    def past(self, layer: int) -> tuple[Any, Any]:
        """The filled keys and values of a layer, without a copy. Shapes: both [key, head, d_head]."""
        return self._read(self._k[layer], self.length), self._read(self._v[layer], self.length)

    def extend(self, keys: Sequence[Any], values: Sequence[Any]) -> None:
        """Append new positions. Shapes: one [seq, head, d_head] a layer, for keys and for values."""
        stop = self.length + keys[0].shape[0]
        if stop > self._k[0].shape[0]:
            capacity = min(max(stop, 2 * self._k[0].shape[0]), self._config.n_positions)
            self._k, self._v = self._grown(self._k, capacity), self._grown(self._v, capacity)
        for layer, (k, v) in enumerate(zip(keys, values, strict=True)):
            self._write(self._k[layer], self.length, k)
            self._write(self._v[layer], self.length, v)
        self.length = stop

    def copied(self, length: int) -> "KVCache":
        """Another cache with the first `length` positions of this one."""
        other = copy(self)
        other.length = min(self.length, length)
        capacity = min(max(64, other.length + 1), self._config.n_positions)
        other._k, other._v = other._grown(self._k, capacity), other._grown(self._v, capacity)
        return other

    def cut(self, length: int) -> None:
        """Forget all positions from `length` on; costs nothing, since later ones overwrite them."""
        self.length = min(self.length, length)

    def _grown(self, buffers: Sequence[Any], capacity: int) -> Sequence[Any]:
        larger = self._allocate(capacity)
        for new, old in zip(larger, buffers, strict=True):
            self._write(new, 0, self._read(old, self.length))
        return larger
