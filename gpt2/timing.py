"""Where the milliseconds of a step go: a clock that follows one step from part to part, and what it showed."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """The milliseconds of one step by what they were spent on; together they are all that the step took.

    Attributes:
        waiting: for its turn, while the engine was at other runs' passes.
        model: in the compiled graphs.
        capture: laying inputs out, making arrays of the graph's outputs, and putting keys and values into the cache.
        lens: reading the logit lens at the newest position.
        sampling: drawing the next token, and what is noted of its distribution.
        keeping: adding the step to the trace, and squeezing older steps where the budget asks for it.
    """

    waiting: float = 0.0
    model: float = 0.0
    capture: float = 0.0
    lens: float = 0.0
    sampling: float = 0.0
    keeping: float = 0.0

    @property
    def forward(self) -> float:
        """The forward pass as a step's `ms` tells it: the model, and the capture of what it gave."""
        return self.model + self.capture


class Clock:
    """Follows one step of one run; it is passed along, so that runs in other threads have their own.

    It costs less than a microsecond a part. Without gaps: whatever passes between two calls belongs to a part.
    """

    def __init__(self) -> None:
        """Start."""
        self._spent: dict[str, float] = {}
        self._since = time.perf_counter()

    def spent(self, part: str) -> None:
        """What has passed since the last call was spent on `part`, an attribute of `Timing`."""
        now = time.perf_counter()
        self._spent[part] = self._spent.get(part, 0.0) + (now - self._since) * 1000
        self._since = now

    @property
    def timing(self) -> Timing:
        """All parts so far."""
        return Timing(**self._spent)
