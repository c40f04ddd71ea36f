"""Every page runs on every kind of trace; controls reach the numbers; what is refused is one sentence."""

import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from streamlit.testing.v1 import AppTest

import gpt2
from gpt2.engine.turns import Turn
from gpt2.errors import EngineError
from gpt2.model.sampling import Sampling
from gpt2.trace.budget import squeeze_to_fit
from gpt2.trace.captures import Captures
from gpt2.trace.trace import Trace
from pages.charts.sampling import columns
from pages.charts.sampling.outcome import Outcome
from pages.look.palette import LIGHT
from pages.look.tokens import markdown
from pages.server.models import Pool
from pages.stage.actions import parse
from pages.stage.snapshot import Status
from pages.visit.examples import recorded_run
from pages.visit.on_stage import EVICTED
from pages.visit.player import Player
from pages.visit.visit import STILL_LOADING, Visit
from tests.players import wait

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
LENSES = {
    "embeddings": "What is each token before the model thinks?",
    "attention": "Who is each token looking at?",
    "mlp": "What does each neuron do?",
    "residual": "What does each layer add?",
    "attribution": "Why this token?",
    "paths": "Where did the answer come from?",
    "sampling": "How is the next token chosen?",
    "cost": "What does a token cost?",
}


def page(name: str, trace: Trace, cursor: int | None = None) -> AppTest:
    """One page run by itself with `trace` on the stage."""
    test = AppTest.from_file(str(ROOT / "pages" / "watch" / f"{name}.py"), default_timeout=60)
    last = max(0, len(trace.steps) - 1)
    test.session_state["visit"] = Visit(Player(trace, "Once upon a time"), cursor=last if cursor is None else cursor)
    return test.run()


@pytest.fixture(scope="module")
def odd(engine) -> Trace:
    """A run whose tokens are spaces, line breaks, half characters and markup."""
    run = engine.start("  \n\n<script>alert(1)</script> **x** 🐉 عرب \x07")
    for _ in range(3):
        run.advance(Sampling(1.5, 40, 0.9, 3))
    return run.trace


def test_the_entry_runs_twice_without_an_error():
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not test.exception
    assert not test.run().exception


def test_live_runs(trace):
    assert not page("live", trace).exception


@pytest.mark.parametrize("name", LENSES)
def test_a_lens_asks_its_question_and_answers_it_with_a_minus_and_not_a_hyphen(name, trace):
    test = page(name, trace)
    assert not test.exception
    assert [header.value for header in test.header] == [LENSES[name]]
    sentences = [re.sub("(`+) .*? \\1", "", part.value) for part in (*test.text, *test.caption, *test.markdown)]
    assert [sentence for sentence in sentences if re.search(r"(?<![\w-])-[ \d]", sentence)] == []
    assert not test.run().exception


@pytest.mark.parametrize("name", LENSES)
@pytest.mark.parametrize("steps", [1, 2])
def test_a_lens_can_look_at_a_run_that_has_just_begun(name, trace, steps):
    assert not page(name, trace.cut(steps)).exception


@pytest.mark.parametrize("name", LENSES)
def test_a_lens_says_what_to_do_when_there_is_no_run(name, trace):
    test = page(name, trace.cut(0))
    assert not test.exception
    assert any("prompt" in text.value or "Play" in text.value for text in (*test.text, *test.info, *test.caption))


@pytest.mark.parametrize("name", ["live", *LENSES])
def test_odd_tokens_break_nothing_and_never_become_markup(name, odd):
    test = page(name, odd)
    assert not test.exception
    assert not any("<script>" in element.value for element in (*test.markdown, *test.caption))


@pytest.mark.parametrize("name", ["live", *LENSES])
def test_a_run_of_a_model_that_is_not_loaded_still_opens(name, trace):
    foreign = replace(trace, model="someone/else", config=replace(trace.config, layer_norm_epsilon=2e-5))
    assert not page(name, foreign).exception


@pytest.mark.parametrize("name", LENSES)
def test_a_lens_looks_at_the_step_under_the_cursor(name, trace):
    assert told(page(name, trace, cursor=5)) != told(page(name, trace, cursor=30))


