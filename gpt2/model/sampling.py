"""From logits to the next token: temperature, top-k, top-p, and a seeded draw that can be looked at.

Needs NumPy alone. Entropies are in bits, and every filter sees the whole vocabulary.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import SettingsError

from .plain import freeze, number, quoted

Floats = NDArray[np.float64]
# How many of the most likely tokens a draw sorts, before it sorts them all.
SORTED_FIRST = 256


def softmax(logits: NDArray[np.floating]) -> Floats:
    """Probabilities of a vector of logits, in float64.

    Shapes: [vocab] -> [vocab].
    """
    shifted = np.asarray(logits, np.float64)
    exponentials = np.exp(shifted - shifted.max())
    return exponentials / exponentials.sum()


def entropy_bits(probabilities: Floats) -> float:
    """Shannon entropy, `-Σ p log2 p`, in bits."""
    positive = probabilities[probabilities > 0]
    return float(max(0.0, -(positive * np.log2(positive)).sum()))


def ranking(logits: NDArray[np.floating]) -> NDArray[np.intp]:
    """All tokens, most likely first; equal logits in the order of their ids, so that a draw can be repeated anywhere.

    Shapes: [vocab] -> [vocab].
    """
    if logits.dtype != np.float32:
        return np.argsort(-logits, kind="stable")
    # A logit's bits, as an integer that grows as the logit falls, above the token's id: whole numbers are sorted in
    # half the time, and no two are equal. Adding 0 makes one of the two zeros.
    bits = (0 - (logits + np.float32(0))).view(np.int32)
    bits ^= bits >> 31 & 0x7FFFFFFF
    keys = bits.astype(np.int64) << 32
    keys |= np.arange(len(logits))
    keys.sort()
    return keys & 0xFFFFFFFF


def most_likely(logits: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """The first `count` tokens of each row's ranking.

    Shapes: [row, vocab] -> [row, count].
    """
    rows, vocab = logits.shape
    block = max(1, vocab // (8 * count))
    # The largest of each block: at least `count` logits are no smaller than the `count`-th largest of these.
    peaks = logits[:, : vocab // block * block].reshape(rows, -1, block).max(axis=2)
    floors = np.partition(peaks, -count, axis=1)[:, -count]
    best = np.empty((rows, count), np.intp)
    for row, floor in enumerate(floors):
        candidates = np.flatnonzero(logits[row] >= floor)
        best[row] = candidates[np.argsort(-logits[row, candidates], kind="stable")[:count]]
    return best


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. Temperature 0 is greedy; top_k 0 and top_p 1 leave everything in.

    Raises:
        SettingsError: if a setting is out of its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what has no meaning; a number box may give 40.0, NumPy its own numbers: both become plain ones."""
        temperature, top_k, top_p, seed = map(number, (self.temperature, self.top_k, self.top_p, self.seed))
        if temperature is None or not 0 <= temperature < math.inf:
            raise SettingsError(f"Temperature must be 0 (greedy) or a positive number, not {quoted(self.temperature)}.")
        if top_k is None or not _is_whole(top_k):
            raise SettingsError(f"Top-k must be a whole number, 0 to switch it off, not {quoted(self.top_k)}.")
        if top_p is None or not 0 < top_p <= 1:
            raise SettingsError(f"Top-p must be above 0 and at most 1 (1 switches it off), not {quoted(self.top_p)}.")
        if seed is None or not _is_whole(seed) or seed >= 2**63:
            raise SettingsError(f"The seed must be a whole number from 0 to 2^63 - 1, not {quoted(self.seed)}.")
        freeze(self, temperature=float(temperature), top_k=int(top_k), top_p=float(top_p), seed=int(seed))

    def check_vocabulary(self, vocab_size: int) -> None:
        """Raise SettingsError if top_k is larger than the vocabulary."""
        if self.top_k > vocab_size:
            raise SettingsError(f"Top-k is {self.top_k}, but the vocabulary has only {vocab_size} tokens.")

    def to_dict(self) -> dict[str, float | int]:
        """All settings, as JSON can hold them."""
        return asdict(self)

    def uniform(self, position: int) -> float:
        """The uniform number in [0, 1) that decides the token at `position`.

        It depends on seed and position alone, so stepping back and on again, or branching, draws the same number.
        """
        return float(np.random.default_rng([self.seed, position]).random())


