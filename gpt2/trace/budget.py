"""Squeezing a run into a number of bytes: the oldest steps first."""

from dataclasses import replace

from .captures import Level
from .trace import Trace


def squeeze_to_fit(trace: Trace, budget: int) -> Trace:
    """The same run, squeezed until it holds no more than `budget` bytes, or nothing more can be dropped.

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
