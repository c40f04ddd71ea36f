"""Effects of experiments in tests: all their numbers, worked out anew from logits of the float64 reference."""

import numpy as np
import pytest

from gpt2.experiments.ablation import Result
from tests.reference import Floats

TOLERANCE = 1e-4


def chances(logits: Floats) -> Floats:
    """The softmax. Shapes: [vocab] -> [vocab]."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def agrees(found: Result, before: Floats, after: Floats) -> None:
    """All numbers of an effect, worked out anew from the reference's logits [vocab]."""
    effect, scale = found.effect, np.abs(after).max()
    token, against = effect.token, effect.against
    assert [token, against] == np.argsort(-before)[:2].tolist()
    assert np.abs(effect.after - after).max() <= TOLERANCE * scale
    assert effect.probability == pytest.approx((chances(before)[token], chances(after)[token]), rel=TOLERANCE)
    assert effect.log_probability == pytest.approx(np.log2(effect.probability), rel=TOLERANCE)
    expected = before[token] - before[against], after[token] - after[against]
    assert effect.difference == pytest.approx(expected, abs=TOLERANCE * scale)
    p, q = chances(before), chances(after)
    assert effect.kl == pytest.approx((p * np.log2(p / q)).sum(), rel=TOLERANCE)
