"""The logit lens of two runs at one step: each one's likeliest tokens by depth, or how their probabilities differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.experiments.effect import kl_bits
from gpt2.experiments.trace_pair import TracePair
from gpt2.model.sampling import most_likely, softmax
from pages.charts.lens import ReadLens, depths, newest_logits
from pages.look.numbers import bits, percent
from pages.look.tokens import spoken
from pages.matrix.blob import Picture

from .which import DIFFERENCE, MINUS, VIEWS, left_out, share_scale

TITLE = "What would each layer say next?"
COUNT = 5


@dataclass(frozen=True, eq=False)
class LensPair:
    """The lens of the newest token of both, at every depth that both have, the embedding first.

    Attributes:
        kl: KL(first || second) of the lens at each depth, in bits.
    Shapes: probabilities [2, depth, vocab]; tokens [2, depth, count], the likeliest first; kl [depth].
    """

    probabilities: NDArray[np.float64]
    tokens: NDArray[np.intp]
    kl: NDArray[np.float64]


def lens_pair(pair: TracePair, read: tuple[ReadLens, ReadLens]) -> LensPair:
    """Read the newest token of both, each with its own model's lens."""
    logits = [np.array(newest_logits(trace, lens)) for trace, lens in zip(pair.both, read, strict=True)]
    both = [rows[: pair.n_layer + 1] for rows in logits]  # each [depth, vocab]
    chances = np.stack([[softmax(row) for row in logits] for logits in both])
    return LensPair(chances, np.stack([most_likely(rows, COUNT) for rows in both]), kl_bits(*both))


def lens_picture(pair: TracePair, found: LensPair, which: str, height: int) -> Picture:
    """Depths upwards. Of one run its likeliest tokens; of the difference the likeliest of either, and how far it moved.

    A difference is a probability in the second run minus that in the first, in percentage points.
    """
    names = depths(pair.n_layer)
    if which == DIFFERENCE:
        tokens = found.tokens[:, :, 0].T  # [depth, 2]
        chances = np.take_along_axis(found.probabilities, tokens[None], axis=2)  # [2, depth, 2]
        values, columns = 100 * (chances[1] - chances[0]), ["likeliest in the first", "likeliest in the second"]
    else:
        at = VIEWS.index(which)
        tokens, columns = found.tokens[at], [str(rank) for rank in range(1, COUNT + 1)]
        values = np.take_along_axis(found.probabilities[at], tokens, axis=1)
    label = pair.first.vocabulary.label
    return Picture(
        values[::-1],
        list(names)[::-1],
        columns,
        share_scale(values, which, "probability by the lens", "sampling"),
        TITLE,
        f"{lens_sentence(pair, found)} {left_out(pair)}".strip(),
        "softmax(lm_head(ln_f({row}[newest])))" + (f", {MINUS}" if which == DIFFERENCE else ""),
        row_names=list(names.values())[::-1],
        column_title="" if which == DIFFERENCE else "rank",
        text=[[label(int(token)) for token in row] for row in tokens[::-1]],
        height=height,
    )


def lens_sentence(pair: TracePair, found: LensPair) -> str:
    """What each says at the last depth, and where the two lenses are furthest apart."""
    names, most = list(depths(pair.n_layer)), int(found.kl.argmax())
    one, other = (
        f"{spoken(pair.first.vocabulary.label(int(tokens[-1, 0])))} ({percent(float(chances[-1, tokens[-1, 0]]))})"
        for tokens, chances in zip(found.tokens, found.probabilities, strict=True)
    )
    return (
        f"After {names[-1]} the first says {one}, the second {other}. Their lenses are furthest apart at "
        f"{names[most]}: {pair.ways[0]} is {bits(found.kl[most])} there."
    )