@dataclass(frozen=True)
class Distribution:
    """One step's next-token distribution, stage by stage.

    Shapes: all arrays [vocab], indexed by token id.
    Attributes: `raw` is the softmax of the logits; `tempered` after temperature; `after_top_k` and `after_top_p` what
    each filter left, renormalised; `final`, the last of these, is what the draw sees.
    """

    raw: Floats
    tempered: Floats
    after_top_k: Floats
    after_top_p: Floats
    order: NDArray[np.intp]

    @classmethod
    def of(cls, logits: NDArray[np.floating], sampling: Sampling) -> "Distribution":
        """Shape `logits` [vocab] by the settings, in the order temperature, top-k, top-p."""
        sampling.check_vocabulary(len(logits))
        order, tempered = ranking(logits), temper(logits, sampling.temperature)
        after_top_k = cut_top_k(tempered, order, sampling.top_k)
        after_top_p = cut_top_p(after_top_k, order, sampling.top_p)
        return cls(softmax(logits), tempered, after_top_k, after_top_p, order)

    @property
    def final(self) -> Floats:
        """What the draw sees."""
        return self.after_top_p

    @property
    def removed_by_top_k(self) -> float:
        """Share of the tempered probability that top-k cut."""
        return float(self.tempered[self.after_top_k == 0].sum())

    @property
    def removed_by_top_p(self) -> float:
        """Share of the probability left by top-k that top-p cut."""
        return float(self.after_top_k[self.after_top_p == 0].sum())

    def pick(self, u: float) -> int:
        """The token whose stretch of the cumulative bar, most likely first, holds `u` in [0, 1)."""
        return int(self.order[place_of(u, self.final, self.order)])

    def rank(self, token: int) -> int:
        """Place of the token in the model's own order, 1 for the most likely."""
        return int(np.flatnonzero(self.order == token)[0]) + 1

    def surprisal_bits(self, token: int) -> float:
        """`-log2` of the model's own probability of the token, in bits."""
        return float(-np.log2(max(self.raw[token], np.finfo(np.float64).tiny)))


def _is_whole(value: float) -> bool:
    return value >= 0 and (isinstance(value, int) or value.is_integer())


def temper(logits: NDArray[np.floating], temperature: float) -> Floats:
    """The softmax at this temperature; at 0 all of it on the most likely token, the first of equals."""
    if temperature == 0:
        greedy = np.zeros(len(logits))
        greedy[np.argmax(logits)] = 1.0
        return greedy
    # The largest logit is taken off first: under a tiny temperature the others go to minus infinity.
    with np.errstate(over="ignore"):
        return softmax((np.asarray(logits, np.float64) - np.max(logits)) / temperature)


def cut_top_k(probabilities: Floats, order: NDArray[np.intp], top_k: int) -> Floats:
    """Keep the `top_k` most likely tokens; all of them for 0."""
    return keep(probabilities, order[:top_k] if top_k else slice(None))


def cut_top_p(probabilities: Floats, order: NDArray[np.intp], top_p: float) -> Floats:
    """Keep the smallest set that reaches `top_p`: every token before which less than that is gathered."""
    if top_p == 1:
        return keep(probabilities, slice(None))
    return keep(probabilities, order[: int(np.searchsorted(np.cumsum(probabilities[order]), top_p)) + 1])


def keep(probabilities: Floats, tokens: NDArray[np.intp] | slice) -> Floats:
    """Set all other tokens to 0 and renormalise."""
    kept = np.zeros_like(probabilities)
    kept[tokens] = probabilities[tokens]
    return kept / kept.sum()


def place_of(u: float, final: Floats, order: NDArray[np.intp]) -> int:
    """The place in `order` of the token whose stretch of the cumulative bar holds `u` in [0, 1)."""
    # Rounding may leave the sum just under 1; the last token with any probability takes what is above it.
    last = int(np.count_nonzero(final)) - 1
    return min(int(np.searchsorted(np.cumsum(final[order]), u, side="right")), last)


@dataclass(frozen=True)
class Draw:
    """How one token came to be: the settings, the uniform number, and the token.

    Attributes: `u` is None if a person chose the token: then nothing was drawn, and the settings are those with which
    the run went on.
    """

    token: int
    u: float | None
    sampling: Sampling

    @property
    def is_chosen(self) -> bool:
        """Whether a person chose the token."""
        return self.u is None


def draw(logits: NDArray[np.floating], sampling: Sampling, position: int) -> Draw:
    """Choose the token for `position` from the logits [vocab] of the position before it.

    The token is the one that `Distribution.pick` gives. But to sort the whole vocabulary takes longer than all else, so
    only the most likely tokens are sorted first: nearly always the token drawn is among them.
    """
    sampling.check_vocabulary(len(logits))
    u, tempered = sampling.uniform(position), temper(logits, sampling.temperature)
    # Without top-k so few do not reach u where all are about as likely; with it, no others are left.
    may_reach = sampling.top_k > 0 or SORTED_FIRST * float(tempered.max()) > u
    if may_reach and sampling.top_k <= SORTED_FIRST < len(logits):
        order = most_likely(logits[None], SORTED_FIRST)[0]
        if (token := _token_at(u, tempered, order, sampling)) is not None:
            return Draw(token, u, sampling)
    token = _token_at(u, tempered, ranking(logits), sampling)
    assert token is not None  # all are in the ranking
    return Draw(token, u, sampling)


def _token_at(u: float, tempered: Floats, order: NDArray[np.intp], sampling: Sampling) -> int | None:
    """The token that `u` falls on; None if the most likely tokens in `order` are too few to tell."""
    final = cut_top_k(tempered, order, sampling.top_k)
    if len(order) < len(final) and sampling.top_p < 1 and np.cumsum(final[order])[-1] < sampling.top_p:
        return None
    final = cut_top_p(final, order, sampling.top_p)
    place = place_of(u, final, order)
    return int(order[place]) if place < len(order) else None
