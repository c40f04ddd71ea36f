"""The Experiments page: controls become the change that is run, results are of the run on the stage and no other."""

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gpt2.engine.engine import Engine
from gpt2.experiments.ablation import ablation
from gpt2.experiments.part import head, mlp, stream
from gpt2.experiments.plan import Mute, Patch, Steer
from gpt2.experiments.plan_text import NamedChange
from gpt2.experiments.twin import twin
from gpt2.trace.budget import squeeze_to_fit
from gpt2.trace.trace import Trace
from pages.change.results import NOT_RUN
from pages.charts.experiments import compared, following, texts
from pages.look.tokens import markdown
from pages.visit.experiment import ALL_KEPT, MOST_KEPT, SAME_NAME, Experiments
from pages.visit.player import Player
from pages.visit.visit import Visit

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[1] / "pages" / "change" / "experiments.py"


def page(trace: Trace) -> AppTest:
    test = AppTest.from_file(str(PAGE), default_timeout=60)
    visit = Visit(Player(trace, "Once upon a time"), cursor=max(0, len(trace.steps) - 1))
    visit.job.wait(60)
    test.session_state["visit"] = visit
    return test.run()


def said(test: AppTest) -> str:
    return "\n".join(element.value for element in (*test.text, *test.markdown, *test.caption))


def tried(test: AppTest) -> Experiments:
    return test.session_state["experiments"]


def run(test: AppTest) -> AppTest:
    """Press the button, and return the page once the changed model has run."""
    test.button(key="experiments.run").click().run()
    changed = tried(test).changed
    assert changed is not None
    changed.wait(60)
    return test.run()


