"""Claims about lesson 13: whom it asks, what it says of a server that misbehaves, and what it shows without one."""

import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from gpt2.engine import settings
from gpt2.engine.engine import Engine
from gpt2.engine.greedy import greedy_tokens
from gpt2.errors import SettingsError
from gpt2.model.sampling import Sampling
from gpt2.serving import requests as served
from gpt2.trace.trace import Trace
from pages.learn.serve import client, words
from pages.learn.serve.answers import AT_ONCE, PAGE, Answer, Answers, recorded
from pages.learn.serve.asking import FULL, NOT_BEGUN, NOT_LOADED, ONE_AT_A_TIME, Asking
from pages.learn.serve.asking import settings as fields
from pages.learn.serve.client import Piece, ServerError, ask, served_model
from pages.learn.serve.lanes import lanes_html, text_html
from pages.look.palette import LIGHT
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.misbehaving import Peer, event, peer, usage

ROOT = Path(__file__).parents[1]
SECONDS = 60


@pytest.fixture
def other() -> Iterator[Peer]:
    """A server of the test's own."""
    with peer() as server:
        yield server


def pieces(url: str) -> list[Piece]:
    """All pieces of an answer."""
    return list(ask(url, {"model": "bundled", "prompt": [1], "max_tokens": 2}, threading.Event(), SECONDS))


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        (" HTTP://LocalHost:81/ ", "http://localhost:81"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://127.0.0.1", "http://127.0.0.1:80"),
        ("", ""),
    ],
)
def test_an_address_of_this_machine_is_taken_and_written_anew(monkeypatch, told: str, url: str) -> None:
    monkeypatch.setenv("GPT2_SERVER", told)
    assert settings.loopback("GPT2_SERVER") == url and not settings.problem()


@pytest.mark.parametrize(
    "told",
    [
        "http://example.com:8000",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://example.com@127.0.0.1",
        "http://example.com\\@127.0.0.1",
        "http://169.254.169.254",
        "http://0.0.0.0:8000",
        "http://127.0.0.1:8000/v1",
        "http://127.0.0.1:8000?x",
        "http://127.0.0.1:99999",
        "http://[::1",
        "https://127.0.0.1",
        "file:///etc/passwd",
        "127.0.0.1:8000",
        "localhost",
    ],
)
def test_any_other_address_is_refused_in_one_sentence(monkeypatch, told: str) -> None:
    monkeypatch.setenv("GPT2_SERVER", told)
    with pytest.raises(SettingsError, match="GPT2_SERVER must be an address of this machine") as refused:
        settings.loopback("GPT2_SERVER")
    assert settings.problem() == str(refused.value) and str(refused.value).endswith("can change it.")


