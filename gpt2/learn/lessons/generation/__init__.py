"""Lesson 12, choosing the next token: its blanks, the mistakes that people make, and what it is tried on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gpt2.learn.lesson import Array, Blank, Case, Lesson, Mistake, random

from .questions import ASKING

TEMPERATURES = (0.5, 1.7, 0.05)
POSITIONS = range(3, 19)

EXPONENTIALS = "np.exp(shifted - shifted.max())"
GREEDY = "if temperature == 0:"
WARM = "softmax((np.asarray(logits, np.float64) - np.max(logits)) / temperature)"
TOP_K = "order[:top_k] if top_k else slice(None)"
TOP_P = "order[: int(np.searchsorted(np.cumsum(probabilities[order]), top_p)) + 1]"
KEPT = "kept / kept.sum()"
DRAWN = 'np.searchsorted(np.cumsum(final[order]), u, side="right")'

FORGOTTEN = (
    "The temperature has no effect: the same factor on all probabilities is lost again. It works on the logits, before "
    "the softmax."
)
NO_GREEDY = "At temperature 0 the logits were divided by 0. Temperature 0 means: take the most likely token."


def logits() -> list[Array]:
    """Scores of several vocabularies: usual, large, and with two equal ones at the top."""
    tied = random(3, 29, scale=2)
    tied[[4, 17]] = 6.0
    return [random(1, 23, scale=2), random(2, 41, scale=300, around=900), tied]


def values(*calls: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Sequence[Array]]:
    """What these calls give, one after the other, as one row of numbers."""

    def compute(names: Mapping[str, Any]) -> list[Array]:
        from gpt2.learn.trial import WrongKind

        with np.errstate(all="ignore"):
            given = [call(names) for call in calls]
        for one in given:
            if not isinstance(one, np.ndarray | np.number | int | float):
                raise WrongKind(f"It gives a {type(one).__name__} where it should give an array or a number.")
        return [np.concatenate([np.atleast_1d(one) for one in given])]

    return compute


def tokens(**settings: Any) -> Callable[[Mapping[str, Any]], Sequence[Array]]:
    """The tokens that are drawn with these settings at many positions."""

    def drawn(names: Mapping[str, Any], position: int, row: Array) -> int:
        from gpt2.learn.trial import defined

        sampling = defined(names, "Sampling")(**settings)
        return int(getattr(defined(names, "draw")(row, sampling, position), "token", -1))

    rows = [*logits(), random(9, 600, scale=0.5)]  # so many that not all are sorted at once
    return values(
        *(lambda names, at=position, row=row: drawn(names, at, row) for row in rows for position in POSITIONS)
    )


def cases() -> tuple[Case, ...]:
    """Each function by itself, then the tokens that are drawn."""
    from gpt2.learn.trial import defined

    def softmax(row: Array) -> Callable[[Mapping[str, Any]], Any]:
        return lambda names: defined(names, "softmax")(row)

    def temper(row: Array, temperature: float) -> Callable[[Mapping[str, Any]], Any]:
        return lambda names: defined(names, "temper")(row, temperature)

    def cut(name: str, row: Array, limit: float) -> Callable[[Mapping[str, Any]], Any]:
        weights = np.exp(row.astype(np.float64) - row.max())
        order = np.argsort(-row, kind="stable")
        return lambda names: defined(names, name)(weights / weights.sum(), order, limit)

    rows = logits()
    return (
        Case("the softmax of three rows of logits", values(*map(softmax, rows))),
        Case(
            "temperatures of 0.5, 1.7 and 0.05", values(*(temper(row, warm) for row in rows for warm in TEMPERATURES))
        ),
        Case("temperature 0", values(*(temper(row, 0) for row in rows))),
        Case("top-k", values(*(cut("cut_top_k", row, k) for row in rows for k in (0, 1, 5, 23)))),
        Case("top-p", values(*(cut("cut_top_p", row, p) for row in rows for p in (0.1, 0.6, 0.95, 1)))),
        Case("64 tokens drawn at temperature 0.8", tokens(temperature=0.8, seed=5)),
        Case("64 tokens drawn with top-k and top-p", tokens(temperature=1.3, top_k=9, top_p=0.8, seed=7)),
        Case("64 tokens chosen at temperature 0", tokens(temperature=0, seed=11)),
    )


LESSON = Lesson(
    number=12,
    name="generation",
    title="Choosing the next token",
    question="How does a row of scores become one token?",
    component="sampling",
    defines="draw",
    blanks=(
        Blank(
            EXPONENTIALS,
            "Every logit as a positive number; first the largest is taken off, so that none is too large for a float.",
            {
                "np.exp(shifted)": "The exponential of a large logit is infinite. Take the largest off first; the "
                "probabilities stay the same.",
                "shifted - shifted.min()": "The logits were used as they are. Softmax shares out by their "
                "exponentials.",
                "2.0 ** (shifted - shifted.max())": "The powers are those of 2. The softmax of GPT-2 takes those of e.",
            },
        ),
        Blank(
            "exponentials / exponentials.sum()",
            "Each one's share of all of them.",
            {
                "exponentials": "The exponentials were not divided by their sum, so they are no probabilities.",
                "exponentials / len(exponentials)": "They were divided by their number. Probabilities sum to 1, so "
                "divide by the sum.",
            },
        ),
        Blank(
            WARM,
            "The probabilities at this temperature. It acts on the logits, from which the largest has been taken off.",
            {
                WARM.replace("/ temperature", "* temperature"): "The logits were multiplied by the temperature. Divide "
                "by it: a small one sharpens.",
                WARM.replace("/ temperature", "/ temperature**2"): "The temperature was applied twice. Divide by it "
                "once.",
                "softmax(logits) / temperature": "The temperature was applied to the probabilities, so that they no "
                "longer sum to 1. It works on the logits, before the softmax.",
                "softmax(logits)": FORGOTTEN,
            },
        ),
        Blank(
            TOP_P,
            "The most likely tokens, as few as reach top_p together; the one that reaches it stays in.",
            {
                TOP_P.replace(" + 1]", "]"): "The token that reaches top-p was cut off. It stays in, or nothing may be "
                "left.",
                "np.flatnonzero(probabilities >= top_p)": "Each token was compared with top-p by itself. Top-p is "
                "about the sum, from the most likely token on.",
                TOP_P.replace("probabilities[order]", "probabilities"): "The probabilities were added up in the order "
                "of the ids. Begin with the most likely token.",
            },
        ),
        Blank(
            KEPT,
            "Probabilities again: what is left is shared out anew.",
            {
                "kept": "What is left no longer sums to 1. Divide by its sum.",
                "kept / kept.max()": "It was divided by the largest. What is left must sum to 1.",
            },
        ),
        Blank(
            DRAWN,
            "How many tokens, from the most likely on, have their whole stretch of the bar from 0 to 1 at or below u.",
            {
                "0": "The most likely token was always taken. Here a number u has been drawn, and decides.",
                'np.searchsorted(final[order], u, side="right")': "u was compared with single probabilities. Add them "
                "up: each token has a stretch of the bar as long as its probability.",
                'np.searchsorted(np.cumsum(final), u, side="right")': "The bar was made in the order of the ids. Its "
                "first stretch belongs to the most likely token.",
            },
        ),
    ),
    mistakes=(
        Mistake({GREEDY: "if temperature < 0:"}, NO_GREEDY),
        Mistake(
            {GREEDY: f"{GREEDY}\n        return softmax(logits)\n    if temperature < 0:"},
            "At temperature 0 a token was drawn as at temperature 1. Temperature 0 means: take the most likely one.",
        ),
        Mistake(
            {GREEDY: "if temperature >= 0:"},
            "The most likely token was taken at every temperature. Only temperature 0 does that.",
        ),
        Mistake(
            {"np.argmax(logits)": "np.argmin(logits)"},
            "At temperature 0 the least likely token was taken. Take the most likely one.",
        ),
        Mistake(
            {"shifted = np.asarray(logits, np.float64)": "shifted = np.asarray(logits, np.float32)"},
            "The probabilities are float32, whose sum may miss 1 by more than a sampler bears. Use float64.",
        ),
        Mistake(
            {TOP_K: "order[-top_k:] if top_k else slice(None)"},
            "Top-k kept the least likely tokens. The order begins with the most likely one.",
        ),
        Mistake(
            {TOP_K: "order[: top_k + 1] if top_k else slice(None)"},
            "Top-k kept one token too many.",
        ),
    ),
    hints=(
        "A softmax does not change when the same number is taken off every logit, so choose one that keeps it small.",
        "A temperature below 1 makes the differences between logits larger, one above 1 makes them smaller.",
        "Lay the probabilities end to end, the most likely first: a bar of length 1. A number below 1 points into it.",
    ),
    cases=cases,
    asking=ASKING,
)
