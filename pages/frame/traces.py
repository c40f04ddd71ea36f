"""The memory of all visitors' runs, kept in one budget: the runs that nobody has looked at for longest go first."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakSet

from .limits import limits
from .memory import give_back, sweep

if TYPE_CHECKING:
    from .player import Player

# Runs that follow each other leave holes in the heap, hundreds of MB with twenty visitors; closing them takes 0.1 s.
GIVE_BACK_SECONDS = 10


class Traces:
    """Knows every player for as long as its visit lasts, and no longer: it holds them weakly."""

    def __init__(self, budget: Callable[[], int]) -> None:
        """Begin with no visitor.

        Args:
            budget: the bytes that all runs together may take, asked for each time.
        """
        self._budget = budget
        self._players: WeakSet[Player] = WeakSet()
        self._lock = threading.Lock()
        self._given_back = time.monotonic()

    def add(self, player: "Player") -> None:
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
    def share(self) -> int:
        """The bytes that each run under way may take when memory is short."""
        return self._budget() // max(1, self.running)

    def make_room(self, keep: "Player | None" = None) -> int:
        """Let idle runs go, the one looked at longest ago first, until the rest fits the budget.

        A run under way is never let go, nor is that of `keep`.

        Returns:
            The bytes that are still too many.
        """
        now = time.monotonic()
        is_due = now - self._given_back > GIVE_BACK_SECONDS
        if is_due:
            self._given_back = now
            if self.nbytes > self._budget():
                sweep()  # visits that are over hold on to themselves: they go before any that is not
        with self._lock:
            freed, players = 0, list(self._players)
            over = sum(player.nbytes for player in players) - self._budget()
            for player in sorted(players, key=lambda player: player.looked_at):
                if freed >= over:
                    break
                if player is not keep:
                    freed += player.let_go()
        if is_due or freed:
            give_back()
        return max(0, over - freed)

    def let_go_of(self, model: str) -> None:
        """Let the idle runs that a model made go with it: each of them holds the engine that would go on with it."""
        with self._lock:
            for player in self._players:
                if player.trace.model == model and not player.is_recorded:
                    player.let_go()


TRACES = Traces(lambda: limits().traces_bytes)
