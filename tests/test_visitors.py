"""Many visitors at once on one model: each gets the text it would get alone, and nobody another's."""

import gc
import json
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gpt2.engine.turns import Turn
from pages.server.memory import collect_garbage
from pages.server.models import pool
from pages.stage.actions import parse
from pages.stage.message import BrowserState, encode_message
from pages.stage.record_cache import RecordCache
from pages.stage.snapshot import Status
from pages.visit import generation as generation
from pages.visit.generation import GONE, GONE_SECONDS
from pages.visit.on_stage import EVICTED
from pages.visit.player import Player
from pages.visit.visit import TICK_MS, Visit
from tests.messages import read
from tests.players import SAMPLING, alone, finish

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PROMPTS = [f"{who} {did}" for who in ("The king", "A mouse", "My dear child", "The old fox", "In the wood a bird")
           for did in ("said", "went", "was", "had a")]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def ready() -> None:
    """Visits find their model loaded."""
    while pool().request("bundled").is_loading:
        time.sleep(0.05)


@pytest.fixture
def crowd(engine, trace) -> Iterator[list[Player]]:
    """Six visitors in the line before an engine that is kept busy; all have asked for their first token."""
    players = [Player(trace, "") for _ in range(6)]
    with Turn(engine.turns):
        for number, player in enumerate(players):
            player.new(engine, PROMPTS[number], SAMPLING, 8, 0)
            while len(engine.turns) < number + 2:
                assert player.is_running
        yield players
    for player in players:
        player.pause()


def test_twenty_at_once_get_what_each_gets_alone(engine, trace) -> None:
    players = {prompt: Player(trace, "") for prompt in PROMPTS}
    assert len(players) == 20
    for prompt, player in players.items():
        player.new(engine, prompt, SAMPLING, 12, 0)
    for prompt, player in players.items():
        made = finish(player, 120)
        assert (player.error, player.notice) == ("", "")
        assert made.generated_ids == alone(engine, prompt, 12)
        assert made.text.startswith(prompt)
    assert len({player.trace.run_id for player in players.values()}) == 20 and len(engine.turns) == 0


def test_stopping_leaves_the_line_at_once_however_long_it_is(engine, crowd) -> None:
    """The engine is kept busy, so whoever waited for a turn would never come back."""
    crowd[3].pause()
    assert not crowd[3].is_running and crowd[3].is_recorded and crowd[3].error == ""
    assert len(engine.turns) == 6 and all(player.is_running for player in crowd if player is not crowd[3])


def test_a_new_order_while_waiting_stands_at_the_end_of_the_line(engine, crowd, monkeypatch) -> None:
    monkeypatch.setattr(generation, "FELT_SECONDS", 0.0)
    crowd[1].new(engine, "Another", SAMPLING, 3, 0)
    while len(engine.turns) < 7:
        assert crowd[1].is_running
    assert [player.place for player in crowd] == [1, 6, 2, 3, 4, 5]


def test_the_place_in_the_line_is_told_once_the_wait_is_felt(crowd, monkeypatch) -> None:
    monkeypatch.setattr(generation, "FELT_SECONDS", 1e9)
    assert Visit(crowd[2]).status() == Status("running", "Generating.")
    monkeypatch.setattr(generation, "FELT_SECONDS", 0.0)
    told = [Visit(player).status() for player in crowd]
    assert [status.text for status in told[:3]] == [
        "Waiting; 1 visitor is before you.",
        "Waiting; 2 visitors are before you.",
        "Waiting; 3 visitors are before you.",
    ]
    assert all(status.kind == "running" and status.is_news for status in told)


def test_between_tokens_the_number_stays_as_it_was_when_the_token_was_asked_for(engine, trace, monkeypatch) -> None:
    monkeypatch.setattr(generation, "FELT_SECONDS", 0.0)
    player, others = Player(trace, ""), [Turn(engine.turns) for _ in range(3)]
    with Turn(engine.turns):
        player.new(engine, "The king", SAMPLING, 400, 0)
        while len(engine.turns) < 2:
            assert player.is_running
        for other in others:
            other.join()  # they stand behind it, and then before its second token
    while player.is_starting or player.place < 3:
        assert player.is_running
    assert Visit(player).status().text == "Generating in turns with 3 other visitors."
    others[0].leave()
    assert player.place == 3
    player.pause()
    for other in others:
        other.leave()


def test_a_visitor_who_is_gone_stops_generating_and_can_go_on(engine, trace) -> None:
    player = Player(trace, "")
    player.new(engine, "The king", SAMPLING, 400, 0)
    player.last_seen -= GONE_SECONDS + 1
    made = finish(player)
    assert player.notice == GONE and len(made.steps) < 400
    assert Visit(player).status() == Status("paused", GONE, is_news=True)
    visit = Visit(player)
    visit.refresh()  # the stage has asked for a message: the visitor is back
    player.play(engine, len(made.steps), SAMPLING, 3, 0)
    assert finish(player).generated_ids == alone(engine, "The king", len(made.steps) + 3) and player.notice == ""


def test_a_let_go_run_keeps_its_text_on_the_stage_and_shows_no_numbers(engine, trace) -> None:
    visit = Visit(Player(trace, ""))
    visit.player.new(engine, "The king", SAMPLING, 5, 0)
    before = finish(visit.player)
    assert visit.player.evict() > 0
    assert visit.status() == Status("paused", EVICTED, is_news=True)
    header, records = read(encode_message(visit.snapshot(), "live", BrowserState(), RecordCache()))
    assert header["labels"] == [before.vocabulary.label(token) for token in before.ids]
    assert (header["prompt"], header["prompt_tokens"]) == ("The king", len(before.prompt_ids))
    assert (header["stamps"], records, header["recorded"]) == ([], {}, False)


