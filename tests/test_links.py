"""Following a link: the same run is made again, or one sentence says why not; and what the address says of a run."""

from dataclasses import replace
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest
from streamlit.testing.v1 import AppTest

from gpt2.experiments.part import head
from gpt2.experiments.plan import Mute, Steer
from gpt2.experiments.plan_text import NamedChange
from gpt2.model.sampling import Sampling
from pages.server.models import ALWAYS, Pool
from pages.stage.actions import View, parse
from pages.visit.controls import DEFAULT
from pages.visit.examples import recorded_run
from pages.visit.link import DIFFERS, FROM_FILE, LONG_CHANGE, MAKING, TOO_LONG, TOO_MANY, UNLIKE, Link
from pages.visit.model_choice import ModelChoice
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.models import copies, loaded
from tests.players import evict, wait

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]


def following(query: str) -> Visit:
    """A visit that begins with a link."""
    link = Link(query)
    return Visit(Player(*link.recorded), link=link)


def visit_of(query: str) -> Visit:
    """A visit that has followed a link, its run made if it can be."""
    visit = following(query)
    visit.job.wait(60)
    visit.refresh()
    wait(visit)
    visit.refresh()
    return visit


def query_of(visit: Visit) -> str:
    assert visit.snapshot().link.problem == ""
    return visit.snapshot().link.query


def draws(visit: Visit) -> list:
    return [step.draw for step in visit.player.trace.steps]


@pytest.fixture
def mixed() -> Visit:
    """A run whose settings have changed twice on the way, the second time for its newest token alone."""
    visit = visit_of("")
    visit.answer(parse("run", {"text": "The king & <b>", "max_new_tokens": 6, "speed": 0}))
    wait(visit)
    visit.answer(parse("play", {"cursor": 4, "temperature": 0, "max_new_tokens": 4, "speed": 0}))
    wait(visit)
    visit.answer(View(cursor=8, head=None, paint_ms=None))
    visit.answer(parse("settings", {"temperature": 1.5, "seed": 99, "ignore_eos": True}))
    return visit


def test_a_run_whose_settings_changed_comes_back_to_the_same_draws(mixed) -> None:
    again = visit_of(f"{query_of(mixed)}&step=3&head=2.4")
    assert len({draw.sampling for draw in draws(mixed)}) == 3
    assert draws(again) == draws(mixed) and again.player.prompt == "The king & <b>"
    assert (again.cursor, again.head, again.sampling, again.ignore_eos) == (3, (2, 4), mixed.sampling, True)
    assert again.status().kind == "paused" and not again.status().is_news
    assert query_of(again) == query_of(mixed)


def test_an_evicted_run_keeps_its_address(mixed) -> None:
    before = query_of(mixed)
    evict(mixed.player)
    assert query_of(mixed) == before


def test_a_change_comes_back_with_its_run_and_one_with_long_texts_has_no_link() -> None:
    visit = visit_of("prompt=The+king&tokens=5&change=zero_2.4&named=quiet&temperature=0.5")
    assert visit.change == NamedChange(Mute((head(2, 4),)), "quiet")
    assert query_of(visit).endswith("&change=zero_2.4&named=quiet") and "temperature=0.5" in query_of(visit)
    visit.change = NamedChange(Steer(2, 0.5, "", "a" * 1000, "b" * 1000))
    link = visit.snapshot().link
    assert link.problem == LONG_CHANGE and "change" not in link.query and "prompt=The+king" in link.query
    visit.change = None
    assert "change" not in query_of(visit)
    assert visit_of("change=zero_2.4").snapshot().link.query == "change=zero_2.4"  # of the recorded run


def test_a_link_without_a_number_of_tokens_runs_as_a_press_of_run_does() -> None:
    visit = visit_of("prompt=The+king&max_new_tokens=7")
    assert len(visit.player.trace.steps) == 7 and visit.cursor == 6


