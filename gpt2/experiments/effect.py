"""The effect of a change on the next token: probability first, then logits, and the divergence of all in bits."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import SettingsError
from gpt2.model.sampling import most_likely, softmax
from gpt2.text.vocabulary import Vocabulary

Array = NDArray[np.floating]
Measure = Literal["logit difference", "probability", "KL"]
# How each is written in a sentence, and what it is measured in.
MEASURES: dict[Measure, str] = {
    "logit difference": "the change of the logit difference",
    "probability": "the change of the probability",
    "KL": "the KL divergence, base to changed, in bits",
}


def log_softmax(logits: Array) -> NDArray[np.float64]:
    """Natural logarithms of the softmax, in float64. Shapes: [..., vocab] -> [..., vocab]."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def kl_bits(base: Array, changed: Array) -> NDArray[np.float64]:
    """KL(base || changed) in bits: what it costs to expect the changed distribution where the base's is true.

    Shapes: two of [..., vocab] logits -> [...].
    """
    before, after = log_softmax(base), log_softmax(changed)
    divergence = (np.exp(before) * (before - after)).sum(axis=-1) / np.log(2)
    return np.maximum(divergence, 0)  # rounding may leave it a little below


@dataclass(frozen=True, eq=False)
class Effect:
    """The next token before and after a change.

    Attributes:
        before, after: the logits at the newest position, of the base run and of the changed one.
        token, against: the token whose probability is told, and the one that its logit is compared with.
    Shapes: before, after [vocab].
    """

    before: Array
    after: Array
    token: int
    against: int

    @property
    def probability(self) -> tuple[float, float]:
        """The token's probability, before and after."""
        return float(softmax(self.before)[self.token]), float(softmax(self.after)[self.token])

    @property
    def log_probability(self) -> tuple[float, float]:
        """Its base-2 logarithm, before and after: minus the surprisal in bits."""
        before, after = (float(log_softmax(logits)[self.token] / np.log(2)) for logits in (self.before, self.after))
        return before, after

    @property
    def logit(self) -> tuple[float, float]:
        """The token's logit, before and after; it can fall while the probability rises."""
        return float(self.before[self.token]), float(self.after[self.token])

    @property
    def difference(self) -> tuple[float, float]:
        """The token's logit minus the other's, before and after."""
        before, after = (
            float(logits[self.token]) - float(logits[self.against]) for logits in (self.before, self.after)
        )
        return before, after

    @property
    def kl(self) -> float:
        """KL(base || changed) in bits, over the whole vocabulary."""
        return float(kl_bits(self.before, self.after))

    def change(self, measure: Measure) -> float:
        """One number for a sweep: after minus before; the divergence as it is."""
        if measure == "KL":
            return self.kl
        before, after = self.probability if measure == "probability" else self.difference
        return after - before

    def to_dict(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """All numbers, as JSON can hold them; each pair is before and after."""
        return {
            "token": {"id": self.token, "label": vocabulary.label(self.token)},
            "against": {"id": self.against, "label": vocabulary.label(self.against)},
            "probability": self.probability,
            "log2_probability": self.log_probability,
            "logit": self.logit,
            "logit_difference": self.difference,
            "kl_bits_base_to_changed": self.kl,
            "likeliest": [
                [vocabulary.label(int(token)) for token in most_likely(np.asarray(logits)[None], 5)[0]]
                for logits in (self.before, self.after)
            ],
        }

    def in_words(self, vocabulary: Vocabulary) -> str:
        """One sentence with its numbers."""
        token, against = vocabulary.label(self.token), vocabulary.label(self.against)
        return (
            f"{token}: {self.probability[0]:.2%} before, {self.probability[1]:.2%} after; its logit minus that of "
            f"{against}: {self.difference[0]:+.3f} before, {self.difference[1]:+.3f} after; "
            f"KL(base || changed) {self.kl:.4f} bits."
        )


def first_two(logits: Array) -> tuple[int, int]:
    """The most likely token and the runner-up. Shapes: [vocab]."""
    first, second = most_likely(np.asarray(logits)[None], 2)[0]
    return int(first), int(second)


def effect_of(before: Array, after: Array, token: int | None, against: int | None) -> Effect:
    """The effect on a token against another: unless given, the base's first token and its runner-up.

    Raises:
        SettingsError: if a token is not one of the vocabulary, or both are the same.
    """
    first, second = first_two(before)
    chosen = first if token is None else token
    other = against if against is not None else second if chosen == first else first
    check_tokens(chosen, other, len(before))
    return Effect(before, after, chosen, other)


def check_tokens(token: int, against: int, vocab_size: int) -> None:
    """Refuse two tokens that cannot be compared.

    Raises:
        SettingsError: if one is not of the vocabulary, or both are the same.
    """
    for one in (token, against):
        if not 0 <= one < vocab_size:
            raise SettingsError(f"There is no token {one}; this model's run from 0 to {vocab_size - 1}.")
    if token == against:
        raise SettingsError("Both tokens are the same, so their logits do not differ; choose two different ones.")