@pytest.mark.parametrize("name", LENSES)
def test_a_chart_is_drawn_as_marks_however_many_for_a_canvas_has_no_file(name, trace):
    for chart in page(name, trace).get("vega_lite_chart"):
        assert json.loads(chart.proto.spec)["usermeta"] == {"embedOptions": {"renderer": "svg"}}


def test_a_bar_picks_what_the_map_has_no_cell_for_and_a_pick_of_a_larger_models_map_is_none(trace):
    columns, n_layer = trace.config.n_head + 2, trace.config.n_layer
    for column, is_there in ((2, True), (3, False), (columns - 1, False), (columns, False)):
        test = page("attribution", trace)
        test.session_state["attribution.map"] = {"cell": [n_layer, column]}
        test.run()
        assert not test.exception
        assert ("The final norm's bias gives" in told(test)) is is_there


def told(test: AppTest) -> str:
    """All that a page says, the texts that stand for its charts too."""
    charts = [chart.proto.alt for chart in test.get("vega_lite_chart")]
    return "\n".join([element.value for element in (*test.text, *test.markdown, *test.caption)] + charts)


def test_the_cost_of_a_run_is_measured_at_the_press_of_a_button(trace):
    test = page("cost", trace)
    visit = test.session_state["visit"]
    assert "Press Run or Play to make a run here" in told(test) and test.button(key="cost.measure").disabled
    visit.job.wait(60)
    visit.answer(parse("run", {"text": "The bird", "max_new_tokens": 9, "speed": 0}))
    wait(visit)
    visit.cursor = 8
    test = test.run()
    assert "has not been measured yet" in told(test) and "none; the graphs were stored" in told(test)
    test.button(key="cost.measure").click().run()
    visit.measurement.wait(60)
    test = test.run()
    assert not test.exception and not visit.measurement.error
    assert f"At position {visit.player.trace.seq - 1} the cache " in told(test)
    visit.measure()
    visit.answer(parse("run", {"text": "The fox", "max_new_tokens": 1}))
    assert not visit.measurement.is_running