def test_while_the_model_loads_the_link_is_kept_and_says_what_will_come(pool: Pool) -> None:
    visit = following("prompt=The+king&tokens=5&step=2")
    assert visit.player.is_recorded
    if visit.job.is_loading:
        shown = visit.snapshot()
        assert (shown.prompt, shown.status.text, shown.recorded) == ("The king", MAKING, True)
        assert (shown.link.query, shown.link.is_pending) == ("prompt=The+king&tokens=5&step=2", True)
    visit.job.wait(60)
    visit.refresh()
    wait(visit)
    assert visit.status().text == MAKING  # so that the browser asks once more
    visit.refresh()
    arrival = visit.snapshot().link.arrival
    assert arrival is not None and (arrival.run, arrival.step) == (visit.player.trace.run_id, 2)


def test_a_step_and_a_head_that_do_not_exist_are_the_last_step_and_none() -> None:
    visit = visit_of("prompt=The+king&tokens=5&step=99&head=7.99")
    assert (visit.cursor, visit.head) == (4, None)
    assert visit.status().is_news and "no head 7.99" in visit.status().text
    visit.answer(parse("settings", {"seed": 3}))
    assert not visit.status().is_news


def test_a_position_is_looked_at_if_the_prompt_has_it() -> None:
    visit = visit_of("prompt=The+king&tokens=5&at=1")
    assert (visit.watched, visit.snapshot().link.arrival.watched) == (1, 1) and not visit.status().is_news
    visit = visit_of("prompt=The+king&tokens=5&at=2")  # the first token that was drawn
    assert (visit.watched, visit.snapshot().link.arrival.watched) == (None, None)
    assert visit.status().is_news and "no position 2" in visit.status().text


def test_a_recorded_run_is_named_and_its_step_and_head_are_shown() -> None:
    visit = visit_of("run=again&step=3&head=1.2&temperature=0.5")
    trace = recorded_run("again")
    assert visit.player.trace is trace and (visit.cursor, visit.head) == (3, (1, 2))
    assert query_of(visit) == "run=again&temperature=0.5"
    assert query_of(visit_of("")) == ""


def test_a_text_that_is_not_the_links_is_said_to_be_another() -> None:
    visit = visit_of("prompt=The+king&tokens=5&check=AAAAAAAA")
    assert visit.status().text == DIFFERS and visit.status().is_news


def test_a_malformed_link_gives_one_sentence_and_the_first_recorded_run() -> None:
    visit = visit_of("prompt=%3Cscript%3E&temperature=hot")
    assert visit.player.trace is recorded_run("once") and query_of(visit) == ""
    assert visit.status().text == "The address cannot be read, as temperature is not a number; ask for the link again."
    visit.answer(parse("run", {"text": "The king", "max_new_tokens": 2, "speed": 0}))
    wait(visit)
    assert visit.status().kind == "paused" and not visit.status().is_news


@pytest.mark.parametrize(
    "query", ["prompt=" + quote(" the" * 700), "prompt=Hi&top_k=999999", "prompt=Hi&tokens=2&drawn=x"]
)
def test_a_link_that_cannot_be_run_gives_one_sentence_and_the_first_recorded_run(query) -> None:
    visit = visit_of(query)
    assert visit.player.trace is recorded_run("once")
    assert visit.status().is_news and visit.status().kind == "recorded"
    visit.answer(parse("run", {"text": "The king", "max_new_tokens": 2, "speed": 0}))
    wait(visit)
    assert len(visit.player.trace.steps) == 2


def test_a_run_of_a_visitors_own_takes_the_place_of_the_links() -> None:
    visit = following("prompt=The+king&tokens=500")
    visit.job.wait(60)
    visit.refresh()
    visit.answer(parse("run", {"text": "A mouse", "max_new_tokens": 3, "speed": 0}))
    wait(visit)
    visit.refresh()
    assert visit.player.prompt == "A mouse" and len(visit.player.trace.steps) == 3
    assert query_of(visit).startswith("prompt=A+mouse&max_new_tokens=3&speed=0&tokens=3&")


def test_a_links_model_that_is_not_here_waits_for_the_visitor(unset_host, pool: Pool) -> None:
    visit = visit_of("prompt=The+king&model=someone/else&tokens=4")
    assert visit.player.is_recorded and pool.get("someone/else") is None
    assert "choose it in the settings" in visit.status().text and visit.status().is_news
    assert visit.snapshot().link.query == "prompt=The+king&model=someone%2Felse&tokens=4"


