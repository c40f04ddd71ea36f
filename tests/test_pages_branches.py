"""The Branches page: a press on a token branches the run, and what the page says are the engine's numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from gpt2.model.sampling import Distribution, Sampling
from gpt2.trace.budget import squeeze_to_fit
from gpt2.trace.trace import Trace
from pages.charts.branches import parting
from pages.charts.branches.tree import choice_sentence
from pages.look.tokens import markdown
from pages.visit.branching import start_branch
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.players import wait

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
AT = 6


def page(trace: Trace, cursor: int = AT) -> AppTest:
    test = AppTest.from_file(str(ROOT / "pages" / "change" / "branches.py"), default_timeout=60)
    visit = Visit(Player(trace, "Once upon a time"), cursor=cursor)
    visit.job.wait(60)
    test.session_state["visit"] = visit
    return test.run()


def said(test: AppTest) -> str:
    return "\n".join(element.value for element in (*test.text, *test.markdown, *test.caption))


def tree(test: AppTest):
    return test.session_state["visit"].branches


def press(test: AppTest, key: str) -> AppTest:
    """Press a button, and return the page once the branch has been made."""
    test.button(key=f"branches.{key}").click().run()
    wait(test.session_state["visit"])
    return test.run()


def another(trace: Trace, at: int = AT) -> int:
    order = Distribution.of(trace.steps[at].logits, Sampling()).order.tolist()
    return next(token for token in order if token != trace.steps[at].draw.token)


def test_every_kind_of_run_can_be_looked_at(trace: Trace) -> None:
    for shown in (trace, squeeze_to_fit(trace, trace.nbytes // 3), trace.cut(1)):
        test = page(shown, cursor=min(AT, len(shown.steps) - 1))
        assert not test.exception and "There is no branch yet" in said(test)
        assert [header.value for header in test.header] == ["What if another token had come here?"]
    assert "Type a prompt above" in said(page(trace.cut(0)))
    foreign = replace(trace, model="someone/else", config=replace(trace.config, layer_norm_epsilon=2e-5))
    test = press(page(foreign), f"token.{another(trace)}")
    assert not test.exception and "is not loaded, so nothing can be run again" in said(test)


def test_a_press_branches_the_run_and_all_that_is_said_are_the_traces_own_numbers(trace: Trace) -> None:
    test, token = page(trace), another(trace)
    assert markdown(choice_sentence(trace, AT)) in said(test)
    assert test.button(key=f"branches.token.{trace.steps[AT].draw.token}").disabled
    test.number_input(key="branches.tokens").set_value(4).run()
    test = press(test, f"token.{token}")
    assert not test.exception
    visit, (root, made) = test.session_state["visit"], tree(test).all
    assert tree(test).current is made and visit.player.trace.steps[AT].draw.token == token
    assert len(visit.player.trace.steps) == AT + 1 + 4 and tree(test).trace(root) is trace
    pair = parting.Pair.of(trace, visit.player.trace, (root.title, made.title))
    step = AT + 1
    one, other = (run.steps[step].logits.astype(np.float64) for run in (trace, visit.player.trace))
    logs = [rows - rows.max() - np.log(np.exp(rows - rows.max()).sum()) for rows in (one, other)]
    forth = (np.exp(logs[0]) * (logs[0] - logs[1])).sum() / np.log(2)
    back = (np.exp(logs[1]) * (logs[1] - logs[0])).sum() / np.log(2)
    values = pair.divergences(pair.steps)
    assert values[:, 0] == pytest.approx([forth, back], rel=1e-9)
    for sentence in (
        parting.parting_sentence(pair),
        parting.kl_sentence(pair, values),
        parting.norms_sentence(pair, step, pair.at(step).stream_norms()),
    ):
        assert markdown(sentence) in said(test), sentence
    assert f"At step {step} the lens differs by" in said(test)


def test_a_branch_is_named_shown_and_let_go(trace: Trace) -> None:
    test = press(page(trace), f"token.{another(trace)}")
    test.text_input(key="branches.name.1").set_value("the other way").run()
    made = tree(test).all[1]
    assert made.name == "the other way" and "the other way, on the stage" in said(test)
    assert test.button(key="branches.drop.1").disabled and test.button(key="branches.drop.0").disabled
    test.button(key="branches.show.0").click().run()
    visit = test.session_state["visit"]
    assert not test.exception and visit.player.trace is trace and "The first run, on the stage" in said(test)
    test.button(key="branches.drop.1").click().run()
    assert not test.exception and tree(test).all == [tree(test).all[0]]


def test_a_typed_token_is_taken_as_it_is_and_two_are_refused_in_a_sentence(trace: Trace) -> None:
    test = page(trace)
    test.text_input(key="branches.typed").set_value("the king said").run()
    test = press(test, "branch")
    assert "name one, with its blank" in said(test) and tree(test).all == []
    test.text_input(key="branches.typed").set_value(" king").run()
    test = press(test, "branch")
    visit = test.session_state["visit"]
    assert not test.exception and trace.vocabulary.text([visit.player.trace.steps[AT].draw.token]) == " king"


def test_the_other_pages_say_that_the_token_was_chosen_and_show_no_u(trace: Trace) -> None:
    test = press(page(trace), f"token.{another(trace)}")
    visit: Visit = test.session_state["visit"]
    for cut in (False, True):
        if cut:  # a token that the filters would have removed
            last = visit.player.trace.steps[AT].logits.argmin()
            visit.branches.show(visit.branches.all[0])
            start_branch(visit, AT, int(last), 2)
            wait(visit)
        visit.cursor = AT
        for name in ("sampling", "residual", "live"):
            other = AppTest.from_file(str(ROOT / "pages" / "watch" / f"{name}.py"), default_timeout=60)
            other.session_state["visit"] = visit
            other.run()
            assert not other.exception, name
            if name == "sampling":
                assert "Chosen by hand, not drawn: " in said(other)


def test_a_press_of_the_token_that_the_first_run_has_puts_that_run_on_the_stage(trace: Trace) -> None:
    test, own = page(trace), trace.steps[AT].draw.token
    test = press(test, f"token.{another(trace)}")
    button = test.button(key=f"branches.token.{own}")
    assert not button.disabled and button.help == "The first run goes on so: this puts it on the stage."
    test = button.click().run()
    visit = test.session_state["visit"]
    assert not test.exception and visit.branches.error == ""
    assert visit.player.trace is trace and visit.cursor == AT
