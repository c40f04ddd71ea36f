"""The memory of all visitors in tests: a budget that changes, stand-ins for players and stores, and real players."""

from dataclasses import dataclass

from hypothesis import strategies as st

from gpt2.engine.engine import Engine
from gpt2.trace.trace import Trace
from pages.server.traces import Traces
from pages.visit.player import Player
from tests.players import SAMPLING, finish


@dataclass(eq=False)
class Stand:
    """As much of a player as the budget sees."""

    nbytes: int
    last_seen: float
    is_running: bool

    def squeeze(self) -> int:
        """Free nothing: all of it is needed."""
        return 0

    def evict(self) -> int:
        """Free all if it is idle."""
        freed = 0 if self.is_running else self.nbytes
        self.nbytes -= freed
        return freed

    def evict_if_made_by(self, model: str) -> int:
        """Free nothing: no model made it."""
        return 0


@dataclass
class Shelf:
    """As much of a store as the budget sees."""

    nbytes: int

    def shrink(self, nbytes: int) -> int:
        """Free so many bytes if there are."""
        freed = min(nbytes, self.nbytes)
        self.nbytes -= freed
        return freed


stands = st.builds(Stand, st.integers(0, 100), st.floats(0, 100), st.booleans())


class Budget:
    """Bytes that a test may change."""

    nbytes = 10**9

    def __call__(self) -> int:
        """The bytes as they are set now."""
        return self.nbytes


def played(engine: Engine, traces: Traces, trace: Trace, prompt: str, tokens: int = 6) -> Player:
    """A player whose run of so many tokens has ended."""
    player = Player(trace, "", traces)
    player.new(engine, prompt, SAMPLING, tokens, 0)
    finish(player)
    return player


def squeezed_bytes(*players: Player) -> int:
    """What these runs hold once they are squeezed, as they are now."""
    for player in players:
        player.squeeze()
    return sum(player.nbytes for player in players)
