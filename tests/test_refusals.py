"""What is refused is one sentence, about the text, the setting or the run that it concerns, for as long as it does."""

from dataclasses import replace
from typing import NoReturn

import pytest

from gpt2.engine.run import Run
from gpt2.engine.turns import Turn
from gpt2.errors import EngineError
from gpt2.model.sampling import Sampling
from pages.stage.actions import parse
from pages.visit.draft import TypedPrompt
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.players import wait

pytestmark = pytest.mark.slow


def fail(*_: object) -> NoReturn:
    raise EngineError("No memory.")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"temperature": "NaN"}, "Temperature"),
        ({"temperature": -1}, "Temperature"),
        ({"temperature": "warm"}, "must be a number"),
        ({"top_p": 0}, "Top-p"),
        ({"top_k": 99999}, "vocabulary has only"),
        ({"top_k": "2.5"}, "whole number"),
        ({"seed": ""}, "whole number"),
        ({"max_new_tokens": 0}, "number of new tokens"),
        ({"speed": 1000}, "speed"),
        ({"speed": 1e-300}, "speed"),
        ({"text": ""}, "empty"),
        ({"text": " the" * 600}, "88 more than the 512"),
        ({"text": "a\ud800"}, "surrogate"),
    ],
)
def test_a_refused_order_is_one_sentence_of_what_was_wrong_and_keeps_run_and_settings(
    engine, trace, values, sentence, monkeypatch
):
    visit = Visit(Player(trace, "Once upon a time"))
    monkeypatch.setattr(Visit, "_engine", lambda _: engine)
    visit.answer(parse("run", {"text": "The bird", **values}))
    shown = visit.snapshot()
    said = {"text": shown.draft_error, **shown.setting_errors}
    assert {name for name, error in said.items() if error} == set(values)
    (told,) = (said[name] for name in values)
    assert sentence in told and "\n" not in told
    assert shown.status.kind != "error" and visit.player.trace is trace
    assert visit.sampling == Sampling(0.8, 0, 0.95, 1)


def test_each_wrong_setting_has_its_sentence_and_none_is_taken_until_all_are_right(visit):
    wrong = {"temperature": "-1", "top_p": "0", "seed": "1.5", "max_new_tokens": "9999", "speed": "abc"}
    visit.answer(parse("settings", {**wrong, "top_k": 5}))
    assert visit.snapshot().setting_errors == {
        "temperature": "Temperature must be 0 (greedy) or a positive number, not -1.",
        "top_p": "Top-p must be above 0 and at most 1 (1 switches it off), not 0.",
        "seed": "The seed must be a whole number, not '1.5'.",
        "max_new_tokens": "The number of new tokens must be from 1 to 512, not 9999.",
        "speed": "Speed must be a number, not 'abc'.",
    }
    visit.answer(parse("play", {"temperature": 0, "speed": -3}))
    assert list(visit.setting_errors) == ["speed"] and not visit.player.is_running
    assert (visit.sampling, visit.speed) == (Sampling(0.8, 0, 0.95, 1), 0)
    visit.answer(parse("settings", {"temperature": 0, "speed": 3}))
    assert visit.setting_errors == {} and (visit.sampling.temperature, visit.snapshot().speed) == (0, 3)


def test_a_run_that_failed_before_its_first_step_is_an_error_of_its_text_and_not_of_the_run_on_the_stage(
    visit, engine, monkeypatch
):
    on_stage = visit.player.trace
    with monkeypatch.context() as patch:
        patch.setattr(Run, "advance", fail)
        visit.answer(parse("run", {"text": "The fox"}))
        wait(visit)
    visit.refresh()
    shown = visit.snapshot()
    assert (shown.draft_error, shown.status.kind) == ("No memory.", "paused") and visit.player.trace is on_stage
    visit.answer(parse("draft", {"text": "The foxes"}))
    assert visit.snapshot().draft_error is None
    visit.answer(parse("draft", {"text": "The fox"}))
    assert visit.snapshot().draft_error == "No memory."
    with monkeypatch.context() as patch:
        patch.setattr(Run, "advance", fail)
        visit.answer(parse("play", {"cursor": 5}))
        wait(visit)
    assert visit.status().text == "No memory." and visit.snapshot().draft_error is None
    visit.open(engine.run("A hen"), is_own=True)
    assert visit.status().kind == "recorded"


def test_a_text_that_was_refused_with_one_model_is_judged_anew_with_another(checkpoint):
    short = replace(checkpoint, name="short", config=replace(checkpoint.config, n_positions=4))
    typed, text = TypedPrompt(), " the" * 6
    typed.count(text, short)
    assert typed.error is not None and "2 more than the 4" in typed.error
    typed.count(text, checkpoint)
    assert (typed.tokens, typed.error) == (6, None)


def test_the_prompt_of_a_starting_run_is_told_until_it_is_on_the_stage(visit, engine):
    with Turn(engine.turns):
        visit.answer(parse("run", {"text": "The fox"}))
        assert (visit.snapshot().next_prompt, visit.snapshot().prompt) == ("The fox", "The bird")
    wait(visit)
    assert (visit.snapshot().next_prompt, visit.snapshot().prompt) == (None, "The fox")


def test_a_refusal_stays_until_something_else_is_typed_and_leaves_the_run_as_it_was(visit):
    visit.answer(parse("run", {"text": ""}))
    visit.answer(parse("draft", {"text": ""}))
    assert "empty" in visit.draft_error and visit.status().kind == "paused"
    visit.answer(parse("draft", {"text": "A"}))
    assert visit.draft_error is None


def test_a_wrong_setting_leaves_the_run_that_is_under_way_as_it_is(visit):
    visit.answer(parse("play", {"max_new_tokens": 400, "speed": 5, "cursor": 5}))
    assert visit.status().kind == "running"
    visit.answer(parse("play", {"top_p": 2, "cursor": 5}))
    assert list(visit.setting_errors) == ["top_p"] and visit.status().kind == "running"