@pytest.mark.parametrize(
    "name", ["live", "embeddings", "attention", "mlp", "residual", "attribution", "paths", "sampling"]
)
def test_every_page_says_what_to_do_with_a_run_that_was_let_go(engine, trace, name) -> None:
    player = Player(trace, "")
    player.new(engine, "The king", SAMPLING, 3, 0)
    finish(player)
    player.evict()
    test = AppTest.from_file(str(ROOT / "pages" / "watch" / f"{name}.py"), default_timeout=60)
    test.session_state["visit"] = Visit(player, cursor=2)
    assert not test.run().exception


@pytest.mark.parametrize(
    "name", ["live", "embeddings", "attention", "mlp", "residual", "attribution", "paths", "sampling"]
)
def test_no_page_that_is_open_holds_on_to_numbers_that_were_let_go(engine, trace, name) -> None:
    player = Player(trace, "")
    player.new(engine, "The king", SAMPLING, 4, 0)
    held = [weakref.ref(step) for step in finish(player).steps]
    test = AppTest.from_file(str(ROOT / "pages" / "watch" / f"{name}.py"), default_timeout=60)
    test.session_state["visit"] = Visit(player, cursor=2)
    assert not test.run().exception and not test.run().exception
    # Run by itself a page is the process's `__main__`, which keeps its last variables until another script is.
    AppTest.from_string("pass").run()
    assert player.evict() > 0
    gc.collect()
    assert [ref() for ref in held] == [None] * 4


def test_the_same_run_pressed_again_after_it_was_let_go_has_the_same_text(engine, trace, monkeypatch) -> None:
    monkeypatch.setattr(Visit, "_engine", lambda _: engine)
    visit = Visit(Player(trace, ""), speed=0)
    press = {"text": "The king", "max_new_tokens": 7, "seed": 11}
    visit.answer(parse("run", press))
    before = finish(visit.player)
    visit.player.evict()
    visit.answer(parse("run", press))
    assert finish(visit.player).ids == before.ids and visit.status().text == "Paused."


def test_a_browser_gets_records_of_its_own_run_alone(engine, trace) -> None:
    """Whatever it asks for: another visitor's run id, steps it does not have, what was another's a moment ago."""
    shelf, posts, visits = (
        RecordCache(),
        [BrowserState(), BrowserState()],
        [Visit(Player(trace, "")), Visit(Player(trace, ""))],
    )
    secret, mine = "My secret is the blue key", "The king"
    for visit, prompt in zip(visits, (secret, mine), strict=True):
        visit.player.new(engine, prompt, SAMPLING, 6, 0)
        finish(visit.player)
    hidden = encode_message(visits[0].snapshot(), "live", posts[0], shelf)
    theirs = {stamp for stamp in read(hidden)[0]["stamps"]}
    for asked in (visits[0].player.trace.run_id, visits[1].player.trace.run_id, "", "*"):
        posts[1].take(
            [{"serial": posts[1].handled + 1, "name": "need", "values": {"run_id": asked, "steps": [*range(-9, 9)]}}]
        )
        message = encode_message(visits[1].snapshot(), "live", posts[1], shelf)
        header, records = read(message)
        own = shelf.stamps(visits[1].player.trace, visits[1].snapshot().tables)
        assert set(header["stamps"]) == set(own) and set(records) <= set(own) and not theirs & set(own)
        assert b"secret" not in message and visits[0].player.trace.run_id not in json.dumps(header)
    assert b"secret" in hidden


def test_the_more_runs_are_under_way_the_more_rarely_each_stage_asks(engine, crowd, trace) -> None:
    """Six take turns: a stage has news a sixth as often, and asks a sixth as often."""
    assert Visit(crowd[0]).snapshot().tick_ms == 6 * TICK_MS
    for player in crowd:
        player.pause()
    assert Visit(crowd[0]).snapshot().tick_ms == TICK_MS


def test_run_ids_cannot_be_guessed(engine, trace) -> None:
    """Each has 96 random bits, and a branch does not keep its parent's."""
    ids = {engine.start("a").trace.run_id for _ in range(200)} | {trace.branch(1).run_id for _ in range(200)}
    assert len(ids) == 400 and all(len(run_id) == 16 for run_id in ids)
    assert len({run_id[:4] for run_id in ids}) > 390  # no common beginning to count on from


def test_sessions_that_end_free_their_visit_and_its_run(engine, trace) -> None:
    """Each session of the app has a visit of its own, and nothing else in the process holds on to it."""
    held: list[weakref.ref] = []
    for number in range(3):
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
        visit = test.session_state["visit"]
        visit.player.new(engine, PROMPTS[number], SAMPLING, 3, 0)
        finish(visit.player)
        test.run()
        held += [weakref.ref(visit), weakref.ref(visit.player), weakref.ref(visit.player.trace.steps[-1])]
        del visit, test
    collect_garbage()
    assert [ref() for ref in held] == [None] * 9


def test_sessions_do_not_share_what_is_on_their_stage(engine) -> None:
    first, second = (AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run() for _ in range(2))
    one, other = first.session_state["visit"], second.session_state["visit"]
    shown = other.player.trace
    one.player.new(engine, "The king", SAMPLING, 3, 0)
    finish(one.player)
    second.run()
    assert second.session_state["visit"] is other and other.player.trace is shown
    assert one is not other and threading.active_count() < 200