def test_an_answer_comes_piece_by_piece_and_no_proxy_is_asked(other: Peer, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert served_model(other.url) == "bundled"
    assert pieces(other.url) == [Piece(" a"), Piece(" b"), Piece("", 2)]
    assert other.asked[0]["stream"] is True and other.asked[0]["prompt"] == [1]


@pytest.mark.parametrize(
    ("status", "parts", "length", "sentence"),
    [
        (200, [event(" a")], "", "went away in the middle"),
        (200, [], "", "went away in the middle"),
        (200, [event(" a")], "5000", "went away in the middle"),
        (400, [b'{"error": {"message": "max_tokens must be\\n a whole number."}}'], "", "max_tokens must be a whole"),
        (500, [b"x" * 5000], "", "refuses: x{200} …"),
        (404, [], "", "refuses: it gives no reason."),
        (302, [], "0", "refuses: it gives no reason."),
        (200, [b'data: {"error": {"message": "out of pages"}}\n\n'], "", "gave up: out of pages"),
        (200, [b"data: [1]\n\n"], "", "no completion"),
        (200, [b"data: {\n\n"], "", "no completion"),
        (200, [b'data: {"choices": [{"text": 5}]}\n\n'], "", "no completion"),
        (200, [b"x" * 70_000] * 60, "", "sent more than 4,000,000 bytes"),
    ],
)
def test_a_server_that_misbehaves_gets_one_sentence(other: Peer, status, parts, length, sentence) -> None:
    other.status, other.parts, other.length = status, parts, length
    with pytest.raises(ServerError, match=sentence) as told:
        pieces(other.url)
    assert "\n" not in str(told.value)
    assert len(other.asked) == 1  # nothing is asked again, or elsewhere


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data": []}', b'{"data": [{"id": 7}]}', b"[" * 100_000])
def test_what_is_no_server_of_a_model_is_told_to_be_none(other: Peer, body: bytes) -> None:
    other.models = body
    with pytest.raises(ServerError, match="does not serve a model; start `python -m gpt2 serve`"):
        served_model(other.url)


def test_a_server_that_is_not_there_or_is_silent_gets_one_sentence(monkeypatch) -> None:
    monkeypatch.setattr(client, "SILENT_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerError, match=f"No server answers at {url}; start"):
            served_model(url)
        silent.listen()
        with pytest.raises(ServerError, match="said nothing for"):
            pieces(url)


def test_an_answer_ends_without_a_word_once_it_is_to_stop_and_with_one_after_its_time(other: Peer) -> None:
    stop = threading.Event()
    stop.set()
    assert list(ask(other.url, {}, stop, SECONDS)) == []
    with pytest.raises(ServerError, match="took longer than 0 s"):
        list(ask(other.url, {}, threading.Event(), 0))


def test_the_constants_are_the_servers() -> None:
    assert f"takes up to {served.MAX_BATCH_SIZE} requests" in words.TEXT and served.MAX_BATCH_SIZE >= AT_ONCE
    for sampling in (None, Sampling(0.7, 40, 0.9, 2**63 - 1), Sampling(1.0, 0, 1.0, 0)):
        told = fields(sampling, 2**63 + 5)
        assert all(served.FIELDS[name].fits(value) for name, value in told.items()), told


def test_the_engines_own_text_is_the_most_likely_token_each_time(engine: Engine) -> None:
    ids = engine.tokenizer.encode("Once upon a time")
    steps = list(engine.generate(ids, 12, Sampling(temperature=0)))
    assert list(greedy_tokens(engine, ids, 12)) == [int(np.argmax(step.logits)) for step in steps]


def test_a_prompt_is_answered_by_the_engine_then_alone_then_eight_times(
    other: Peer, engine: Engine, trace: Trace
) -> None:
    own = engine.tokenizer.vocabulary.text(list(greedy_tokens(engine, trace.prompt_ids, 2)))
    other.parts = [event(own[:1]), event(own[1:]), usage(2)]
    asking = Asking(trace, engine, other.url, 2)
    asking.wait(SECONDS)
    answers = asking.answers
    assert not asking.error and asking.is_whole and not ONE_AT_A_TIME.locked()
    assert [answer.text for answer in (answers.own, answers.alone, *answers.among)] == [own] * (2 + AT_ONCE)
    assert all(one["prompt"] == list(trace.prompt_ids) and one["temperature"] == 0 for one in other.asked)
    assert len(other.asked) == 1 + AT_ONCE
    assert words.equal_sentence(answers).endswith(f"So are all {AT_ONCE} at once.")
    changed = replace(answers, alone=replace(answers.alone, text=own[:2] + "§"))
    assert words.equal_sentence(changed).startswith("The texts part after 2 letters")


def test_with_the_runs_settings_every_request_has_a_seed_of_its_own(other: Peer, engine: Engine, trace: Trace) -> None:
    asking = Asking(trace, engine, other.url, 2, Sampling(0.8, 40, 0.9, 7))
    asking.wait(SECONDS)
    assert asking.is_whole and "in its own way" in words.equal_sentence(asking.answers)
    assert sorted(one["seed"] for one in other.asked) == [7, *range(7, 7 + AT_ONCE)]
    assert {(one["temperature"], one["top_k"], one["top_p"]) for one in other.asked} == {(0.8, 40, 0.9)}


def test_another_model_a_half_answer_and_a_model_that_is_not_loaded_are_told(
    other: Peer, engine: Engine, trace: Trace
) -> None:
    other.models = b'{"data": [{"id": "gpt2"}]}'
    foreign = Asking(trace, engine, other.url, 2)
    foreign.wait(SECONDS)
    assert re.search("has gpt2, but bundled made the run on the stage", foreign.error) and not other.asked
    other.models, other.parts = b'{"data": [{"id": "bundled"}]}', [event(" a")]
    half = Asking(trace, engine, other.url, 2)
    half.wait(SECONDS)
    assert "went away in the middle" in half.error and not half.is_whole and len(other.asked) == 1
    assert Asking(trace, None, other.url, 2).error == NOT_LOADED
    assert Asking(engine.start("Once").trace, engine, other.url, 2).error == NOT_BEGUN
    assert Asking(replace(trace, config=replace(trace.config, n_positions=5)), engine, other.url, 2).error == FULL


def test_one_visitor_asks_at_a_time_and_one_who_waits_can_stop(other: Peer, engine: Engine, trace: Trace) -> None:
    with ONE_AT_A_TIME:
        waiting = Asking(trace, engine, other.url, 2)
        assert waiting.is_running
        waiting.stop()
        waiting.wait(SECONDS)
    assert not waiting.is_running and not other.asked and not waiting.error


def test_pages_are_counted_as_the_formula_has_them() -> None:
    answers = Answers("bundled", 6, 256, prompt_tokens=PAGE - 1, asked=200)
    held = [answers.pages(Answer(tokens=tokens)) for tokens in (0, 1, 2, 3, PAGE + 2, PAGE + 3)]
    assert held == [0, 1, 1, 2, 2, 3] and answers.most_pages == 3
    assert answers.page_bytes == 2 * 6 * 8 * 32 * 4 * 128
    html = lanes_html(replace(answers, alone=Answer(tokens=3, seconds=1)), LIGHT)
    assert html.count('class="page"') == 3 * (1 + AT_ONCE) and html.count("solid") == 2
    assert "99.22%" in html and "3 tokens, 3 a second" in html


def test_a_text_is_shown_letter_by_letter_and_its_end_is_in_sight_while_it_comes() -> None:
    html = text_html(Answer("<script>alert(1)</script> & so on"), "The server", LIGHT)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on" in html and "column-reverse" in html
    assert "column-reverse" not in text_html(Answer("whole", is_over=True), "The server", LIGHT)


def test_the_recorded_example_is_whole_and_its_texts_are_equal() -> None:
    example = recorded()
    answers = example.answers
    assert example.date and "cores" in example.machine and len(answers.among) == AT_ONCE
    assert {one.text for one in (answers.own, answers.alone, *answers.among)} == {answers.own.text}
    assert all(one.is_over and one.tokens == answers.asked for one in (answers.own, answers.alone, *answers.among))


def page(trace: Trace) -> AppTest:
    """The lesson's page with a run on the stage."""
    test = AppTest.from_file(str(ROOT / "pages" / "learn" / "serve" / "lesson_13_serve.py"), default_timeout=60)
    test.session_state["visit"] = Visit(Player(trace, "Once upon a time"))
    return test.run()


def said(test: AppTest) -> str:
    """What the page says."""
    return "\n".join(str(one.value) for one in (*test.text, *test.markdown, *test.code, *test.caption, *test.success))


@pytest.mark.slow
def test_without_a_server_the_page_shows_a_recorded_example_and_how_to_start_one(trace: Trace, monkeypatch) -> None:
    monkeypatch.delenv("GPT2_SERVER", raising=False)
    for shown in (trace, trace.cut(0)):
        test = page(shown)
        assert not test.exception and not test.button and test.header[0].value == words.QUESTION
        assert f"these numbers are recorded: {recorded().date}" in said(test) and "python -m gpt2 serve" in said(test)
    test.radio[0].set_value("3").run()
    assert not test.exception and "a third" in said(test)
    monkeypatch.setenv("GPT2_SERVER", "http://example.com")
    test.run()
    assert not test.exception and "must be an address of this machine" in said(test) and not test.button


@pytest.mark.slow
def test_with_an_address_the_page_asks_it_and_says_what_went_wrong(visit: Visit, other: Peer, monkeypatch) -> None:
    monkeypatch.setenv("GPT2_SERVER", other.url)
    other.status, other.parts = 400, [b'{"error": {"message": "no <b>room</b>"}}']
    test = AppTest.from_file(str(ROOT / "pages" / "learn" / "serve" / "lesson_13_serve.py"), default_timeout=60)
    test.session_state["visit"] = visit
    test.run()
    assert not test.exception and "recorded" not in said(test)
    test.button(key="lesson.serve.ask").click().run()
    asking = test.session_state["lesson.serve.asking"]
    asking.wait(SECONDS)
    test.run()
    assert not test.exception and "The server refuses: no <b>room</b>" in [text.value for text in test.text]
    assert asking.answers.asked == 160 and other.asked[0]["max_tokens"] == 160