def test_the_cost_page_tells_of_recorded_squeezed_and_foreign_runs(trace):
    once = recorded_run("once")
    old = replace(once, steps=tuple(replace(step, timing=None) for step in once.steps))  # as before it was measured
    assert "press Run to measure them" in told(page("cost", old))
    squeezed = told(page("cost", squeeze_to_fit(trace, trace.nbytes // 3)))
    assert "squeezed: " in squeezed and "of 40 steps. " in squeezed
    config = replace(trace.config, layer_norm_epsilon=2e-5)
    test = page("cost", replace(trace, model="someone/else", config=config))
    assert "the model of this run is not loaded" in told(test)
    assert "Press Run or Play to make a run here" in told(test) and not test.exception


def test_the_cost_page_says_that_a_run_was_let_go(engine, trace, monkeypatch):
    monkeypatch.setattr(Visit, "_engine", lambda _: engine)
    test = page("cost", trace)
    visit = test.session_state["visit"]
    visit.answer(parse("run", {"text": "The bird", "max_new_tokens": 3, "speed": 0}))
    wait(visit)
    visit.cursor = 2
    assert "of 256" in told(test.run())
    assert visit.player.evict() > 0
    assert EVICTED in told(test.run()) and not test.exception


def test_a_model_that_failed_is_tried_again_and_what_is_said_meanwhile_goes_by_itself(trace, monkeypatch):
    own = Pool()
    monkeypatch.setattr("pages.visit.visit.pool", lambda: own)
    monkeypatch.setattr("pages.visit.model_choice.pool", lambda: own)
    monkeypatch.setattr(gpt2, "bind", refuse_to_bind)
    visit = Visit(Player(trace, ""))
    own.request("bundled").wait(60)
    assert visit.status() == Status("error", "No memory.")
    monkeypatch.undo()
    monkeypatch.setattr("pages.visit.visit.pool", lambda: own)
    monkeypatch.setattr("pages.visit.model_choice.pool", lambda: own)
    visit.answer(parse("run", {"text": "The bird"}))
    assert visit.player.error == STILL_LOADING
    own.request("bundled").wait(60)
    visit.refresh()
    assert visit.status().kind == "recorded" and not visit.player.error


def refuse_to_bind(*_: object, **__: object) -> NoReturn:
    raise EngineError("No memory.")


def test_only_settings_changed_at_the_last_step_draw_it_again(visit):
    before = visit.player.trace
    visit.cursor = 2
    visit.answer(parse("settings", {"temperature": 0}))
    assert visit.player.trace is before and visit.sampling.temperature == 0
    visit.cursor = 5
    visit.answer(parse("settings", {"temperature": 0}))
    assert visit.player.trace.steps[-1].draw.sampling.temperature == 0


def test_a_lens_page_is_drawn_again_when_its_step_changes_under_a_resting_cursor(visit):
    step, head = visit.view_key
    assert visit.view_key[0] is step and head is None
    visit.answer(parse("settings", {"temperature": 0}))
    assert visit.view_key[0] is not step
    visit.cursor = 0
    first = visit.view_key[0]
    visit.answer(parse("run", {"text": "The fox", "max_new_tokens": 1}))
    wait(visit)
    assert visit.view_key[0] is not first


def test_weights_of_the_same_sizes_that_did_not_make_the_run_are_not_read_with_it(visit, trace):
    assert visit.model_of_run is visit.job and visit.snapshot().tables is visit.job.tables
    first = trace.steps[0]
    moved = {**first.captures, "hook_embed": first.captures["hook_embed"] + 0.05}
    foreign = trace.cut(0).append(replace(first, captures=Captures(moved)))
    assert not visit.job.matches(foreign)
    visit.open(foreign)
    assert visit.snapshot().tables is None


def test_the_draft_is_counted_as_it_is_typed(trace, checkpoint):
    visit = Visit(Player(trace, ""))
    visit.answer(parse("draft", {"text": " A hen\n"}))
    assert (visit.draft.tokens, visit.draft_error) == (len(checkpoint.tokenizer.encode(" A hen\n")), None)
    visit.answer(parse("draft", {"text": " the" * 600}))
    assert visit.draft.tokens == 600 and "88 more" in visit.draft_error


def test_other_sampling_settings_are_shown_without_a_pass_of_the_model(trace: Trace):
    visit, step = Visit(Player(trace, "Once upon a time"), cursor=7), trace.steps[7]
    visit.job.wait(60)
    test = AppTest.from_file(str(ROOT / "pages" / "watch" / "sampling.py"), default_timeout=60)
    test.session_state["visit"] = visit
    test.run()
    drawn = Outcome.drawn(step)
    settings = drawn.settings
    look = columns.columns_chart(drawn, drawn, step.logits, trace.vocabulary, LIGHT).look  # shared by all visitors
    as_built = deepcopy(look)
    with Turn(visit.job.engine.turns):  # whoever wants a pass now waits until this is over
        test.slider(key=f"sampling.temperature {settings}").set_value(1.5).run()
    preview = Outcome.preview(step, replace(step.draw.sampling, temperature=1.5))
    said = columns.columns_sentence(preview, drawn, trace.vocabulary)
    assert not test.exception and markdown(said) in [one.value for one in test.markdown]
    assert visit.player.trace is trace
    assert look == as_built


WITHOUT_MAX = """
import sys
sys.modules["max"] = None
from streamlit.testing.v1 import AppTest
names = "live embeddings attention mlp residual attribution paths sampling cost"
watch = [f"watch/{name}" for name in names.split()]
lessons = [f"learn/lessons/lesson_{name}" for name in ("01_configuration", "07_attention")]
change = ("change/experiments", "change/branches", "change/compare")
for name in (*watch, *change, *lessons):
    test = AppTest.from_file(f"pages/{name}.py", default_timeout=60).run()
    assert not test.exception, (name, test.exception)
visit = test.session_state["visit"]
import time
while visit.job.is_loading:
    time.sleep(0.05)
print(visit.status().kind, visit.status().text)
from gpt2.__main__ import main
main(["generate", "a"])
"""


def test_without_max_recorded_runs_open_on_every_page_and_one_sentence_says_why():
    command, own = [sys.executable, "-c", WITHOUT_MAX], dict(os.environ)  # not what MAX has left in the C library's
    done = subprocess.run(command, env=own, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    said = done.stdout.strip()
    assert said.startswith("error MAX cannot be imported here") and "Recorded runs still open" in said
    assert "MAX cannot be imported here" in done.stderr