def test_a_link_goes_on_once_the_visitor_has_chosen_its_model(unset_host, pool: Pool, tmp_path) -> None:
    (folder,) = copies(tmp_path, "copy")
    link = Link(f"prompt=The+king&tokens=4&model={quote(folder)}")
    visit = Visit(Player(*link.recorded), ModelChoice(is_local=True), link)
    visit.job.wait(60)
    assert pool.get(folder) is None and "choose it" in visit.status().text
    visit.answer(parse("model", {"name": folder}))
    job = pool.get(folder)
    assert job is not None
    job.wait(60)
    visit.refresh()
    wait(visit)
    assert visit.player.trace.model == folder and len(visit.player.trace.steps) == 4


def test_a_links_model_that_is_loaded_already_is_taken_without_a_press(unset_host, pool: Pool, tmp_path) -> None:
    (folder,) = copies(tmp_path, "copy")
    loaded(pool, folder)
    link = Link(f"prompt=The+king&tokens=4&model={quote(folder)}")
    visit = Visit(Player(*link.recorded), ModelChoice(is_local=True), link)
    wait(visit)
    assert visit.player.trace.model == folder and len(visit.player.trace.steps) == 4


@pytest.mark.parametrize("name", ["/etc/passwd", "<b>x</b>", "someone/else"])
def test_a_model_that_the_host_does_not_offer_is_refused(unset_host, monkeypatch, pool: Pool, name) -> None:
    monkeypatch.setenv("GPT2_PUBLIC", "1")
    visit = visit_of(f"prompt=The+king&tokens=4&model={quote(name)}")
    assert visit.player.is_recorded and visit.choice.shown == ALWAYS and pool.get(name) is None
    assert "is not offered here" in visit.status().text and not visit.snapshot().link.is_pending


def test_a_run_from_a_file_has_no_link_until_it_is_made_again_here(trace) -> None:
    visit = visit_of("")
    visit.open(replace(trace), is_own=True)
    assert (visit.snapshot().link.query, visit.snapshot().link.problem) == ("", FROM_FILE)
    visit.answer(parse("play", {"cursor": 39, "max_new_tokens": 1, "speed": 0}))
    wait(visit)
    visit.refresh()
    assert draws(visit_of(query_of(visit))) == draws(visit)


def test_a_prompt_whose_text_gives_other_tokens_has_no_link(engine, trace) -> None:
    ids = engine.tokenizer.encode("Once upon")
    split = tuple(token for char in "Once upon" for token in engine.tokenizer.encode(char))
    assert len(split) > len(ids)
    run = engine.start(list(split))
    run.advance(DEFAULT.sampling)
    visit = visit_of("")
    visit.open(run.trace, is_own=True)
    visit.answer(parse("play", {"cursor": 0, "max_new_tokens": 1, "speed": 0}))
    wait(visit)
    visit.refresh()
    assert visit.snapshot().link.problem == UNLIKE


def test_a_prompt_that_is_too_long_for_a_link_is_left_out_and_said(engine) -> None:
    pieces = [piece.decode(errors="replace") for piece in engine.tokenizer.vocabulary.tokens]
    words = [piece for piece in pieces if len(piece) > 4 and piece.isascii() and piece[0] == " "]
    visit = visit_of("")
    text = "".join(Random(1).choices(words, k=500))
    visit.answer(parse("run", {"text": text, "max_new_tokens": 1, "speed": 0, "seed": 5}))
    wait(visit)
    assert visit.player.prompt == text and len(visit.player.trace.steps) == 1
    link = visit.snapshot().link
    assert (link.query, link.problem) == ("seed=5&max_new_tokens=1&speed=0", TOO_LONG)


def test_settings_that_changed_too_often_for_a_link_are_said_to_have(engine) -> None:
    visit = visit_of("")
    visit.player.again(engine, "The king", tuple(Sampling(0.8, 0, 0.95, 10**18 + n) for n in range(60)))
    wait(visit)
    assert visit.snapshot().link.problem == TOO_MANY


def test_the_app_reads_the_address_of_its_first_script_run_alone() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["prompt"] = "The king"
    app.query_params["tokens"] = "3"
    app.run()
    visit: Visit = app.session_state["visit"]
    assert not app.exception and visit.link.address.prompt == "The king"
    app.query_params["prompt"] = "Another"
    app.run()
    assert not app.exception and app.session_state["visit"].link.address.prompt == "The king"
