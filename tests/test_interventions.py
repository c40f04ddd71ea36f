"""Claims about interventions: what is changed, where, and by how much, against the float64 reference."""

import json
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine.engine import Engine
from gpt2.errors import SettingsError
from gpt2.model.hooks import hook_axes
from gpt2.model.interventions import Addition, Interventions, Scale
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


def head_off(change: Changes) -> None:
    change.head_scale[2, :, 3] = 0


def head_off_in_places(change: Changes) -> None:
    change.head_scale[2, [0, 5, 20], 3] = 0


def heads_scaled(change: Changes) -> None:
    change.head_scale[0, :, 0] = 2.5
    change.head_scale[5, :, 7] = -1


def layer_of_heads_off(change: Changes) -> None:
    change.head_scale[4] = 0


def mlp_off(change: Changes) -> None:
    change.mlp_scale[3] = 0


def mlp_off_in_places(change: Changes) -> None:
    change.mlp_scale[1, [7, 21]] = 0


def added_everywhere(change: Changes) -> None:
    change.resid_add[3] = VECTOR


def added_in_places(change: Changes) -> None:
    change.resid_add[0, [2, 19]] = VECTOR
    change.resid_add[5, 23] += OTHER


def all_at_once(change: Changes) -> None:
    for part in (head_off_in_places, mlp_off_in_places, added_in_places, heads_scaled):
        part(change)


def scaled_twice(change: Changes) -> None:
    change.head_scale[1, :, 1] = 0.5
    change.head_scale[1, 6, 1] = 1.5
    change.mlp_scale[2] = 0.5
    change.mlp_scale[2, 3] = -1
    change.resid_add[1, 4] = np.add(VECTOR, OTHER)


PLACES = Scale(2, 3, 0, (0, 5, 20)), Scale(1, None, 0, (7, 21))
SCALED = Scale(0, 0, 2.5), Scale(5, 7, -1)
ADDED = Addition(0, VECTOR, (2, 19)), Addition(5, OTHER, (23,))
CASES = [
    (head_off, Interventions((Scale(2, 3, 0),))),
    (head_off_in_places, Interventions(PLACES[:1])),
    (heads_scaled, Interventions(SCALED)),
    (layer_of_heads_off, Interventions(tuple(Scale(4, head, 0) for head in range(8)))),
    (mlp_off, Interventions((Scale(3, None, 0),))),
    (mlp_off_in_places, Interventions(PLACES[1:])),
    (added_everywhere, Interventions(additions=(Addition(3, VECTOR),))),
    (added_in_places, Interventions(additions=ADDED)),
    (all_at_once, Interventions((*PLACES, *SCALED), ADDED)),
    (
        scaled_twice,
        Interventions(
            (Scale(1, 1, 0.5), Scale(1, 1, 3, (6,)), Scale(2, None, 0.5), Scale(2, None, -2, (3,))),
            (Addition(1, VECTOR, (4,)), Addition(1, OTHER, (4,))),
        ),
    ),
]


@pytest.mark.parametrize("n_prefill", [SEQ, 10, 1])
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


def test_the_default_changes_nothing_and_says_so() -> None:
    assert not Interventions()
    assert Interventions((Scale(0, 0, 1),)) and Interventions(additions=(Addition(0, VECTOR),))


@pytest.mark.parametrize(
    ("interventions", "said"),
    [
        (Interventions((Scale(6, 0, 0),)), "no layer 6; .* from 0 to 5"),
        (Interventions((Scale(0, 8, 0),)), "no head 8; .* from 0 to 7"),
        (Interventions((Scale(9, None, 0),)), "no layer 9"),
        (Interventions(additions=(Addition(6, VECTOR),)), "no layer 6"),
        (Interventions(additions=(Addition(0, VECTOR[:-1]),)), "needs 256 numbers, not 255"),
        (Interventions(additions=(Addition(0, ()),)), "needs 256 numbers, not 0"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(engine: Engine, interventions: Interventions, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        engine.start("Once", interventions).advance(None)


@pytest.mark.parametrize(
    ("made", "arguments", "said"),
    [
        (Scale, (-1, 0, 0), "layer must be a whole number from 0 up, not -1"),
        (Scale, (0, -1, 0), "head must be a whole number from 0 up, not -1"),
        (Scale, ("0", 0, 0), "layer must be a whole number .* not '0'"),
        (Scale, (True, 0, 0), "layer must be a whole number .* not True"),
        (Scale, (0.5, 0, 0), r"not 0\.5"),
        (Scale, (0, 0, float("nan")), r"from -1e\+06 to 1e\+06, not nan"),
        (Scale, (0, None, float("inf")), "not inf"),
        (Scale, (0, None, 1e39), r"not 1e\+39"),
        (Scale, (0, 0, -2e6), r"not -2000000\.0"),
        (Scale, (0, 0, "half"), "not 'half'"),
        (Scale, (0, 0, 1, 5), "positions of an intervention must be a sequence, not 5"),
        (Scale, (0, 0, 1, "12"), "must be a sequence, not '12'"),
        (Scale, (0, 0, 1, (-1,)), "Each of the positions .* not -1"),
        (Addition, (0, (*VECTOR[:-1], float("nan"))), "one row of finite numbers"),
        (Addition, (0, (*VECTOR[:-1], 1e39)), "from -1e.* alone"),
        (Addition, (0, np.ones((1, D_MODEL))), "one row of finite numbers"),
        (Addition, (0, "vector"), "one row of finite numbers, not 'vector'"),
        (Addition, (0, 3.0), r"one row of finite numbers, not 3\.0"),
        (Addition, (0, [[1, 2], [3]]), "one row of finite numbers"),
        (Interventions, (Scale(0, 0, 0),), "scales of a run must be a sequence, not Scale"),
        (Interventions, ([Addition(0, VECTOR)],), "scales of a run must be Scale objects, not Addition"),
        (Interventions, ((), [(0, VECTOR)]), "additions of a run must be Addition objects"),
    ],
)
def test_what_is_no_intervention_is_refused_where_it_is_made(made: type, arguments: tuple, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        made(*arguments)


WHOLE = st.sampled_from([int, float, np.int8, np.uint16, np.int64, np.float32, np.array])
REAL = st.sampled_from([float, np.float16, np.float32, np.float64, np.array])
ROW = st.sampled_from([tuple, list, np.array, np.float32, iter])


@given(whole=WHOLE, real=REAL, row=ROW, at=ROW)
def test_numbers_and_sequences_of_any_kind_make_equal_and_plain_interventions(whole, real, row, at):
    plain = Interventions((Scale(2, 3, 0.5, (1, 4)), Scale(1, None, -2.0)), (Addition(3, (0.25,) * 8, (0, 2)),))
    other = Interventions(
        [Scale(whole(2), whole(3), real(0.5), at([1, 4])), Scale(whole(1), None, real(-2))],
        iter([Addition(whole(3), row([0.25] * 8), at([0, 2]))]),
    )
    assert other == plain and hash(other) == hash(plain) and json.dumps(asdict(other)) == json.dumps(asdict(plain))
