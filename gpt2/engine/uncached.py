"""The cost of a token without the KV cache: a timed pass over all tokens up to it."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt2.model.interventions import Interventions
from gpt2.trace.timing import Clock, timed

from .long_prompt import read_prompt
from .settings import trace_budget
from .shutdown import CALLS_IN_FLIGHT
from .turns import Turn

if TYPE_CHECKING:
    from .passes import ForwardPasses

# A run is measured at 5 lengths, evenly spread, 3 times each; beyond `LONG` tokens, where a pass takes seconds, once.
LENGTHS, ROUNDS, LONG = 5, 3, 500


@dataclass(frozen=True)
class Rerun:
    """One pass over the first `tokens` tokens, and its milliseconds: model and capture, as a step's `ms`."""

    tokens: int
    ms: float


def plan(seq: int) -> list[int]:
    """The lengths of all passes that are timed, round after round, so that a busy moment affects all of them."""
    lengths = sorted({max(1, round(seq * part / LENGTHS)) for part in range(1, LENGTHS + 1)} if seq else ())
    return [tokens for number in range(ROUNDS) for tokens in lengths if not number or tokens <= LONG]


def rerun(
    engine: "ForwardPasses", ids: Sequence[int], interventions: Interventions, stop: threading.Event
) -> Iterator[Rerun]:
    """Time the passes of `plan`, each in its own turn at the engine; nothing of a pass is kept.

    A prompt that exceeds the memory budget of a run is read layer by layer here too.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        SettingsError: if the budget cannot be read.
    """
    lengths, budget = plan(len(ids)), trace_budget()
    for index, tokens in enumerate([*lengths[:1], *lengths]):
        # The captures of the pass and its cache, which may be MAX's memory, are freed before this block ends.
        with CALLS_IN_FLIGHT, Turn(engine.turns, stop), Clock() as clock, timed("capture"):
            read_prompt(engine, ids[:tokens], interventions, engine.new_cache(), budget)
        if index:  # the first pass only warms up
            yield Rerun(tokens, clock.timing.forward)
