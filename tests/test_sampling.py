"""Claims about sampling: every number that the sampling page shows, against an implementation written twice."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gpt2.errors import SettingsError
from gpt2.model.sampling import Distribution, Sampling, draw, entropy_bits, softmax

LOGITS = arrays(np.float32, st.integers(1, 60), elements=st.floats(-30, 30, width=32))
SETTINGS = st.builds(
    Sampling,
    temperature=st.one_of(st.just(0.0), st.floats(0.05, 5)),
    top_k=st.just(0),
    top_p=st.floats(0.01, 1),
    seed=st.integers(0, 2**63 - 1),
)
UNIT = st.floats(0, 1, exclude_max=True)


def naive(logits: Any, temperature: float, top_k: int, top_p: float) -> list[float]:
    """Temperature, then top-k, then top-p, token by token in plain Python."""
    ranked = sorted(range(len(logits)), key=lambda token: (-float(logits[token]), token))
    highest = float(logits[ranked[0]])
    if temperature == 0:
        return [float(token == ranked[0]) for token in range(len(logits))]
    mass = [math.exp((float(logit) - highest) / temperature) for logit in logits]
    if top_k:
        mass = [m if token in ranked[:top_k] else 0.0 for token, m in enumerate(mass)]
    whole, gathered, nucleus = math.fsum(mass), 0.0, set()
    for token in ranked:
        if gathered >= top_p and top_p < 1:
            break
        nucleus.add(token)
        gathered += mass[token] / whole
    mass = [m if token in nucleus else 0.0 for token, m in enumerate(mass)]
    return [m / math.fsum(mass) for m in mass]


@given(LOGITS, SETTINGS, st.data())
def test_every_stage_is_a_distribution(logits: Any, sampling: Sampling, data: st.DataObject) -> None:
    top_k = data.draw(st.integers(0, len(logits)))
    found = Distribution.of(logits, Sampling(sampling.temperature, top_k, sampling.top_p))
    for stage in (found.raw, found.tempered, found.after_top_k, found.after_top_p, found.final):
        assert stage.shape == logits.shape
        assert (stage >= 0).all()
        assert stage.sum() == pytest.approx(1, abs=1e-12)


@given(LOGITS, SETTINGS, st.data())
def test_all_filters_equal_the_naive_implementation(logits: Any, sampling: Sampling, data: st.DataObject) -> None:
    top_k = data.draw(st.integers(0, len(logits)))
    # A sum that meets top_p to the last bit may round either way; such ties are kept out.
    shares = np.cumsum(sorted(naive(logits, sampling.temperature, top_k, 1), reverse=True))
    if np.abs(shares - sampling.top_p).min() < 1e-9:
        return
    found = Distribution.of(logits, Sampling(sampling.temperature, top_k, sampling.top_p))
    assert found.final == pytest.approx(naive(logits, sampling.temperature, top_k, sampling.top_p), abs=1e-12)


@given(LOGITS, st.floats(0.01, 0.999))
def test_top_p_keeps_the_smallest_set_of_the_whole_vocabulary(logits: Any, top_p: float) -> None:
    found = Distribution.of(logits, Sampling(top_p=top_p))
    kept = found.raw[found.final > 0]
    assert kept.sum() >= top_p - 1e-12
    assert kept.sum() - kept.min() < top_p + 1e-12
    left_out = found.raw[found.final == 0]
    assert left_out.size == 0 or left_out.max() <= kept.min()


def test_a_nucleus_may_need_more_tokens_than_any_list_of_the_best() -> None:
    found = Distribution.of(np.zeros(50_257), Sampling(top_p=0.9))
    assert np.count_nonzero(found.final) == pytest.approx(0.9 * 50_257, abs=1)


@given(LOGITS, st.data())
def test_top_k_keeps_exactly_k_even_among_equals(logits: Any, data: st.DataObject) -> None:
    top_k = data.draw(st.integers(1, len(logits)))
    found = Distribution.of(np.round(logits / 20), Sampling(top_k=top_k))
    assert np.count_nonzero(found.final) == top_k


def test_temperature_comes_before_top_p() -> None:
    logits = np.log([0.6, 0.3, 0.1])
    assert np.count_nonzero(Distribution.of(logits, Sampling(1.0, top_p=0.85)).final) == 2
    assert np.count_nonzero(Distribution.of(logits, Sampling(0.2, top_p=0.85)).final) == 1
    assert np.count_nonzero(Distribution.of(logits, Sampling(5.0, top_p=0.85)).final) == 3


def test_top_k_comes_before_top_p() -> None:
    logits = np.log([0.4, 0.3, 0.2, 0.1])
    # Of the two kept, 4/7 is below 0.6 and so the second stays; top-p first would have left both all the same,
    # but at 0.5 it would keep two of four while 4/7 of the two suffices with one.
    assert np.count_nonzero(Distribution.of(logits, Sampling(top_k=2, top_p=0.6)).final) == 2
    assert np.count_nonzero(Distribution.of(logits, Sampling(top_k=2, top_p=0.5)).final) == 1


def test_shares_removed_by_each_filter() -> None:
    found = Distribution.of(np.log([0.4, 0.3, 0.2, 0.1]), Sampling(top_k=3, top_p=0.7))
    assert found.removed_by_top_k == pytest.approx(0.1)
    assert found.removed_by_top_p == pytest.approx(2 / 9)
    assert found.final == pytest.approx([4 / 7, 3 / 7, 0, 0])


@pytest.mark.parametrize("bits", range(12))
def test_uniform_over_two_to_the_n_has_n_bits(bits: int) -> None:
    assert entropy_bits(softmax(np.full(2**bits, 3.5))) == pytest.approx(bits, abs=1e-9)


def test_certainty_has_no_bits_and_no_negative_zero() -> None:
    assert str(entropy_bits(np.array([0.0, 1.0, 0.0]))) == "0.0"


@given(LOGITS)
def test_greedy_takes_the_first_most_likely_token_whatever_u(logits: Any) -> None:
    found = Distribution.of(logits, Sampling(0.0))
    assert {found.pick(u) for u in (0.0, 0.3, 0.999999)} == {int(np.argmax(logits))}


@given(LOGITS, SETTINGS, UNIT)
def test_pick_inverts_the_cumulative_distribution(logits: Any, sampling: Sampling, u: float) -> None:
    found = Distribution.of(logits, sampling)
    token = found.pick(u)
    assert found.final[token] > 0
    before = found.final[found.order[: found.rank(token) - 1]].sum()
    assert before <= u + 1e-12
    assert u < before + found.final[token] + 1e-12


def test_pick_at_the_bounds() -> None:
    found = Distribution.of(np.log([0.1, 0.7, 0.2]), Sampling())
    assert [found.pick(u) for u in (0.0, 0.69, 0.71, 0.89, 0.91, math.nextafter(1, 0))] == [1, 1, 2, 2, 0, 0]


def test_a_u_on_the_border_belongs_to_the_next_token() -> None:
    """Stretches are [0, 1/4), [1/4, 1/2), ...: exact in binary, so no tolerance is needed."""
    even = Distribution.of(np.zeros(4), Sampling())
    assert [even.pick(u) for u in (0.0, 0.25, 0.5, 0.75)] == [0, 1, 2, 3]
    assert [even.pick(math.nextafter(u, 0)) for u in (0.25, 0.5, 0.75, 1)] == [0, 1, 2, 3]


def test_drawing_often_meets_the_distribution() -> None:
    found = Distribution.of(np.log([0.1, 0.6, 0.3]), Sampling())
    n = 4000
    drawn = np.bincount([found.pick(Sampling(seed=7).uniform(position)) for position in range(n)], minlength=3) / n
    assert drawn == pytest.approx([0.1, 0.6, 0.3], abs=4 * math.sqrt(0.25 / n))


@given(st.integers(0, 2**63 - 1), st.integers(0, 2000))
def test_u_depends_on_seed_and_position_alone(seed: int, position: int) -> None:
    u = Sampling(0.7, 40, 0.9, seed).uniform(position)
    assert 0 <= u < 1
    assert Sampling(1.3, 0, 1.0, seed).uniform(position) == u
    assert Sampling(seed=seed).uniform(position + 1) != u


def test_u_is_the_same_on_every_machine_and_release() -> None:
    assert Sampling(seed=1).uniform(4) == 0.39482515435746646
    assert Sampling(seed=2**63 - 1).uniform(0) == 0.1754661243027813


@given(LOGITS, SETTINGS, st.integers(0, 1023))
def test_a_draw_can_be_repeated_from_what_it_records(logits: Any, sampling: Sampling, position: int) -> None:
    drawn = draw(logits, sampling, position)
    assert drawn.u == sampling.uniform(position)
    assert Distribution.of(logits, drawn.sampling).pick(drawn.u) == drawn.token


@pytest.mark.parametrize("spread", [0.1, 1, 3, 8])
@pytest.mark.parametrize("vocab", [300, 9000, 50_257])
def test_a_draw_from_a_large_vocabulary_is_that_of_its_distribution(vocab: int, spread: float) -> None:
    """A draw sorts only the most likely tokens, until the one drawn is among them; every second time many are equal."""
    rng = np.random.default_rng(vocab)
    for seed in range(12):
        logits = rng.normal(0, spread, vocab).astype(np.float32)
        logits = np.round(logits) if seed % 2 else logits
        top_k, top_p = [0, 1, 40, 270, vocab][seed % 5], [1.0, 0.3, 0.95, 0.9999][seed % 4]
        drawn = draw(logits, Sampling([0, 0.5, 1, 2][seed % 4], top_k, top_p, seed), position=seed)
        assert drawn.token == Distribution.of(logits, drawn.sampling).pick(drawn.u)


@pytest.mark.parametrize("temperature", [1e-3, 1e-300, 5e-324])
def test_a_tiny_temperature_is_greedy_and_does_not_overflow(temperature: float) -> None:
    logits = np.array([1.0, 3.0, 2.0, -1e30])
    assert Distribution.of(logits, Sampling(temperature)).final == pytest.approx([0, 1, 0, 0])


def test_a_huge_temperature_is_uniform() -> None:
    found = Distribution.of(np.array([5.0, -5.0, 0.0, 2.0]), Sampling(1e300))
    assert found.final == pytest.approx([0.25] * 4)


def test_rank_and_surprisal_speak_of_the_models_own_distribution() -> None:
    found = Distribution.of(np.log([0.25, 0.5, 0.125, 0.125]), Sampling(0.5, top_k=2))
    assert [found.rank(token) for token in range(4)] == [2, 1, 3, 4]
    assert [found.surprisal_bits(token) for token in range(4)] == pytest.approx([2, 1, 3, 3])


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"temperature": math.nan}, "Temperature"),
        ({"temperature": math.inf}, "Temperature"),
        ({"temperature": -0.1}, "Temperature"),
        ({"top_k": -1}, "Top-k"),
        ({"top_k": 2.5}, "Top-k"),
        ({"top_k": math.nan}, "Top-k"),
        ({"top_k": math.inf}, "Top-k"),
        ({"top_p": 0.0}, "Top-p"),
        ({"top_p": -0.5}, "Top-p"),
        ({"top_p": 1.0001}, "Top-p"),
        ({"top_p": math.nan}, "Top-p"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"seed": math.nan}, "seed"),
        ({"temperature": "0.8"}, "Temperature .* not '0.8'"),
        ({"top_k": None}, "Top-k .* not None"),
        ({"top_p": True}, "Top-p .* not True"),
        ({"seed": np.ones(2)}, "seed"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        Sampling(**settings)


def test_top_k_beyond_the_vocabulary_is_refused_with_both_numbers() -> None:
    Sampling(top_k=5).check_vocabulary(5)
    with pytest.raises(SettingsError, match=r"Top-k is 6.*only 5"):
        Sampling(top_k=6).check_vocabulary(5)
    with pytest.raises(SettingsError, match="Top-k"):
        Distribution.of(np.zeros(5), Sampling(top_k=6))


@given(st.integers(1, 30))
def test_a_whole_number_of_any_type_sets_top_k(top_k: int) -> None:
    logits = np.arange(30.0)
    for same in (top_k, np.int64(top_k), float(top_k)):
        assert np.count_nonzero(Distribution.of(logits, Sampling(top_k=same)).final) == top_k
