"""However many changes a run or a file has, its inputs take one sum for each position that is changed, and no more."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.errors import SettingsError
from gpt2.model.inputs import PLACES, RESID_PRE, Z
from gpt2.model.interventions import MOST_CHANGES, MOST_POSITIONS, Addition, Interventions, Scale
from gpt2.trace.trace import Trace
from pages.charts.embeddings import steered_positions
from tests.forced import tokens
from tests.shapes import TINY

T = TypeVar("T")
SEQ = 200
CONFIG = replace(TINY, n_layer=3, n_head=4, n_embd=64, n_inner=64, n_positions=1024)
VECTOR = (0.5,) * CONFIG.n_embd


def peak_of(make: Callable[[], T]) -> tuple[T, float]:
    """What is made, and the most megabytes that it took."""
    tracemalloc.start()
    try:
        return make(), tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def at_random(rng: np.random.Generator, n_changes: int, most_positions: int) -> Interventions:
    """Scales and additions at any place, some of them at all positions, some at few of the first 40, some at none."""
    scales: list[Scale] = []
    additions: list[Addition] = []
    for _ in range(n_changes):
        layer, place, in_head = int(rng.integers(CONFIG.n_layer)), PLACES[rng.integers(4)], bool(rng.integers(2))
        head = int(rng.integers(CONFIG.n_head)) if place == Z and in_head else None
        positions = None if rng.integers(3) == 0 else rng.integers(0, 40, rng.integers(0, most_positions))
        if rng.integers(3):
            width = CONFIG.n_embd if head is None else CONFIG.d_head
            additions.append(Addition(layer, tuple(rng.normal(size=width)), positions, place, head))
        else:
            scales.append(Scale(layer, head, rng.normal(), positions, place))
    return Interventions(tuple(scales), tuple(additions))


def added_one_by_one(changes: Interventions, stop: int) -> tuple[np.ndarray, dict[tuple[int, str, int], list[int]]]:
    """What is added, in float32 and in order, [layer, place, seq, d_model]; and the additions at each position."""
    sums = np.zeros((CONFIG.n_layer, len(PLACES), stop, CONFIG.n_embd), np.float32)
    made: dict[tuple[int, str, int], list[int]] = {}
    for number, addition in enumerate(changes.additions):
        column = (addition.head or 0) * CONFIG.d_head
        for position in range(stop) if addition.positions is None else set(addition.positions) & set(range(stop)):
            row = sums[addition.layer, PLACES.index(addition.hook), position]
            row[column : column + len(addition.vector)] += np.array(addition.vector, np.float32)
            made.setdefault((addition.layer, addition.hook, position), []).append(number)
    return sums, made


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize(("start", "stop"), [(0, 50), (7, 30), (12, 13)])
def test_every_position_gets_the_sum_of_its_vectors_and_equal_ones_share_it(seed: int, start: int, stop: int) -> None:
    changes = at_random(np.random.default_rng(seed), n_changes=25, most_positions=12)
    inputs, (sums, made) = changes.inputs(CONFIG, start, stop), added_one_by_one(changes, stop)
    assert np.array_equal(inputs.vectors[inputs.added], sums[:, :, start:])  # to the last bit
    distinct = {(layer, hook, *numbers) for (layer, hook, position), numbers in made.items() if position >= start}
    assert len(inputs.vectors) == 1 + len(distinct) and not inputs.vectors[0].any()


@pytest.mark.parametrize("seed", range(10))
def test_one_layers_inputs_are_those_among_all(seed: int) -> None:
    changes = at_random(np.random.default_rng(seed), n_changes=25, most_positions=12)
    for layer in range(CONFIG.n_layer):
        alone, among_all = changes.layer_inputs(CONFIG, layer, 5, 30), changes.inputs(CONFIG, 5, 30).layer(layer)
        assert np.array_equal(alone.head_scale, among_all.head_scale)
        assert np.array_equal(alone.stream_scale, among_all.stream_scale)
        assert np.array_equal(alone.vectors[alone.added], among_all.vectors[among_all.added])
        few = changes.layer_inputs(CONFIG, layer, 5, 30, (RESID_PRE,))
        assert np.array_equal(few.changed(RESID_PRE), among_all.changed(RESID_PRE))
        assert (few.head_scale == 1).all() and not few.added[1:].any()


def test_a_vector_that_steers_every_position_is_there_once() -> None:
    steered = Interventions(additions=(Addition(1, VECTOR), Addition(1, VECTOR), Addition(2, VECTOR, range(500))))
    assert len(steered.inputs(CONFIG, 0, 500).vectors) == 3
    assert len(steered.inputs(CONFIG, 499, 500).vectors) == 3
    assert len(steered.inputs(CONFIG, 500, 501).vectors) == 2
    assert len(Interventions().inputs(CONFIG, 0, 500).vectors) == 1


@pytest.mark.slow
def test_many_additions_at_many_positions_take_a_sum_a_position() -> None:
    """Thirty megabytes, if the sum after each addition took memory too."""
    rng, places = np.random.default_rng(1), [(layer, place) for layer in range(CONFIG.n_layer) for place in PLACES]
    many = Interventions(
        additions=tuple(
            Addition(layer, VECTOR, rng.permutation(SEQ)[:50], place) for layer, place in places for _ in range(200)
        )
    )
    inputs, megabytes = peak_of(lambda: many.inputs(CONFIG, 0, SEQ))
    assert len(inputs.vectors) == 1 + len(places) * SEQ and megabytes < 3
    alone, megabytes = peak_of(lambda: many.layer_inputs(CONFIG, 1, 0, SEQ))
    assert len(alone.vectors) == 1 + len(PLACES) * SEQ and megabytes < 1.5


@pytest.fixture(scope="module")
def steered(engine: Engine) -> Trace:
    """A run as a file may tell of it: two thousand vectors at the first layer, each at half of its positions."""
    rng, vector = np.random.default_rng(2), (0.5,) * engine.config.d_head
    trace = engine.run(tokens(engine, SEQ))
    additions = (Addition(0, vector, rng.permutation(SEQ - 1)[:100], Z, head=0) for _ in range(2000))
    told = Interventions(additions=(*additions, Addition(0, (0.5,) * engine.config.n_embd, (3, 8))))
    return replace(trace, steps=tuple(replace(step, interventions=told) for step in trace.steps))


def test_a_page_that_tells_where_a_run_is_steered_needs_little_for_it(steered: Trace) -> None:
    """Two hundred megabytes, if it made every sum of the first layer."""
    positions, megabytes = peak_of(lambda: steered_positions(steered))
    assert positions == [3, 8] and megabytes < 5


def test_a_layer_that_is_recomputed_needs_a_sum_a_position(steered: Trace) -> None:
    inputs, megabytes = peak_of(lambda: steered.layer_inputs(0))
    assert len(inputs.vectors) <= 1 + 2 + SEQ and megabytes < 5
    assert len(steered.layer_inputs(1).vectors) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ((Scale(0, 0, 0),) * (MOST_CHANGES + 1), "at most 10,000 changes .*, not 10,001 changes that name 0"),
        ((Scale(0, 0, 0, range(1000)),) * 501, "at most 500,000 positions in all, not 501 changes that name 501,000"),
    ],
)
def test_more_changes_or_positions_than_any_use_are_refused(changes: tuple[Scale, ...], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Interventions(changes)
    with pytest.raises(SettingsError, match=said):
        Interventions(changes[1:], (Addition(0, VECTOR, changes[0].positions),))
    allowed = Interventions(changes[1:])
    assert len(allowed.scales) == MOST_CHANGES or 1000 * len(allowed.scales) == MOST_POSITIONS
