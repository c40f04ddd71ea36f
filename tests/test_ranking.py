"""Claims about order: fast ways of ranking a large vocabulary give what a stable sort gives."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpt2.model.sampling import most_likely, ranking

OFTEN_EQUAL = st.sampled_from([-np.inf, -3.0, -1.0, 0.0, 0.5, 2.0, 7.0])


@given(st.lists(OFTEN_EQUAL | st.floats(-50, 50, width=32), min_size=1, max_size=300))
def test_a_ranking_is_that_of_a_stable_sort(values: list[float]) -> None:
    logits = np.array(values, np.float32)
    assert np.array_equal(ranking(logits), np.argsort(-logits, kind="stable"))


@given(st.integers(1, 3), st.integers(1, 2000), st.integers(1, 9), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_the_most_likely_tokens_are_the_first_of_the_ranking(
    rows: int, vocab: int, count: int, distinct: int, seed: int
) -> None:
    logits = np.random.default_rng(seed).integers(distinct, size=(rows, vocab)).astype(np.float32)
    count = min(count, vocab)
    expected = [ranking(row)[:count] for row in logits]
    assert np.array_equal(most_likely(logits, count), expected)
