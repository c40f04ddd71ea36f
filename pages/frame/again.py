"""What long runs let go, computed again where the model is loaded: one bounded store for all visitors."""

from dataclasses import replace
from typing import TYPE_CHECKING

from gpt2.captures import WHOLE
from gpt2.recompute import Recomputed
from gpt2.trace import Trace

if TYPE_CHECKING:
    from gpt2.engine import Engine

RECOMPUTED = Recomputed()


def with_source(trace: Trace, engine: "Engine | None") -> Trace:
    """The same run, able to compute again what it let go; as it is where nothing was, or no engine is loaded."""
    if engine is None or all(step.kept.level == WHOLE for step in trace.steps):
        return trace
    return replace(trace, source=RECOMPUTED.source(engine, trace))
