"""Interventions as data: what fits no model or prompt is refused, and numbers of any kind become plain ones."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine.engine import Engine
from gpt2.errors import SettingsError
from gpt2.model.interventions import PLACES, Addition, Interventions, Scale
from gpt2.model.sampling import Sampling
from tests.forced import tokens

RESID_PRE, MLP_OUT, RESID_POST, Z = PLACES
D_MODEL = 256
VECTOR, WRITE = (0.5,) * D_MODEL, (0.5,) * 32  # as wide as the stream, and as a head


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
        (Interventions(additions=(Addition(0, VECTOR, head=1),)), r"attn\.hook_z needs 32 numbers, not 256"),
        (Interventions(additions=(Addition(0, WRITE, hook=Z),)), r"attn\.hook_z needs 256 numbers, not 32"),
        (Interventions((Scale(-7, 0, 0),)), "no layer -7; .* from 0 to 5"),
        (Interventions((Scale(0, -9, 0),)), "no head -9; .* from 0 to 7"),
        (Interventions((Scale(0, 0, 0, (0, -5)),)), "no position -5; the prompt has"),
        (Interventions((Scale(0, 0, 0, (512,)),)), "no position 512 in this run; its last can be 511"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(engine: Engine, interventions: Interventions, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        engine.start("Once", interventions).advance(None)


@pytest.mark.parametrize(
    ("made", "arguments", "said"),
    [
        (Scale, ("0", 0, 0), "layer must be a whole number, not '0'"),
        (Scale, (True, 0, 0), "layer must be a whole number, not True"),
        (Scale, (0.5, 0, 0), r"not 0\.5"),
        (Scale, (0, 0, float("nan")), r"from -1e\+06 to 1e\+06, not nan"),
        (Scale, (0, None, float("inf")), "not inf"),
        (Scale, (0, None, 1e39), r"not 1e\+39"),
        (Scale, (0, 0, -2e6), r"not -2000000\.0"),
        (Scale, (0, 0, "half"), "not 'half'"),
        (Scale, (0, 0, 1, 5), "positions of an intervention must be a sequence, not 5"),
        (Scale, (0, 0, 1, "12"), "must be a sequence, not '12'"),
        (Scale, (0, 0, 1, (0.5,)), r"Each of the positions .* not 0\.5"),
        (Scale, (0, 0, 1, None, "hook_resid_mid"), "at hook_resid_pre, .* not at 'hook_resid_mid'"),
        (Scale, (0, 0, 1, None, "hook_mlp_out"), "hook_mlp_out has no heads"),
        (Addition, (0, VECTOR, None, RESID_PRE, 3), "hook_resid_pre has no heads"),
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


def test_positions_that_count_from_the_end_are_those_of_the_prompt(engine: Engine) -> None:
    """And one after the prompt waits for its token; where there will be none, it is refused."""
    ids = tokens(engine, 9)
    counted, plain = (
        engine.run(ids, Interventions((Scale(layer, head, 0, positions),)))
        for layer, head, positions in ((-1, -2, (-1, -9)), (5, 6, (8, 0)))
    )
    assert np.array_equal(counted["logits"], plain["logits"])
    assert counted.steps[0].interventions == plain.steps[0].interventions
    later = Interventions((Scale(0, None, 0, (9,)),))
    with pytest.raises(SettingsError, match="no position 9 in this run; its last can be 8"):
        engine.run(ids, later)
    first, second = engine.generate(ids, 2, Sampling(0), later, ignore_eos=True)
    assert np.any(first.captures["blocks.0.hook_mlp_out"]) and not np.any(second.captures["blocks.0.hook_mlp_out"])


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
