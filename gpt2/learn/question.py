"""A question about a run's own numbers: the options, the right one with its number, and why.

Every lesson asks two or three. Nothing in them is written down beforehand: a lesson's functions compute the answer from
the trace and the weights, and ask nothing where the run has no clear answer.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt2.trace.trace import Trace

if TYPE_CHECKING:
    from gpt2.checkpoints.weights import Checkpoint

# A number that is this near to the largest one, as a share of it, is no wrong answer, and is not offered.
NEAR = 0.03
MOST_OPTIONS = 4


@dataclass(frozen=True)
class Question:
    """One question, and all that is said about it.

    Attributes:
        name: tells it from the others of its lesson.
        ask: the question; it names the token, the head and the layer that it is about.
        options: two to four texts, all different.
        right: the one of them that is right.
        answer: the right answer in a sentence, with its numbers from the run.
        why: what the reader can learn from it, right or wrong.

    Raises:
        ValueError: if the right answer is not offered, or two options read alike.
    """

    name: str
    ask: str
    options: tuple[str, ...]
    right: str
    answer: str
    why: str

    def __post_init__(self) -> None:
        """Refuse a question that nobody could answer."""
        if self.right not in self.options or len(set(self.options)) != len(self.options) or len(self.options) < 2:
            raise ValueError(f"{self.name}: {self.right!r} must be one of two or more different options {self.options}")


# Makes a question from a run, a model and a layer; None if the run has no clear answer.
Asking = Callable[[Trace, "Checkpoint", int], Question | None]


def ask_all(asking: Iterable[Asking], trace: Trace, checkpoint: "Checkpoint", layer: int) -> list[Question]:
    """The questions that this run has a clear answer to.

    Raises:
        TraceError: if a hook that one of them needs was dropped and cannot be recomputed.
    """
    made = (ask(trace, checkpoint, layer) for ask in asking)
    return [question for question in made if question is not None]


@dataclass(frozen=True)
class Contest:
    """Some of many values, the largest of them by a clear margin, in the order in which they stood.

    Attributes: `places` are the indices of those that are offered, `best` that of the largest.
    """

    places: tuple[int, ...]
    best: int

    @classmethod
    def of(cls, values: Sequence[float], near: float = NEAR) -> "Contest | None":
        """The largest value and up to three clearly smaller ones; None if there are none.

        Of those that are smaller the largest is offered, since it is the best wrong answer, and others spread below.
        """
        order = sorted(range(len(values)), key=lambda at: -values[at])
        if not order or not all(map(math.isfinite, values)):
            return None
        best = order[0]
        limit = values[best] - near * max(abs(values[best]), 1e-6)
        others = [at for at in order if values[at] < limit]
        count = min(MOST_OPTIONS - 1, len(others))
        if not count:
            return None
        steps = max(1, count - 1)
        chosen = {others[step * (len(others) - 1) // steps] for step in range(count)}
        return cls(tuple(sorted((best, *chosen))), best)


def of_numbers(name: str, ask: str, right: str, wrong: Iterable[str], answer: str, why: str) -> Question | None:
    """A question whose options are numbers as they are written, smallest first.

    A wrong number that reads as the right one is left out; None if no other is left.
    """
    options = list(dict.fromkeys((right, *wrong)))[:MOST_OPTIONS]
    if len(options) < 2:
        return None
    return Question(name, ask, tuple(sorted(options, key=size_of)), right, answer, why)


def of_contest(
    name: str, ask: str, contest: Contest | None, labels: Mapping[int, str], answer: Callable[[int], str], why: str
) -> Question | None:
    """A question whose options are the places of a contest; `answer` makes the sentence from the best one."""
    if contest is None:
        return None
    options = tuple(labels[at] for at in contest.places)
    return Question(name, ask, options, labels[contest.best], answer(contest.best), why)


def size_of(text: str) -> float:
    """The number that a text begins with, to sort by; words come first."""
    digits = text.replace(",", "").replace("\N{MINUS SIGN}", "-").split("\N{NARROW NO-BREAK SPACE}")[0].split(" ")[0]
    try:
        return float(digits)
    except ValueError:
        return -math.inf
