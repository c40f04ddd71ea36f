"""Lesson 2, the causal mask: its blanks, the mistakes that people make, and what it is tried on."""

import numpy as np

from gpt2.learn import on_stage
from gpt2.learn.lesson import Blank, Case, Lesson, Mistake

from .questions import ASKING

COUNTED = "F.unsqueeze(F.arange(0, int(positions.shape[0]), dtype=DType.int64), 0)"
ADDED = "F.where(query >= key, allowed, forbidden)"

FLIPPED = (
    "The mask is flipped: it forbids the past and allows the future. Rows ask and columns answer, and the answer must "
    "not be later than the question."
)
ONE_AND_ZERO = (
    "Zeros and ones were made, but the mask is added to the scores, and adding 1 or 0 forbids nothing. Softmax takes "
    "the exponential of a score: only minus infinity becomes a share of 0."
)
NEARLY = (
    "A large negative number stands where minus infinity belongs. A number only nearly forbids: that is enough while "
    "all scores are small beside it, and the mask itself cannot know them. Minus infinity always becomes a share of 0."
)


def cases() -> tuple[Case, ...]:
    """Positions from 0 on, and later ones as after a prompt that is already kept; two are the fewest that need one."""
    from gpt2.learn.trial import of_function

    return tuple(
        Case(f"the positions {first} to {last}", of_function("causal_mask", np.arange(first, last + 1, dtype=np.int64)))
        for first, last in ((0, 5), (4, 10), (9, 10))
    )


LESSON = Lesson(
    number=2,
    name="causal_mask",
    title="The causal mask",
    question="What keeps a token from reading the answer?",
    component="mask",
    defines="causal_mask",
    blanks=(
        Blank(
            "F.unsqueeze(positions, 1), F.unsqueeze(positions, 0)",
            "The positions twice: as a column of those that look, and as a row of those that are looked at.",
            {
                "F.unsqueeze(positions, 0), F.unsqueeze(positions, 1)": FLIPPED,
                "positions, positions": "Each position was compared only with itself. Every query meets every key "
                "only if the queries are a column and the keys are a row.",
                "F.unsqueeze(positions, 1), F.unsqueeze(positions, 1)": "Queries and keys are both a column, so the "
                "mask has no axis for the keys. The keys are a row.",
            },
        ),
        Blank(
            '(0.0, float("-inf"))',
            "Two numbers: what is added to a score that is allowed, and to one that is forbidden.",
            {
                "(1.0, 0.0)": ONE_AND_ZERO,
                '(0.0, float("inf"))': "The sign is wrong. Softmax takes the exponential of a score, and only that of "
                "minus infinity is 0; plus infinity gives no number at all.",
                '(float("-inf"), 0.0)': "The wrong part was cut out: the diagonal and all that is below it are "
                "forbidden, and the future is allowed. In MAX, `F.band_part` keeps the band, and `exclude=True` keeps "
                "the rest.",
                "(0.0, -1e9)": NEARLY,
            },
        ),
        Blank(
            "query >= key",
            "Where a query may look.",
            {
                "query > key": "A token may not look at itself here. It must: otherwise the first token has nothing to "
                "look at, and softmax gives no numbers for it.",
                "query + 1 >= key": "One later token is visible. The position after the query holds the very token "
                "that is to be predicted.",
                "query <= key": FLIPPED,
            },
        ),
    ),
    mistakes=(
        Mistake({'(0.0, float("-inf"))': "(0.0, 1.0)"}, ONE_AND_ZERO),
        Mistake(
            {ADDED: "query >= key"},
            "The mask says true and false. It is added to the scores, so it must hold numbers: 0 where a query may "
            "look, and minus infinity where it may not.",
        ),
        Mistake({'(0.0, float("-inf"))': "(0.0, -1e4)"}, NEARLY),
        Mistake({'(0.0, float("-inf"))': "(0.0, -3.4028234663852886e38)"}, NEARLY),
        Mistake(
            {ADDED: 'F.cast(key > query, DType.float32) * float("-inf")'},
            "Minus infinity was multiplied by 0, which gives no number. Choose between 0 and minus infinity instead.",
        ),
        Mistake(
            {"F.unsqueeze(positions, 0)": COUNTED},
            "The keys were counted from 0, but the queries were not: they stand where `positions` says. The queries "
            "and the keys are the same positions.",
        ),
        Mistake({ADDED: "F.where(query >= key, allowed, allowed)"}, "Nothing is forbidden: the mask is 0 everywhere."),
    ),
    hints=(
        "Draw it for three positions: the first row allows one key, the second two, the third all three.",
        "Softmax raises e to the power of each score. Which score gives exactly 0?",
        "A column compared with a row gives a square: MAX repeats each along the other's axis.",
    ),
    cases=cases,
    on_stage=on_stage.mask,
    asking=ASKING,
)
