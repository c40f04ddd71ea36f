"""The forward passes of an experiment, each in its turn at the engine; of each only what is asked for is kept."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt2.engine.finite import check_model
from gpt2.engine.long_prompt import read_prompt
from gpt2.engine.recompute import RecomputeCache
from gpt2.engine.settings import trace_budget
from gpt2.engine.shutdown import CALLS_IN_FLIGHT
from gpt2.engine.turns import Turn
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling, draw
from gpt2.trace.trace import Trace

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

Array = NDArray[np.float32]
Prompt = str | Sequence[int]
# What a pass may hold of which next to nothing is kept: a longer text is read layer by layer. All captures of the
# bundled model's whole context take 162 MB, more than a small host has to spare.
PASS_BYTES = 64_000_000


@dataclass(frozen=True, eq=False)
class Read:
    """What is kept of a pass over given tokens.

    Shapes: top [seq, d_model], the stream after the last block; logits [vocab], after the newest token.
    """

    top: Array
    logits: Array


def read(
    engine: "Engine",
    ids: Sequence[int],
    interventions: Interventions | None = None,
    stop: threading.Event | None = None,
    n_prompt: int | None = None,
) -> Read:
    """One pass over given tokens, of which the first `n_prompt` (all, unless given) are the prompt.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        SettingsError: if the interventions do not fit the model or the tokens.
        EngineError: if the pass overflowed.
    """
    config, n = engine.config, len(ids)
    limit = n if n_prompt is None else config.n_positions
    changes = (interventions or Interventions()).resolved(config, n_prompt or n, limit)
    # The captures, which may be MAX's memory, are freed before this block ends.
    with CALLS_IN_FLIGHT, Turn(engine.turns, stop):
        return _read(engine, ids, changes)


def pass_bytes() -> int:
    """What a pass may hold, within what the host allows a run."""
    return min(PASS_BYTES, trace_budget())


def _read(engine: "Engine", ids: Sequence[int], changes: Interventions) -> Read:
    output, _ = read_prompt(engine, ids, changes, engine.new_cache(), pass_bytes())
    check_model(output.captures, engine.config.n_layer, changes)
    top = output.captures[f"blocks.{engine.config.n_layer - 1}.hook_resid_post"]
    return Read(np.array(top), np.array(output.captures["logits"][-1]))


def observe(engine: "Engine", prompt: Prompt, stop: threading.Event | None = None) -> Trace:
    """The trace of one pass over a prompt, as `Engine.run` gives it; it can be withdrawn.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        PromptError: if the prompt cannot be run.
    """
    run = engine.start(prompt, within_prompt=True)
    run.advance(None, stop)
    return replace(run.trace, recomputer=RecomputeCache().recomputer(engine, run.trace))


def continuation(
    engine: "Engine",
    ids: Sequence[int],
    interventions: Interventions,
    samplings: Sequence[Sampling],
    stop: threading.Event | None = None,
) -> Iterator[int]:
    """Continue a prompt under interventions, a token for each of the settings; it ends early where the text ends.

    It holds the KV cache and nothing else of the run.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        EngineError: if a pass overflowed.
    """
    cache, config = engine.new_cache(), engine.config
    changes = interventions.resolved(config, len(ids), config.n_positions)
    newest: int | None = None
    for sampling in samplings:
        if cache.length >= config.n_positions:
            return
        with CALLS_IN_FLIGHT, Turn(engine.turns, stop):
            if newest is None:
                output, _ = read_prompt(engine, ids, changes, cache, pass_bytes())
            else:
                output = engine.decode(newest, changes, cache)
            check_model(output.captures, config.n_layer, changes)
            newest = draw(output.captures["logits"][-1], sampling, cache.length).token
            del output
        yield newest
        if newest in engine.checkpoint.end_of_text:
            return
