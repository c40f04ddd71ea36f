"""The memory of all visitors' runs, within one budget: the run that was viewed longest ago is evicted first."""

import threading
import time
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

from .limits import limits
from .memory import collect_garbage, trim_heap

# Successive runs fragment the heap, by hundreds of MB with twenty visitors; trimming it takes 0.1 s.
TRIM_SECONDS = 10


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

    def evict(self) -> int:
        """Free the run's captures if it is idle; return the bytes that were freed."""

    def evict_if_made_by(self, model: str) -> int:
        """The same, but only if this model made the run and would continue it."""


class Traces:
    """The runs of all visits, referenced weakly: a run counts for as long as its visit lasts."""

    def __init__(self, budget: Callable[[], int]) -> None:
        """Begin without visitors.

        Args:
            budget: the bytes that all runs together may take, called each time.
        """
        self._budget = budget
        self._players: WeakSet[Evictable] = WeakSet()
        self._lock = threading.Lock()
        self._trimmed_at = time.monotonic()

    def add(self, player: Evictable) -> None:
        """Count this player's run in the budget from now on."""
        with self._lock:
            self._players.add(player)

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
    def bytes_per_run(self) -> int:
        """The bytes that each generating run may take when memory is short."""
        return self._budget() // max(1, self.running)

    def make_room(self, keep: Evictable | None = None) -> int:
        """Evict idle runs, the one viewed longest ago first, until the rest fits the budget.

        A generating run is never evicted, nor is that of `keep`.

        Returns:
            The bytes by which the rest still exceeds the budget.
        """
        now = time.monotonic()
        is_due = now - self._trimmed_at > TRIM_SECONDS
        if is_due:
            self._trimmed_at = now
            if self.nbytes > self._budget():
                collect_garbage()  # frees the runs of ended visits first, which reference cycles still hold
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
        """Evict the idle runs that a model made, as it is unloaded: each of them holds the model's engine."""
        with self._lock:
            for player in self._players:
                player.evict_if_made_by(model)


TRACES = Traces(lambda: limits().traces_bytes)
