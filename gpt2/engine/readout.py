"""What one forward pass gives: its captures, and the logit lens at the newest position with its likeliest tokens."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt2.model.sampling import most_likely
from gpt2.trace.captures import Captures
from gpt2.trace.step import LensRows
from gpt2.trace.timing import timed

Array = NDArray[np.float32]
LENS_TOKENS = 8


class ForwardOutput(NamedTuple):
    """What one forward pass gives.

    Attributes: `captures` as a step stores them; `stream_logits` [layer + 1, vocab], the logit lens at the newest
    position, from the stream before the first block up to the top, whose row is the captures' own `logits`.
    """

    captures: Captures
    stream_logits: Array


@timed("lens")
def lens_rows(logits: Array, drawn: int | None) -> LensRows:
    """The likeliest tokens of each row, and the probability that each row gives to the token drawn.

    Shapes: logits [layer + 1, vocab].
    """
    tokens = most_likely(logits, min(LENS_TOKENS, logits.shape[1]))  # [layer + 1, k]
    probabilities, of_drawn = np.empty(tokens.shape, np.float32), np.empty(len(logits), np.float32)
    powers = np.empty(logits.shape[1], np.float32)  # of one row at a time, which the processor's cache can hold
    for row, likeliest in enumerate(tokens):
        np.exp(np.subtract(logits[row], logits[row, likeliest[0]], out=powers), out=powers)
        total = powers.sum()
        probabilities[row], of_drawn[row] = powers[likeliest] / total, powers[drawn or 0] / total
    return LensRows(tokens.astype(np.int32), probabilities, of_drawn)
