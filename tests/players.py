"""Players in tests: the usual settings, the end of a run waited for, its text made alone, a run evicted."""

import time

from gpt2.engine.engine import Engine
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from pages.visit.player import Player
from pages.visit.visit import Visit

SAMPLING = Sampling(0.8, 0, 0.95, 1)
GREEDY = Sampling(temperature=0)


def finish(player: Player, seconds: float = 60) -> Trace:
    """The run on the stage, once it has ended."""
    until = time.monotonic() + seconds
    while player.is_running:
        assert time.monotonic() < until, "the run does not end"
        time.sleep(0.01)
    return player.trace


def wait_for_steps(player: Player, steps: int, seconds: float = 60) -> None:
    """Return once the run under way has so many steps."""
    until = time.monotonic() + seconds
    while player.is_starting or len(player.trace.steps) < steps:
        assert player.is_running and time.monotonic() < until, "the run does not come so far"
        time.sleep(0.01)


def wait(visit: Visit) -> None:
    """Return once the visit's run has ended."""
    finish(visit.player)


def alone(
    engine: Engine, prompt: str, tokens: int, sampling: Sampling = SAMPLING, ignore_eos: bool = False
) -> tuple[int, ...]:
    """The tokens that the engine draws after a prompt when nobody else is there."""
    return tuple(step.draw.token for step in engine.generate(prompt, tokens, sampling, ignore_eos=ignore_eos))


def evict(player: Player) -> Trace:
    """Evict the run on the stage; the run as it was before."""
    before = player.trace
    assert player.evict() > 0
    assert not player.trace.steps
    return before
