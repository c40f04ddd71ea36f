"""How many bytes a run's trace may hold, and what is let go where it would hold more: the oldest steps first."""

import os
from dataclasses import replace

from gpt2.errors import SettingsError

from .captures import Level
from .trace import Trace

TRACE_MB = 256


def trace_budget() -> int:
    """Bytes that one run may hold: `GPT2_TRACE_MB` million, or 256 million.

    Raises:
        SettingsError: if `GPT2_TRACE_MB` is not a positive number.
    """
    told = os.environ.get("GPT2_TRACE_MB", "")
    try:
        megabytes = float(told or TRACE_MB)
    except ValueError:
        megabytes = 0
    if not 0 < megabytes < 1e12:
        raise SettingsError(f"GPT2_TRACE_MB must be a positive number of megabytes, not {told!r}.")
    return int(megabytes * 1e6)


def fit(trace: Trace, budget: int) -> Trace:
    """The same run, squeezed until it holds no more than `budget` bytes, or nothing more can be let go.

    From the oldest step on, each is squeezed to the next level, the newest last; only when all are is the next level
    begun. The newest step keeps its logits, from which the next token is drawn. Every step is squeezed once a level,
    so the cost of a token stays the same however long the run is. The trace given stays as it is.
    """
    held = trace.nbytes
    if held <= budget:
        return trace
    steps = list(trace.steps)
    for level in list(Level)[1:]:
        for index, step in enumerate(steps):
            if held <= budget:
                break
            squeezed = step.squeezed(level)
            if index == len(steps) - 1 and "logits" in step.captures and level >= Level.NO_LOGITS:
                squeezed = step if level == Level.NO_LOGITS else squeezed.with_logits(step.logits)
            held += squeezed.nbytes - step.nbytes
            steps[index] = squeezed
    return replace(trace, steps=tuple(steps))
