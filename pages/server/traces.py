"""The memory of all visitors' runs: within the host's budget, and within what the host really has left.

When memory is short, stores that can be filled again are emptied first, then idle runs are squeezed, then evicted, the
one that was viewed longest ago first.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol
from weakref import WeakSet

from gpt2.engine.long_prompt import whole_bytes
from gpt2.engine.settings import trace_budget
from gpt2.model.config import GPT2Config

from .limits import limits
from .memory import collect_garbage, spare_bytes, trim_heap

NO_ROOM = "Other visitors' runs take all the memory just now; try again in a moment."
# Collecting the cycles of ended visits, and trimming the heap, take 0.1 s each.
SWEEP_SECONDS = 10
# How often memory is looked at while visitors only look at pages.
TEND_SECONDS = 0.5


class Evictable(Protocol):
    """The memory of the run on one visitor's stage."""

    @property
    def nbytes(self) -> int:
        """Bytes that the run holds."""

    @property
    def is_running(self) -> bool:
        """Whether tokens are being generated."""

    @property
    def last_seen(self) -> float:
        """When the visitor last viewed the run, in seconds of `time.monotonic`."""

    def squeeze(self) -> int:
        """Drop what can be recomputed if the run is idle; return the bytes that were freed."""

    def evict(self) -> int:
        """Free the run's captures if it is idle; return the bytes that were freed."""

    def evict_if_made_by(self, model: str) -> int:
        """The same, but only if this model made the run and would continue it."""


class Store(Protocol):
    """A cache that can be filled again."""

    def shrink(self, nbytes: int) -> int:
        """Drop the entries least recently used, so many bytes of them if there are; return the bytes freed."""


class Traces:
    """The runs of all visits, referenced weakly: a run counts for as long as its visit lasts."""

    def __init__(self, budget: Callable[[], int], spare: Callable[[], int] = lambda: sys.maxsize) -> None:
        """Begin without visitors.

        Args:
            budget: the bytes that all runs together may take, called each time.
            spare: the bytes that the host has left beyond its margin, called each time; negative if it is short.
        """
        self._budget, self._spare = budget, spare
        self._players: WeakSet[Evictable] = WeakSet()
        self._stores: list[Store] = []
        self._lock = threading.RLock()
        self._swept_at = self._tended_at = time.monotonic()

    def add(self, player: Evictable) -> None:
        """Count this player's run from now on."""
        with self._lock:
            self._players.add(player)

    def add_store(self, store: Store) -> None:
        """Empty this store, before any run is touched, when memory is short."""
        self._stores.append(store)

    @property
    def nbytes(self) -> int:
        """Bytes that all runs hold; steps that two runs share are counted for both."""
        with self._lock:
            return sum(player.nbytes for player in self._players)

    @property
    def running(self) -> int:
        """How many runs are generating."""
        with self._lock:
            return sum(player.is_running for player in self._players)

    @property
    def short(self) -> int:
        """The bytes by which the runs exceed the budget, or the host falls short of its margin; negative if neither."""
        return max(self.nbytes - self._budget(), -self._spare())

    @property
    def bytes_per_run(self) -> int:
        """The bytes that each generating run may take."""
        with self._lock:
            generating = [player.nbytes for player in self._players if player.is_running]
            return max(0, sum(generating) - self.short) // max(1, len(generating))

    def make_room(self, keep: Evictable | None = None, needed: int = 0) -> int:
        """Empty stores, then squeeze and evict idle runs, until what is left fits, and so many bytes `needed` for more.

        A generating run is not touched, and that of `keep` is not evicted.

        Returns:
            The bytes that are still lacking.
        """
        with self._lock:
            self._sweep()
            freeing = self._free(keep, needed)
            while self.short + needed > 0 and (freed := next(freeing, None)) is not None:
                if freed:
                    trim_heap()
            return max(0, self.short + needed)

    def has_room_for_pass(self, config: GPT2Config, seq: int, keep: Evictable | None = None) -> bool:
        """Whether a pass over so many tokens fits, after room was made: all its captures are held for a moment."""
        return not self.make_room(keep, min(whole_bytes(config, max(1, seq)), trace_budget()))

    def tend(self, keep: Evictable) -> None:
        """Make room if it is some time ago that anybody did; `keep` is being looked at."""
        if time.monotonic() - self._tended_at > TEND_SECONDS:
            self._tended_at = time.monotonic()
            self.make_room(keep)

    def evict_runs_of(self, model: str) -> None:
        """Evict the idle runs that a model made, as it is unloaded: each of them holds the model's engine."""
        with self._lock:
            for player in self._players:
                player.evict_if_made_by(model)

    def _sweep(self) -> None:
        """Free ended visits, which reference cycles still hold, and holes in the heap, if it is time to."""
        if time.monotonic() - self._swept_at > SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            if self.short > 0:
                collect_garbage()
            trim_heap()

    def _free(self, keep: Evictable | None, needed: int) -> Iterator[int]:
        """Free memory bit by bit, what is missed least first; yield the bytes that were freed each time."""
        for store in self._stores:
            yield store.shrink(self.short + needed)
        by_view = sorted(self._players, key=lambda player: player.last_seen)
        for player in by_view:
            yield player.squeeze()
        for player in by_view:
            if player is not keep:
                while freed := player.evict():  # a tree of branches gives one at a time
                    yield freed


TRACES = Traces(lambda: limits().traces_bytes, spare_bytes)
