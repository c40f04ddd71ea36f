"""A bounded store: the entries least recently used are dropped when there are too many, or they take too many bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ByteLRU(Generic[K, V]):
    """Values by key, within a number of entries and of bytes. Calls come from any thread.

    Values must not change: a value may be handed out to many.
    """

    def __init__(self, max_entries: int, max_bytes: int, size: Callable[[V], int]) -> None:
        """Begin empty; `size` gives the bytes of a value."""
        self._max_entries, self._max_bytes, self._size = max_entries, max_bytes, size
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many entries are stored."""
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        """Bytes that the stored values take."""
        return self._bytes

    def get(self, key: K) -> V | None:
        """The value, which is then the most recently used; None if it is not stored."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key]

    def put(self, key: K, value: V) -> None:
        """Store a value in place of the key's old one; a value larger than the store is not kept."""
        with self._lock:
            if key in self._entries:
                self._bytes -= self._size(self._entries.pop(key))
            self._entries[key] = value
            self._bytes += self._size(value)
            while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
                self._drop_oldest()

    def shrink(self, nbytes: int) -> int:
        """Drop the least recently used values until so many bytes are free, or none is left; return the bytes freed."""
        with self._lock:
            before = self._bytes
            while self._entries and before - self._bytes < nbytes:
                self._drop_oldest()
            return before - self._bytes

    def _drop_oldest(self) -> None:
        self._bytes -= self._size(self._entries.popitem(last=False)[1])
