"""The time of a token, one number in one set of words: for the stage's header and for the Cost page."""

from dataclasses import dataclass
from statistics import median

from gpt2.trace.step import Step
from gpt2.trace.trace import Trace
from pages.look.numbers import milliseconds

# The parts of a step's milliseconds, from the bottom of a bar up; the last is the only one that other runs cause.
NAMES = {
    "model": "model",
    "capture": "capture",
    "lens": "logit lens",
    "sampling": "sampling",
    "storing": "storing",
    "waiting": "waiting",
}
ALL_PARTS = f"{', '.join([*NAMES.values()][:-1])} and {[*NAMES.values()][-1]}"


def is_split(run: Trace) -> bool:
    """Whether every step of the run stores the parts of its milliseconds."""
    return all(step.timing is not None for step in run.steps)


def total_ms(step: Step, split: bool = True) -> float:
    """The milliseconds of the whole step; those of its forward pass alone if the run is not split."""
    return step.ms if step.timing is None or not split else step.timing.total


@dataclass(frozen=True)
class TokenTime:
    """The median milliseconds of the steps that read one token.

    Attributes:
        steps: how many these are; the prompt's step is none of them.
        is_whole: whether all parts of a step are counted; else its forward pass alone, as the run stores no others.
    """

    ms: float
    steps: int
    is_whole: bool

    @staticmethod
    def of(run: Trace) -> "TokenTime | None":
        """The time of a token of this run; None until it has read one after the prompt."""
        steps, split = run.steps[1:], is_split(run)
        return TokenTime(median(total_ms(step, split) for step in steps), len(steps), split) if steps else None

    @property
    def unit(self) -> str:
        """What the number is for, where only a word fits: 15.3 ms/token, 12.8 ms/forward pass."""
        return "token" if self.is_whole else "forward pass"

    @property
    def basis(self) -> str:
        """What the number is: 'median of 39 whole steps'."""
        what = "whole step" if self.is_whole else "forward pass"
        plural = "whole steps" if self.is_whole else "forward passes"
        return f"one {what}" if self.steps == 1 else f"median of {self.steps:,} {plural}"

    @property
    def sentence(self) -> str:
        """The number, what it is, and what it includes."""
        if self.is_whole:
            return f"A token takes {milliseconds(self.ms)} ({self.basis}: {ALL_PARTS})."
        return f"A forward pass took {milliseconds(self.ms)} ({self.basis}); the run stores no other times."
