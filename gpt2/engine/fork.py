"""A run that goes on from a step of a recorded one: its keys and values are read from the trace, not recomputed."""

from dataclasses import replace
from typing import TYPE_CHECKING

from gpt2.errors import EngineError, GPT2Error
from gpt2.trace.trace import Trace

from .recompute import RecomputeCache
from .run import Run
from .shutdown import CALLS_IN_FLIGHT

if TYPE_CHECKING:
    from .passes import ForwardPasses


def fork_trace(engine: "ForwardPasses", trace: Trace, n_steps: int) -> Run:
    """A run that shares the first `n_steps` steps of a trace that this engine's weights made.

    A layer whose keys and values the trace has dropped is computed again from the stream that enters it. For a live run
    see `Run.fork`, which copies its cache.

    Raises:
        EngineError: if the trace is of a model of another shape.
        GPT2Error: if no step is kept: there would be nothing to go on from.
        TraceError: if the trace has fewer steps.
    """
    if trace.config != engine.config:
        raise EngineError("This run is of another model; type a prompt to start a run of your own.")
    if n_steps < 1:
        raise GPT2Error("A branch needs a step to begin at.")
    kept = trace.branch(n_steps)
    recomputer = kept.recomputer or RecomputeCache().recomputer(engine, kept)
    source = replace(kept, recomputer=recomputer)
    with CALLS_IN_FLIGHT:
        cache = engine.new_cache()
        cache.extend(
            *(
                [source[f"blocks.{layer}.attn.{name}"] for layer in range(engine.config.n_layer)]
                for name in ("hook_k", "hook_v")
            )
        )
    return Run.resumed(engine, replace(kept, recomputer=None), cache, kept.steps[0].interventions)
