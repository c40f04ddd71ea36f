"""A number as a sum: its terms with their factors, the largest of them, and what becomes of the sum.

What is not a sum by itself is one with something made of it: a norm is the root of a sum, an attention weight is
divided by one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .source_line import SourceLine, line_with

Floats = NDArray[np.float64]
LARGEST = 6


@dataclass(frozen=True)
class Term:
    """One term: its name, such as `x[3] · W[17, 3]`, its factors and their product."""

    name: str
    factors: tuple[float, ...]
    value: float


@dataclass(frozen=True)
class Terms:
    """Terms of one kind, each the product of its factors.

    Attributes: `name_of` is the name of a term by its place.
    Shapes: factors, each [term].
    """

    name_of: Callable[[int], str]
    factors: tuple[Floats, ...]

    @cached_property
    def values(self) -> Floats:
        """The products. Shapes: [term]."""
        return np.prod(self.factors, axis=0)

    def term(self, at: int) -> Term:
        """One of them."""
        return Term(self.name_of(at), tuple(float(factor[at]) for factor in self.factors), float(self.values[at]))

    def scaled(self, scale: float) -> "Terms":
        """The same, each with one factor more."""
        return self if scale == 1 else Terms(self.name_of, (*self.factors, np.full(len(self.values), scale)))


def single(name: str, value: float) -> Terms:
    """A term that is the only one of its kind."""
    return Terms(lambda _: name, (np.array([value], np.float64),))


@dataclass(frozen=True)
class Finish:
    """What becomes of a sum: `says` has `{}` where the sum stands."""

    says: str
    of: Callable[[float], float]


AS_IT_IS = Finish("{}", lambda total: total)
SQUARE_ROOT = Finish("√{}", math.sqrt)


def share(own: float) -> Finish:
    """The share of one term in the sum."""
    return Finish(f"{own:.6f} / {{}}", lambda total: own / total)


def divided(scale: float) -> Finish:
    """The sum by a number that is the same for a whole row."""
    return Finish(f"{{}} / {scale:.6f}", lambda total: total / scale)


@dataclass(frozen=True)
class Rule:
    """How a number is computed.

    Attributes:
        formula: in LaTeX.
        code: the lines that do it, each as its file and some of its code.
    """

    formula: str
    code: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> tuple[SourceLine, ...]:
        """The lines as they stand in the files."""
        return tuple(line_with(*code) for code in self.code)


@dataclass(frozen=True)
class Sum:
    """One number of a run, computed anew.

    Attributes:
        name: the number's name: a hook and an index, such as `blocks.2.attn.hook_q[5, 1, 3]`.
        captured: the number in the run.
        rule: how it is computed.
        where: what the letters in the formula and in the terms stand for, one a line.
        kinds: all terms, kind by kind.
        finish: what becomes of their sum.
    """

    name: str
    captured: float
    rule: Rule
    where: str
    kinds: tuple[Terms, ...]
    finish: Finish = AS_IT_IS

    @cached_property
    def values(self) -> Floats:
        """All terms. Shapes: [term]."""
        return np.concatenate([kind.values for kind in self.kinds])

    @property
    def total(self) -> float:
        """The sum."""
        return math.fsum(self.values)

    @property
    def result(self) -> float:
        """The number computed anew."""
        return self.finish.of(self.total)

    @property
    def error(self) -> float:
        """How far it is from the captured one."""
        return 0.0 if self.result == self.captured else abs(self.result - self.captured)

    def largest(self, count: int = LARGEST) -> list[Term]:
        """The terms of the largest size, whatever their sign, the largest first."""
        order = np.argsort(-np.abs(self.values), kind="stable")[:count]
        return [self._term(int(at)) for at in order]

    def rest(self, count: int = LARGEST) -> tuple[int, float]:
        """How many terms are left, and their sum."""
        order = np.argsort(-np.abs(self.values), kind="stable")[count:]
        return len(order), math.fsum(self.values[order])

    def _term(self, at: int) -> Term:
        for kind in self.kinds:
            if at < len(kind.values):
                return kind.term(at)
            at -= len(kind.values)
        raise IndexError(at)
