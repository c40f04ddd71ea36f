"""Several ways of doing the same work, timed in turn, so that other load on the machine affects all of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

# After a call, the threads of MAX and PyTorch go on spinning for a moment on the cores that the next call needs.
SETTLE_SECONDS = 0.05


@dataclass(frozen=True)
class Timing:
    """Median and minimum of measured times, in milliseconds."""

    median: float
    min: float

    @classmethod
    def of(cls, ms: Sequence[float]) -> "Timing":
        """Summarize at least one measurement."""
        return cls(round(median(ms), 4), round(min(ms), 4))

    def to_dict(self) -> dict[str, float]:
        """A dictionary for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Effort:
    """How often to measure: `repetitions` of each way, fewer once `seconds` have passed, but at least `least`."""

    warm_ups: int = 2
    repetitions: int = 30
    least: int = 5
    seconds: float = 40


THOROUGH = Effort()
QUICK = Effort(warm_ups=1, repetitions=3, least=2, seconds=5)


@dataclass(frozen=True)
class Way:
    """One way of doing the work: `work` is timed; `ready` runs right before it and is not."""

    work: Callable[[], object]
    ready: Callable[[], object] = lambda: None


def interleaved(ways: Mapping[str, Way], effort: Effort) -> dict[str, Timing]:
    """Time every way once a round, round after round."""
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-effort.warm_ups, effort.repetitions):
        if number == 0:
            since = time.monotonic()
        if number >= effort.least and time.monotonic() - since > effort.seconds:
            break
        for name, way in ways.items():
            way.ready()
            time.sleep(SETTLE_SECONDS)
            start = time.perf_counter()
            made = way.work()
            ms = (time.perf_counter() - start) * 1000
            del made  # after the clock stops: a user would keep the result
            if number >= 0:
                measured[name].append(ms)
    return {name: Timing.of(ms) for name, ms in measured.items()}
