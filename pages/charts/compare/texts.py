"""The texts of two runs, with the token at which they part, and what is compared at a step."""

import numpy as np
from numpy.typing import NDArray

from gpt2.experiments.trace_pair import TracePair
from pages.charts.branches.tree import marked_text
from pages.look.tokens import spoken, spoken_at

TITLE = "The two texts"


def texts_of(pair: TracePair) -> tuple[str, str]:
    """Both texts; the first token that differs is marked in each."""
    one, other = (
        marked_text(trace.ids, len(trace.ids) if pair.parted_at is None else pair.parted_at, trace.vocabulary)
        for trace in pair.both
    )
    return one, other


def texts_sentence(pair: TracePair, choices: NDArray[np.intp]) -> str:
    """Where the texts part, or on one text the first choices, and by which tokens. Shapes: choices [2, step]."""
    place = pair.parted_at
    if pair.has_one_text:
        return f"Both read the same text, so each step compares them on one text. {_choices_sentence(pair, choices)}"
    if place is None:
        return "One text is the beginning of the other."
    one, other = (spoken(trace.vocabulary.label(trace.ids[place])) for trace in pair.both)
    return f"The texts part at position {place}: the first has {one} there, the second {other}."


def _choices_sentence(pair: TracePair, choices: NDArray[np.intp]) -> str:
    """At how many steps the likeliest next tokens differ, and at which first."""
    apart = np.flatnonzero(choices[0] != choices[1])
    if not len(apart):
        return "Their likeliest next tokens are the same at every step."
    one, other = (spoken(pair.first.vocabulary.label(int(row[apart[0]]))) for row in choices)
    return (
        f"Their likeliest next tokens differ at {len(apart)} of {choices.shape[1]} steps, first at step {apart[0]}: "
        f"{one} and {other}."
    )


def step_sentence(pair: TracePair, step: int, on_stage: int, is_growing: bool = False) -> str:
    """Which step of both is shown, and what each has read; the second may still be made."""
    first, second = (trace.cut(step + 1) for trace in pair.both)
    verb = "has not reached" if is_growing else "ends before"
    ends = "" if step == on_stage else f"The second run {verb} step {on_stage}, so its last is shown. "
    if pair.has_one_text:
        return f"{ends}Step {step}: both have read {first.seq} tokens, the newest is {spoken_at(first, -1)}."
    return (
        f"{ends}Step {step} of both: the first has read {first.seq} tokens up to {spoken_at(first, -1)}, the second "
        f"{second.seq} up to {spoken_at(second, -1)}. The same step is compared, not the same text."
    )
