"""Claims about interventions: what is changed, where, and by how much, against the float64 reference."""

from collections.abc import Callable

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.model.hooks import hook_axes
from gpt2.model.interventions import PLACES, Addition, Interventions, Scale
from gpt2.model.sampling import Sampling
from tests.forced import forced, tokens
from tests.models import BUNDLED
from tests.reference import Changes, Reference, relative_difference

TOLERANCE = 1e-4
SEQ, D_MODEL = 24, 256
VECTOR = tuple(np.random.default_rng(4).normal(0, 2, D_MODEL).tolist())
OTHER = tuple(np.random.default_rng(5).normal(0, 2, D_MODEL).tolist())


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(BUNDLED)


RESID_PRE, MLP_OUT, RESID_POST, Z = PLACES
WRITE = tuple(np.random.default_rng(6).normal(0, 1, 32).tolist())  # as wide as a head


def head_off(change: Changes) -> None:
    change.scale[Z][2, :, 3] = 0


def head_off_in_places(change: Changes) -> None:
    change.scale[Z][2, [0, 5, 20], 3] = 0


def heads_scaled(change: Changes) -> None:
    change.scale[Z][0, :, 0] = 2.5
    change.scale[Z][5, :, 7] = -1


def layer_of_heads_off(change: Changes) -> None:
    change.scale[Z][4] = 0


def head_written(change: Changes) -> None:
    """Mean ablation, or patching: the head's own output goes, another comes."""
    change.scale[Z][3, [4, 22], 2] = 0
    change.add[Z][3, [4, 22], 2] = WRITE


def heads_added_to(change: Changes) -> None:
    change.add[Z][1] = np.reshape(VECTOR, (8, 32))
    change.add[Z][1, 11:13, 7] += WRITE


def mlp_off(change: Changes) -> None:
    change.scale[MLP_OUT][3] = 0


def mlp_off_in_places(change: Changes) -> None:
    change.scale[MLP_OUT][1, [7, 21]] = 0


def mlp_replaced(change: Changes) -> None:
    change.scale[MLP_OUT][2, 9:12] = 0
    change.add[MLP_OUT][2, 9:12] = VECTOR


def added_everywhere(change: Changes) -> None:
    change.add[RESID_PRE][3] = VECTOR


def added_in_places(change: Changes) -> None:
    change.add[RESID_PRE][0, [2, 19]] = VECTOR
    change.add[RESID_PRE][5, 23] += OTHER


def stream_patched(change: Changes) -> None:
    change.scale[RESID_PRE][4, [6, 18]] = 0
    change.add[RESID_PRE][4, 6] = VECTOR
    change.add[RESID_PRE][4, 18] = OTHER


def top_changed(change: Changes) -> None:
    change.scale[RESID_POST][5, -1] = 0.5
    change.add[RESID_POST][5, [0, -1]] = VECTOR


def between_changed(change: Changes) -> None:
    change.scale[RESID_POST][2, 3:8] = -0.5
    change.add[RESID_POST][2] = OTHER


def all_at_once(change: Changes) -> None:
    for part in (head_off_in_places, mlp_off_in_places, added_in_places, heads_scaled, head_written, top_changed):
        part(change)


def scaled_twice(change: Changes) -> None:
    change.scale[Z][1, :, 1] = 0.5
    change.scale[Z][1, 6, 1] = 1.5
    change.scale[MLP_OUT][2] = 0.5
    change.scale[MLP_OUT][2, 3] = -1
    change.add[RESID_PRE][1, 4] = np.add(VECTOR, OTHER)


PLACED = Scale(2, 3, 0, (0, 5, 20)), Scale(1, None, 0, (7, 21))
SCALED = Scale(0, 0, 2.5), Scale(5, 7, -1)
ADDED = Addition(0, VECTOR, (2, 19)), Addition(5, OTHER, (23,))
WRITTEN = Scale(3, 2, 0, (4, 22)), Addition(3, WRITE, (4, 22), head=2)
TOP = Scale(-1, None, 0.5, (-1,), hook=RESID_POST), Addition(-1, VECTOR, (0, -1), hook=RESID_POST)
CASES = [
    (head_off, Interventions((Scale(2, 3, 0),))),
    (head_off_in_places, Interventions(PLACED[:1])),
    (heads_scaled, Interventions(SCALED)),
    (layer_of_heads_off, Interventions(tuple(Scale(4, head, 0) for head in range(8)))),
    (layer_of_heads_off, Interventions((Scale(-2, None, 0, hook=Z),))),
    (head_written, Interventions(WRITTEN[:1], WRITTEN[1:])),
    (heads_added_to, Interventions(additions=(Addition(1, VECTOR, hook=Z), Addition(1, WRITE, (11, 12), head=-1)))),
    (mlp_off, Interventions((Scale(3, None, 0),))),
    (mlp_off_in_places, Interventions(PLACED[1:])),
    (mlp_replaced, Interventions((Scale(2, None, 0, range(9, 12)),), (Addition(2, VECTOR, range(9, 12), MLP_OUT),))),
    (added_everywhere, Interventions(additions=(Addition(3, VECTOR),))),
    (added_in_places, Interventions(additions=ADDED)),
    (
        stream_patched,
        Interventions((Scale(4, None, 0, (6, 18), RESID_PRE),), (Addition(4, VECTOR, (6,)), Addition(4, OTHER, (18,)))),
    ),
    (top_changed, Interventions(TOP[:1], TOP[1:])),
    (
        between_changed,
        Interventions((Scale(2, None, -0.5, range(3, 8), RESID_POST),), (Addition(2, OTHER, hook=RESID_POST),)),
    ),
    (all_at_once, Interventions((*PLACED, *SCALED, WRITTEN[0], TOP[0]), (*ADDED, WRITTEN[1], TOP[1]))),
    (
        scaled_twice,
        Interventions(
            (Scale(1, 1, 0.5), Scale(1, 1, 3, (6,)), Scale(2, None, 0.5), Scale(2, None, -2, (3,))),
            (Addition(1, VECTOR, (4,)), Addition(1, OTHER, (4,))),
        ),
    ),
]


