"""The milliseconds of a step, part by part.

A run times each step with a clock. Code names the part that it does with `timed`, and needs no clock passed to it:
`with timed("model"):`, or `@timed("lens")` on a whole function. Without a clock, `timed` does nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """The milliseconds of one step, part by part; together they are all that the step took.

    Attributes:
        waiting: for its turn, while the engine was busy with other runs' passes.
        model: in the compiled graphs, which give the logits of the logit lens too.
        capture: laying inputs out, making arrays of the graph's outputs, and putting keys and values into the cache.
        lens: finding the likeliest tokens of each layer in the logit lens.
        sampling: drawing the next token, and summarising its distribution.
        storing: adding the step to the trace, and squeezing older steps if the budget asks for it.
    """

    waiting: float = 0.0
    model: float = 0.0
    capture: float = 0.0
    lens: float = 0.0
    sampling: float = 0.0
    storing: float = 0.0

    @property
    def forward(self) -> float:
        """The forward pass, which is a step's `ms`: the model, and the capture of its outputs."""
        return self.model + self.capture

    @property
    def total(self) -> float:
        """The whole step, all parts together."""
        return self.forward + self.lens + self.sampling + self.storing + self.waiting


class Clock:
    """Times one step of one run, from entering the `with` block to `timing`; other threads have clocks of their own.

    Every moment is counted once, under the innermost part that is named at that moment, or under storing if none is.
    It costs about a microsecond a part.
    """

    def __init__(self) -> None:
        """Prepare; time runs from entering the block."""
        self._milliseconds: dict[str, float] = {}
        self._part, self._since = "storing", time.perf_counter()

    def __enter__(self) -> "Clock":
        """Start, and be the clock of this thread until the block is left."""
        self._since = time.perf_counter()
        self._token = _clock.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the thread back the clock that it had before, if any."""
        _clock.reset(self._token)

    def switch(self, part: str) -> str:
        """Count the time from now on under `part`, an attribute of `Timing`; return the part until now."""
        now = time.perf_counter()
        until_now, self._part = self._part, part
        self._milliseconds[until_now] = self._milliseconds.get(until_now, 0.0) + (now - self._since) * 1000
        self._since = now
        return until_now

    @property
    def timing(self) -> Timing:
        """All parts up to now."""
        self.switch(self._part)
        return Timing(**self._milliseconds)


_clock: ContextVar[Clock | None] = ContextVar("clock", default=None)


@contextmanager
def timed(part: str) -> Iterator[None]:
    """Count the time inside under `part`, an attribute of `Timing`, if this thread has a clock."""
    clock = _clock.get()
    if clock is None:
        yield
        return
    outer = clock.switch(part)
    try:
        yield
    finally:
        clock.switch(outer)
