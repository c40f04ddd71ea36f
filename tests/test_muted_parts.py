"""Measured beside direct effects: what is lost without a part is what the float64 reference loses, and it is said."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from gpt2.engine.engine import Engine
from gpt2.errors import SettingsError
from gpt2.experiments.muted import every_part, mute_each
from gpt2.experiments.part import head, mlp
from gpt2.model.interventions import Interventions, Scale
from gpt2.reading.attribution import attribute, first_and_runner_up
from gpt2.trace.trace import Trace
from pages.charts.attribution import measured as chart
from pages.frame.muted_parts import CHANGED, MutedParts, Question
from pages.look.numbers import fixed, signed
from pages.look.tokens import markdown
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.effects import TOLERANCE
from tests.forced import tokens
from tests.models import BUNDLED
from tests.reference import Reference

pytestmark = pytest.mark.slow

SEQ, TOKEN, AGAINST = 11, 77, 5
PARTS = [head(2, 4), mlp(5), head(0, 7)]


@pytest.mark.parametrize("against", [AGAINST, None])
def test_what_is_lost_without_a_part_is_what_the_reference_loses(engine: Engine, against: int | None) -> None:
    ids, reference = tokens(engine, SEQ), Reference(BUNDLED)

    def logit(change=None) -> float:
        logits = reference.forward(ids, change)["logits"][-1]
        return logits[TOKEN] - (0 if against is None else logits[against])

    *_, found = mute_each(engine, ids, PARTS, TOKEN, against)
    for part in PARTS:
        change = reference.neutral(SEQ)
        change.scale[part.hook][(part.layer,) if part.head is None else (part.layer, slice(None), part.head)] = 0
        lost = logit() - logit(change)
        assert abs(lost) > 1e-3  # or it would prove nothing
        assert found.lost[found.place(part)] == pytest.approx(lost, abs=TOLERANCE)
    assert found.before == pytest.approx(logit(), abs=TOLERANCE) and np.isfinite(found.lost).sum() == len(PARTS)


def test_what_is_measured_already_is_not_measured_again(engine: Engine) -> None:
    ids = tokens(engine, SEQ)
    *_, known = mute_each(engine, ids, PARTS[:2], TOKEN)
    assert list(mute_each(engine, ids, PARTS[:2], TOKEN, known=known)) == [known]
    again = list(mute_each(engine, ids, PARTS, TOKEN, known=known))
    assert len(again) == 2 and again[-1].lost[2, 4] == known.lost[2, 4] and again[-1].knows(PARTS[2])
    with pytest.raises(SettingsError, match="There is no layer 6"):
        list(mute_each(engine, ids, [mlp(6)], TOKEN, known=known))


def test_the_sentence_has_both_numbers_and_the_map_counts_the_signs_that_agree(engine, trace, checkpoint) -> None:
    at = trace.seq - 1
    found = attribute(trace, checkpoint, *first_and_runner_up(trace, trace.steps[-1].logits, at))
    part = next(part for part in found.parts if (part.layer, part.head) == (2, 4))
    assert "is not measured yet" in chart.both_sentence(trace, found, part, None)
    *_, made = mute_each(engine, trace.computed_ids, every_part(6, 8), found.token, found.against)
    said, lost = chart.both_sentence(trace, found, part, made), made.lost[2, 4]
    assert f"L2·H4 adds {signed(part.logit)}" in said and f"it adds {signed(float(lost))}" in said
    assert f"{fixed(found.logit, 3)} becomes {fixed(found.logit - lost, 3)}" in said  # the model's own number
    mlps = [part.logit for part in found.of_kind("MLP")]
    same = int((np.sign(made.lost[:, :8]) == np.sign(found.heads)).sum()) + int((made.lost[:, 8] * mlps > 0).sum())
    assert f"Of 54 parts {same} have the same sign" in chart.map_sentence(trace, found, made)
    picture = chart.map_picture(trace, found, made, 330)
    assert np.array_equal(picture.values, made.lost[::-1].astype(np.float32)) and picture.rows[0] == "L5"
    bias = next(part for part in found.parts if part.kind == "attention bias")
    assert chart.place_of(bias) is None


def test_another_question_drops_what_was_measured_and_a_changed_run_is_refused(engine, trace) -> None:
    player, muted = Player(trace, ""), MutedParts()
    first = Question(trace.run_id, trace.computed_ids, TOKEN, None)
    muted.tend(first)
    muted.measure(player, trace, engine, PARTS)
    muted.measured.wait(60)
    assert muted.measured.error == "" and muted.measured.found.knows(PARTS[2])
    muted.tend(first)
    assert muted.measured is not None
    muted.tend(Question(trace.run_id, trace.computed_ids, TOKEN, AGAINST))
    assert muted.measured is None
    run = engine.start("The king", interventions=Interventions((Scale(0, 0, 0.5),)))
    run.advance(None)
    changed = Player(run.trace, "")
    muted.measure(changed, run.trace, engine, PARTS)
    muted.measured.wait(60)
    assert muted.measured.error == CHANGED and muted.measured.found is None


def test_the_page_measures_the_picked_part_and_then_all_of_them(trace: Trace, checkpoint, engine: Engine) -> None:
    shown = trace.cut(5)
    test = AppTest.from_file(str(Path(__file__).parents[1] / "pages" / "watch" / "attribution.py"), default_timeout=60)
    visit = Visit(Player(shown, "Once upon a time"), cursor=4, head=(2, 4))
    visit.job.wait(60)
    test.session_state["visit"] = visit
    test.run()
    found = attribute(shown, checkpoint, *first_and_runner_up(shown, shown.steps[-1].logits, shown.seq - 1))
    part = next(part for part in found.parts if (part.layer, part.head) == (2, 4))
    for button, parts in (("one", [head(2, 4)]), ("all", every_part(6, 8))):
        test.button(key=f"attribution.measured.{button}").click().run()
        test.session_state["muted parts"].measured.wait(60)
        test.run()
        *_, made = mute_each(engine, shown.computed_ids, parts, found.token, found.against)
        assert not test.exception
        assert markdown(chart.both_sentence(shown, found, part, made)) in [one.value for one in test.markdown]
        assert test.button(key="attribution.measured.one").disabled
