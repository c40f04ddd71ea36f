"""One memory budget for all visitors' runs: the idle run that was looked at longest ago is evicted first."""

import threading
import time
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

from .limits import limits
from .memory import collect_garbage, trim_heap

# Runs leave holes in the heap, hundreds of MB with twenty visitors; returning them to the system takes 0.1 s.
TRIM_SECONDS = 10


class Evictable(Protocol):
    """The run on one visitor's stage, seen as memory that can be freed."""

    @property
    def nbytes(self) -> int:
        """Bytes that the run holds."""

    @property
    def is_running(self) -> bool:
        """Whether tokens are being generated."""

    @property
    def last_seen(self) -> float:
        """When the visitor last looked at it, in seconds of `time.monotonic`."""

    def evict(self) -> int:
        """Free the run's captures if it is idle; return the bytes that were freed."""

    def evict_if_made_by(self, model: str) -> int:
        """The same, only for a run that this model made and would continue."""


class Traces:
    """The runs of all visits, in weak references: a run is counted for as long as its visit lasts."""

    def __init__(self, budget: Callable[[], int]) -> None:
        """Start without visitors.

        Args:
            budget: returns the bytes that all runs together may take; called at each use.
        """
        self._budget = budget
        self._players: WeakSet[Evictable] = WeakSet()
        self._lock = threading.Lock()
        self._given_back = time.monotonic()

    def add(self, player: Evictable) -> None:
        """Count this player's run from now on."""
        with self._lock:
            self._players.add(player)

    @property
    def nbytes(self) -> int:
        """Bytes that all runs hold; steps that two runs share are counted for both."""
        with self._lock:
            return sum(player.nbytes for player in self._players)

    @property
    def running(self) -> int:
        """How many runs are under way."""
        with self._lock:
            return sum(player.is_running for player in self._players)

    @property
    def bytes_per_run(self) -> int:
        """The bytes that each run under way may take when memory is short."""
        return self._budget() // max(1, self.running)

    def make_room(self, keep: Evictable | None = None) -> int:
        """Evict idle runs, the one looked at longest ago first, until the rest fits the budget.

        A run under way is never evicted, nor is that of `keep`.

        Returns:
            The bytes by which the runs still exceed the budget.
        """
        now = time.monotonic()
        is_due = now - self._given_back > TRIM_SECONDS
        if is_due:
            self._given_back = now
            if self.nbytes > self._budget():
                collect_garbage()  # ended visits are reference cycles: free them before evicting any other
        with self._lock:
            freed, players = 0, list(self._players)
            over = sum(player.nbytes for player in players) - self._budget()
            for player in sorted(players, key=lambda player: player.last_seen):
                if freed >= over:
                    break
                if player is not keep:
                    freed += player.evict()
        if is_due or freed:
            trim_heap()
        return max(0, over - freed)

    def evict_runs_of(self, model: str) -> None:
        """Evict the idle runs that a model made when it is unloaded: each of them holds its engine."""
        with self._lock:
            for player in self._players:
                player.evict_if_made_by(model)


TRACES = Traces(lambda: limits().traces_bytes)