def test_every_kind_of_run_can_be_looked_at(trace: Trace) -> None:
    for shown in (trace.cut(1), squeeze_to_fit(trace, trace.nbytes // 3)):
        test = page(shown)
        assert not test.exception and NOT_RUN in said(test)
        assert [header.value for header in test.header] == ["What if a part of the model were different?"]
    assert "Type a prompt above" in said(page(trace.cut(0)))
    foreign = replace(trace, model="someone/else", config=replace(trace.config, layer_norm_epsilon=2e-5))
    test = run(page(foreign))
    assert not test.exception and "is not loaded, so nothing can be run again" in said(test)


def test_parts_that_are_muted_are_on_and_what_is_said_of_them_is_what_the_engine_finds(
    engine: Engine, trace: Trace
) -> None:
    shown = trace.cut(9)
    test = page(shown)
    assert "On: nothing" in said(test)
    test.multiselect(key="experiments.parts").select("L2·H4").select("MLP of L0").run()
    assert "On: L2·H4, the MLP of L0 set to zero at all positions." in said(run(test))
    *_, found = twin(engine, shown, ablation([head(2, 4), mlp(0)]))
    effect = found.effect(engine, 8)
    for sentence in (
        following.next_sentence(effect, trace.vocabulary),
        texts.texts_sentence(found, trace.vocabulary),
        following.watched_sentence(effect.token, *found.probabilities(engine, effect.token), trace.vocabulary),
    ):
        assert markdown(sentence) in said(test)
    assert "Changed: L2·H4, the MLP of L0 set to zero at all positions." in said(test)
    test.segmented_control(key="experiments.kind").set_value("mean").run()
    assert "set to the mean over this prompt's positions" in said(test) and "press “Run the changed model”" in said(
        test
    )
    test.session_state["visit"].open(trace.branch(5))  # another run: nothing is told of it
    assert NOT_RUN in said(test.run()) and not test.exception


def test_steering_and_patching_say_what_they_add_and_what_is_wrong(trace: Trace) -> None:
    test = page(trace.cut(4))
    test.segmented_control(key="experiments.way").set_value("Steer").run()
    assert "the unembedding of ' king' added before L3 at all positions, dose 50" in said(test)
    test.text_input(key="experiments.steer_token").set_value("king said")
    assert "name one, with its blank" in said(run(test))
    test.segmented_control(key="experiments.direction").set_value("The difference of two prompts").run()
    assert "long: 50" in said(run(test)) and not tried(test).changed.error
    test.segmented_control(key="experiments.way").set_value("Patch").run()
    test.text_input(key="experiments.source").set_value("The king").run()
    assert "It has 2 tokens; the prompt of the run has 5." in said(test)
    assert "has 2 tokens and the other 5; give two of the same number, or align them at the end" in said(run(test))
    test.toggle(key="experiments.align").set_value(True).run()
    assert (
        "Changed: the stream before L3 taken from 'The king' at the last 2 positions" in said(run(test))
        and not test.exception
    )


def test_a_sweep_is_drawn_as_far_as_it_is_and_said_to_be_of_what(trace: Trace) -> None:
    test = page(trace.cut(3))
    test.button(key="experiments.sweep_run").click().run()
    sweep = tried(test).sweep
    sweep.wait(60)
    assert sweep.found.done == 54 and "Zero ablation, one part at a time, at all positions; read at step 2" in said(
        test.run()
    )
    # The strongest cell is told of, and taken up as the change.
    row, column = sweep.found.strongest
    part = f"MLP of L{row}" if column == 8 else f"L{row}·H{column}"
    assert f"{part} changes the logit difference by" in said(test) and "number 1 of 54" in said(test)
    test.button(key="experiments.heat.take").click().run()
    assert test.multiselect(key="experiments.parts").value == [part] and not test.exception
    test.text_input(key="experiments.token").set_value("king said").run()
    test.button(key="experiments.sweep_run").click().run()
    tried(test).sweep.wait(60)
    assert "name one, with its blank" in said(test.run()) and not test.exception


def test_a_patch_found_by_a_sweep_is_taken_up_with_its_layer_and_position(trace: Trace) -> None:
    test = page(trace.cut(2))
    test.segmented_control(key="experiments.way").set_value("Patch").run()
    test.text_input(key="experiments.source").set_value("The king said a few").run()
    test.segmented_control(key="experiments.over True").set_value("Stream, patched").run()
    test.button(key="experiments.sweep_run").click().run()
    sweep = tried(test).sweep
    sweep.wait(60)
    row, column = sweep.found.strongest
    test.run().button(key="experiments.heat.take").click().run()
    assert f"On: the stream before L{row} taken from 'The king said a few' at position {column}." in said(test)
    assert "Changed:" in said(run(test)) and not test.exception
    assert tried(test).changed.found.kl[0] > 1


def test_a_cell_that_is_picked_is_changed_and_let_go_it_is_not(engine: Engine) -> None:
    def script() -> None:
        import streamlit as st

        from pages.change.controls import take_pick

        state = st.session_state
        state["chosen"] = take_pick(state["config"], "grid", state.get("chosen", []))

    test, seen = AppTest.from_function(script), []
    test.session_state["config"] = engine.config
    for cell in (None, (3, 4), (3, 4), (5, 8), (3, 4), None, (3, 4)):
        test.session_state["grid"] = {"cell": cell}
        seen.append(test.run().session_state["chosen"])
        assert not test.exception
    one, both = ["L2·H4"], ["L2·H4", "MLP of L0"]
    assert seen == [[], one, one, both, both[1:], both[1:], [*both[1:], *one]]
    test.session_state["grid"] = None  # another page was opened in between
    assert test.run().session_state["chosen"] == seen[-1]
    test.session_state["grid"] = {"cell": None}
    assert test.run().session_state["chosen"] == seen[-1]


CHANGES = (
    Mute((head(2, 4), mlp(0))),
    Mute((head(1, 3),), "mean", positions=(0, 2)),
    Mute((mlp(5),), "scale", -1.5),
    Steer(2, -0.7, " king", positions=(1,)),
    Steer(4, 1.2, "", "She was glad", "She was sad"),
    Patch("The old king went home", head(3, 6), (4,)),
    Patch("The king", stream(1), align_end=True),
    Patch("The king", mlp(2)),
)


def on(trace: Trace, change: NamedChange | None) -> AppTest:
    """The page as it opens with an address that has this change."""
    test = AppTest.from_file(str(PAGE), default_timeout=60)
    visit = Visit(Player(trace, "Once upon a time"), cursor=len(trace.steps) - 1, change=change)
    visit.job.wait(60)
    test.session_state["visit"] = visit
    return test.run()


@pytest.mark.parametrize("plan", CHANGES, ids=lambda plan: plan.says[:30])
def test_the_controls_say_the_change_of_the_address(trace: Trace, plan) -> None:
    test = on(trace.cut(2), NamedChange(plan))
    assert not test.exception and f"On: {plan.says}." in said(test)
    assert test.session_state["visit"].change == NamedChange(plan)


def test_a_change_that_does_not_fit_the_run_is_one_sentence_and_nothing_is_changed(trace: Trace) -> None:
    for plan, why in (
        (Mute((head(9, 0),)), "There is no layer 9"),
        (Mute((mlp(0),), positions=(99,)), "no position 99"),
    ):
        test = on(trace.cut(2), NamedChange(plan, "mine"))
        assert not test.exception and "On: nothing" in said(test) and test.session_state["visit"].change is None
        assert why in test.error[0].value and test.error[0].value.startswith("The link's change does not fit this run")


def test_changes_are_named_listed_compared_put_on_again_and_let_go(engine: Engine, trace: Trace) -> None:
    shown = trace.cut(5)
    test = on(shown, NamedChange(Mute((head(2, 4),)), "quiet"))
    assert "On: quiet: L2·H4 set to zero at all positions." in said(test) and "quiet, on" in said(test)
    run(test)
    *_, quiet = twin(engine, shown, ablation([head(2, 4)]))
    assert compared.effect_words(quiet, 4) in said(test)
    test.multiselect(key="experiments.parts").select("MLP of L0").run()
    assert "quiet, on" not in said(test) and "L2·H4, the MLP of L0 set to zero" in said(test)
    both = "experiments.name zero_2.4-0.m"
    test.text_input(key=both).set_value("quiet").run()
    assert test.error[0].value == SAME_NAME and list(tried(test).kept.values()) == ["quiet"]
    test.text_input(key=both).set_value(" both  of them ").run()
    assert not test.error and list(tried(test).kept.values()) == ["quiet", "both of them"]
    assert compared.NOT_MADE in said(test)
    *_, two = twin(engine, shown, ablation([head(2, 4), mlp(0)]))
    assert compared.effect_words(two, 4) in said(run(test)) and compared.effect_words(quiet, 4) in said(test)
    test.button(key="experiments.put 0").click().run()
    assert "On: quiet:" in said(test) and "Changed: L2·H4 set to zero at all positions." in said(test)
    assert test.session_state["visit"].change == NamedChange(Mute((head(2, 4),)), "quiet")
    test.button(key="experiments.drop 0").click().run()
    assert not test.exception and list(tried(test).kept.values()) == ["both of them"] and "On: L2·H4 set" in said(test)


def test_no_more_changes_are_kept_than_a_page_can_list() -> None:
    tried = Experiments()
    for at in range(MOST_KEPT):
        tried.keep(Mute((head(0, at),)), f"number {at}")
    tried.keep(Mute((head(1, 0),)), "one more")
    assert (len(tried.kept), tried.refusal) == (MOST_KEPT, ALL_KEPT)
    tried.keep(Mute((head(0, 0),)), "renamed")
    assert (len(tried.kept), tried.kept[Mute((head(0, 0),))], tried.refusal) == (MOST_KEPT, "renamed", "")
