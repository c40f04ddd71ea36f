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
    highest = np.take_along_axis(logits, tokens[:, :1], 1)  # [layer + 1, 1]
    powers = logits - highest
    total = np.exp(powers, out=powers).sum(axis=1, keepdims=True)

    def probability(chosen: NDArray[np.integer]) -> Array:
        """Shapes: [layer + 1, n] tokens -> [layer + 1, n]."""
        return np.take_along_axis(powers, chosen, 1) / total

    watched = np.full((len(logits), 1), 0 if drawn is None else drawn)
    return LensRows(tokens.astype(np.int32), probability(tokens), probability(watched)[:, 0])