@pytest.mark.parametrize("n_prefill", [SEQ, 10, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("meant", "interventions"), CASES, ids=[meant.__name__ for meant, _ in CASES])
def test_an_intervention_does_what_it_says_in_prefill_and_decode(
    engine: Engine,
    reference: Reference,
    meant: Callable[[Changes], None],
    interventions: Interventions,
    n_prefill: int,
) -> None:
    ids, change = tokens(engine, SEQ), reference.neutral(SEQ)
    meant(change)
    expected, found = reference.forward(ids, change), forced(engine, ids, n_prefill, interventions)
    for name in hook_axes(engine.config.n_layer):
        # An ablated part is all zero: its largest magnitude is no scale to measure by.
        if np.any(expected[name]):
            assert relative_difference(found[name], expected[name]) <= TOLERANCE, name
        else:
            assert not np.any(found[name]), name
    assert relative_difference(found["logits"][-1], expected["logits"][-1]) <= TOLERANCE


@pytest.mark.parametrize(("meant", "interventions"), CASES, ids=[meant.__name__ for meant, _ in CASES])
def test_every_intervention_tested_here_matters(
    engine: Engine, meant: Callable[[Changes], None], interventions: Interventions
) -> None:
    """A change that moved the result by less than the tolerance would prove nothing above."""
    ids = tokens(engine, SEQ)
    before, after = forced(engine, ids, SEQ), forced(engine, ids, SEQ, interventions)
    last = f"blocks.{engine.config.n_layer - 1}.hook_resid_post"
    assert relative_difference(after[last], before[last]) > 20 * TOLERANCE


NEUTRAL = [
    Interventions((Scale(2, 3, 1.0), Scale(0, None, 1.0))),
    Interventions((Scale(2, 3, 2.0), Scale(2, 3, 0.5))),
    Interventions(additions=(Addition(1, (0.0,) * D_MODEL),)),
    Interventions((Scale(1, 1, 0, positions=()),), (Addition(1, VECTOR, positions=()),)),
    Interventions((Scale(1, 1, 0, positions=(500,)),), (Addition(1, VECTOR, positions=(400, 511)),)),
    Interventions((Scale(5, None, 1, hook=RESID_POST),), (Addition(2, (0.0,) * 32, head=4),)),
]


@pytest.mark.parametrize("neutral", NEUTRAL)
@pytest.mark.parametrize("n_prefill", [SEQ, 5])
def test_a_neutral_intervention_equals_none_bit_for_bit(engine: Engine, neutral: Interventions, n_prefill: int) -> None:
    ids = tokens(engine, SEQ)
    plain, found = forced(engine, ids, n_prefill), forced(engine, ids, n_prefill, neutral)
    for name in (*hook_axes(engine.config.n_layer), "logits"):
        assert np.array_equal(plain[name], found[name]), name


def test_an_intervention_leaves_earlier_positions_alone(engine: Engine) -> None:
    ids = tokens(engine, SEQ)
    plain = forced(engine, ids, SEQ)
    found = forced(engine, ids, SEQ, Interventions((Scale(0, None, 0, (12,)),), (Addition(2, VECTOR, (15,)),)))
    moved = np.abs(found["ln_final.hook_normalized"] - plain["ln_final.hook_normalized"]).max(axis=1)
    assert moved[:12].max() <= 1e-5 < 1e-3 < moved[12]


def test_a_run_keeps_its_interventions_in_every_step(engine: Engine) -> None:
    interventions = Interventions((Scale(0, None, 0),))
    run = engine.start("Once upon a time", interventions)
    for _ in range(3):
        run.advance(Sampling(0))
    assert [step.interventions for step in run.trace.steps] == [interventions] * 3
    assert run.trace.text != changed_text(engine, Interventions())
    assert run.trace.text == changed_text(engine, interventions)


def changed_text(engine: Engine, interventions: Interventions) -> str:
    run = engine.start("Once upon a time", interventions)
    for _ in range(3):
        run.advance(Sampling(0))
    return run.trace.text
