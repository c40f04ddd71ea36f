"""Claims about the KV cache: it holds what was put in, through growth and cuts, without copies on reading."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from max.driver import CPU

from gpt2.engine.cache import KVCache
from gpt2.engine.devices import DeviceCache
from gpt2.model.config import GPT2Config

CONFIG = GPT2Config(vocab_size=10, n_positions=200, n_embd=6, n_layer=2, n_head=3, n_inner=8)
MOVES = st.lists(
    st.one_of(st.tuples(st.just("extend"), st.integers(1, 70)), st.tuples(st.just("cut"), st.integers(0, 200)))
)


KINDS = {"NumPy": KVCache, "device": lambda config: DeviceCache(config, CPU())}


@pytest.mark.parametrize("kind", KINDS)
@given(moves=MOVES, seed=st.integers(0, 2**32 - 1))
def test_the_cache_equals_a_plain_list_through_any_moves(kind: str, moves: list[tuple[str, int]], seed: int) -> None:
    rng, cache = np.random.default_rng(seed), KINDS[kind](CONFIG)
    plain = np.zeros((2, CONFIG.n_layer, 0, 3, 2), np.float32)
    for move, n in moves:
        if move == "cut":
            cache.cut(n)
            plain = plain[:, :, :n]
        elif plain.shape[2] + n <= CONFIG.n_positions:
            new = rng.standard_normal((2, CONFIG.n_layer, n, 3, 2)).astype(np.float32)
            cache.extend(list(new[0]), list(new[1]))
            plain = np.concatenate([plain, new], axis=2)
    assert cache.length == plain.shape[2]
    for layer in range(CONFIG.n_layer):
        for past, expected in zip(cache.past(layer), plain[:, layer], strict=True):
            found = past if kind == "NumPy" else past.to_numpy()
            assert np.array_equal(found, expected)
            assert found.flags.c_contiguous


def test_reading_copies_nothing() -> None:
    cache = KVCache(CONFIG)
    cache.extend([np.ones((5, 3, 2), np.float32)] * 2, [np.ones((5, 3, 2), np.float32)] * 2)
    assert np.shares_memory(cache.past(0)[0], cache.past(0)[0])
    assert not np.shares_memory(cache.past(0)[0], cache.past(1)[0])
    assert not np.shares_memory(cache.past(0)[0], cache.past(0)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_cache_grows_by_doubling_and_never_beyond_the_context(kind: str) -> None:
    cache, held = KINDS[kind](CONFIG), []
    one = [np.zeros((1, 3, 2), np.float32)] * 2
    for _ in range(CONFIG.n_positions):
        cache.extend(one, one)
        held.append(cache.nbytes // (2 * 2 * 3 * 2 * 4))
    assert [held[0], held[63], held[64], held[127], held[128], held[-1]] == [64, 64, 128, 128, 200, 200]
    assert len(set(held)) == 3


def test_a_short_context_needs_no_more_room_than_it_has() -> None:
    small = GPT2Config(vocab_size=10, n_positions=4, n_embd=6, n_layer=1, n_head=1, n_inner=8)
    assert KVCache(small).nbytes == 2 * 4 * 6 * 4


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_context_cannot_hold_does_not_fit(kind: str) -> None:
    cache = KINDS[kind](CONFIG)
    with pytest.raises(ValueError, match=r"broadcast|different sizes"):
        cache.extend([np.zeros((201, 3, 2), np.float32)] * 2, [np.zeros((201, 3, 2), np.float32)] * 2)
