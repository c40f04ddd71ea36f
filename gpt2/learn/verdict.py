"""Comparing what a source computed with what it should have: where, by how much, and what that looks like."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .lesson import Array, Failure, Lesson
from .reasons import IN_WORDS

# Of the largest value: a sum in another order differs by a hundredth of this, the exact GELU by ten times as much.
TOLERANCE = 2e-5
MOST_DRAWN = 4096


@dataclass(frozen=True)
class Verdict:
    """What is told of one try.

    Attributes:
        passed: whether all outputs are right.
        says: one sentence: what is right, or what is wrong and what to do.
        why: the explanation of the mistake that was recognised; empty if none was.
        line: the line of the reader's file that it is about, if that is known.
        details: further facts, a sentence each.
        pair: the reader's numbers and the right ones, to be drawn side by side: nested lists; empty if there are none.
    """

    passed: bool
    says: str
    why: str = ""
    line: int | None = None
    details: tuple[str, ...] = field(default=())
    pair: tuple[Any, ...] = field(default=(), repr=False)


def equal(found: Array, expected: Array) -> bool:
    """Whether two outputs agree: infinities in the same places, and numbers within the tolerance."""
    if is_of_another_kind(found, expected):
        return False
    return bool(np.all(np.abs(difference(found, expected)) <= TOLERANCE * scale_of(expected)))


def all_equal(found: Sequence[Sequence[Array]], expected: Sequence[Sequence[Array]]) -> bool:
    """Whether all outputs of all cases agree."""
    return all(
        len(own) == len(right) and all(map(equal, own, right)) for own, right in zip(found, expected, strict=True)
    )


def difference(found: Array, expected: Array) -> Array:
    """How far each number is off: 0 where both are one infinity or no number, infinite where only one of them is."""
    own, right = found.astype(np.float64), expected.astype(np.float64)
    with np.errstate(all="ignore"):
        off = own - right
    off[(own == right) | (np.isnan(own) & np.isnan(right))] = 0
    return np.where(np.isnan(off), np.inf, off)


def scale_of(expected: Array) -> float:
    """The size that differences are measured against: the largest finite value; 0 for whole numbers: they are equal."""
    if expected.dtype.kind not in "fc":
        return 0.0
    finite = expected[np.isfinite(expected)]
    return max(1e-3, float(np.abs(finite).max())) if finite.size else 1.0


def describe(label: str, found: Array, expected: Array) -> tuple[str, tuple[str, ...]]:
    """A sentence on the first wrong output, and what can be said about how it is wrong."""
    if found.dtype != expected.dtype:
        return f"For {label} the output is {found.dtype}; it should be {expected.dtype}.", ()
    if found.shape != expected.shape:
        return f"For {label} the output has the shape {list(found.shape)}; it should be {list(expected.shape)}.", ()
    off = np.abs(difference(found, expected))
    at = tuple(int(index) for index in np.unravel_index(int(np.argmax(off)), off.shape))
    wrong = int((off > TOLERANCE * scale_of(expected)).sum())
    says = (
        f"For {label}, {wrong} of {off.size} numbers are wrong; the worst, at {list(at)}, is {found[at]:.6g} where "
        f"{expected[at]:.6g} is right."
    )
    with np.errstate(all="ignore"):
        return says, tuple(signs(found, expected))


def signs(found: Array, expected: Array) -> list[str]:
    """What is known of a wrong output of the right shape: how its numbers relate to the right ones."""
    told, size = [], scale_of(expected)
    found, expected = (np.atleast_1d(array).astype(np.float64) for array in (found, expected))
    instead = found[np.isneginf(expected)]
    if instead.size and np.isfinite(instead).all() and instead.max() < 0:
        return [f"Where minus infinity is right stands a number, {instead.min():.6g}: it only nearly forbids."]
    if not np.isfinite(found).all() and np.isfinite(expected).all():
        return ["Some numbers are not finite: something was divided by 0, or a whole row was masked."]
    if not (np.isfinite(found).all() and np.isfinite(expected).all()):
        return []
    factor = float((found * expected).sum() / max((expected * expected).sum(), 1e-30))
    if factor and np.abs(found - factor * expected).max() <= TOLERANCE * size * max(1, abs(factor)):
        told.append(f"All numbers are {factor:.6g} times the right ones.")
    shift = float((found - expected).mean())
    if np.abs(found - expected - shift).max() <= TOLERANCE * size:
        told.append(f"All numbers are {shift:+.6g} away from the right ones.")
    if not told and np.allclose(np.sort(found, axis=None), np.sort(expected, axis=None), rtol=0, atol=TOLERANCE * size):
        told.append("The numbers are the right ones, in another order.")
    rows = np.abs(found - expected).reshape(len(found), -1).max(axis=1) > TOLERANCE * size
    if rows.any() and not rows.all():
        n_right = int((~rows).sum())
        told.append(f"Row {int(np.argmax(rows))} is the first wrong one; {n_right} of {len(rows)} are right.")
    return told


def pair_of(found: Array, expected: Array) -> tuple[Any, ...]:
    """Two outputs to be drawn side by side; none if they are no maps of moderate size."""
    both = found, expected
    if all(one.ndim in (2, 3) and one.size <= MOST_DRAWN and one.dtype.kind in "fiub" for one in both):
        return found.tolist(), expected.tolist()
    return ()


def right(lesson: Lesson, found: Sequence[Sequence[Array]], expected: Sequence[Sequence[Array]]) -> Verdict:
    """The verdict on a source whose outputs are all right."""
    says = f"Right: {lesson.defines} gives the project's own numbers in all {len(expected)} cases."
    return Verdict(True, says, pair=pair_of(found[0][0], expected[0][0]))


def wrong(
    lesson: Lesson,
    labels: Sequence[str],
    found: Sequence[Sequence[Array]],
    expected: Sequence[Sequence[Array]],
    why: str,
    line: int | None = None,
) -> Verdict:
    """The verdict on a source that ran and gave something else, with the explanation if the mistake is a known one.

    `line` is the one that made the first wrong output.
    """
    at = first_wrong(found, expected)
    says, details = describe(labels[at], found[at][0], expected[at][0])
    are_right = [all_equal([own], [true]) for own, true in zip(found, expected, strict=True)]
    if any(are_right):
        good = [label for label, is_right in zip(labels, are_right, strict=True) if is_right]
        said = " and ".join(good) if len(good) < 4 else f"{len(good)} of {len(labels)} cases"
        details = (*details, f"It is right for {said}.")
    return Verdict(False, on_line(line, says), why, line, details, pair_of(found[at][0], expected[at][0]))


def first_wrong(found: Sequence[Sequence[Array]], expected: Sequence[Sequence[Array]]) -> int:
    """The first case whose outputs are not all right."""
    return next(at for at, own in enumerate(found) if not all_equal([own], [expected[at]]))


def is_of_another_kind(found: Array, expected: Array) -> bool:
    """Whether an output has another shape or type than it should, so that its numbers cannot even be compared."""
    return found.shape != expected.shape or found.dtype != expected.dtype


def on_line(line: int | None, says: str) -> str:
    """A sentence with its line before it, if that is known."""
    return f"Line {line}: {says[0].lower()}{says[1:]}" if line else says


def stopped(failure: Failure, lesson: Lesson) -> Verdict:
    """The verdict on a source that did not run."""
    where = f"Line {failure.line}: " if failure.line else ""
    if failure.kind in ("WrongKind", "WrongType"):
        return Verdict(False, on_line(failure.line, failure.says), line=failure.line)
    if failure.kind == "SyntaxError":
        return Verdict(False, f"{where}Python cannot read this: {failure.says}.", line=failure.line)
    if failure.kind == IN_WORDS:
        return Verdict(False, f"{where}{lesson.defines} {failure.says}", line=failure.line)
    if failure.kind == "SystemExit":
        return Verdict(False, f"{where}the file ends the program itself; a component only computes.", line=failure.line)
    return Verdict(False, f"{where}{lesson.defines} stopped with {failure.kind}: {failure.says}", line=failure.line)


def untouched(lines: Sequence[int]) -> Verdict:
    """The verdict on a source that still has blanks."""
    named = ", ".join(map(str, lines))
    says = f"Line{'s' * (len(lines) > 1)} {named} still {'have' if len(lines) > 1 else 'has'} `...`: put code there."
    return Verdict(False, says, line=lines[0])
