"""Claims about a request to the server before MAX Serve sees it, and about where its answer stops; no server runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.serving.answers import until_stop
from gpt2.serving.front import Front
from gpt2.serving.requests import DEFAULT_MAX_TOKENS, FIELDS, LAST_SEED, MOST_BYTES, Offer, Refusal, checked
from tests.shapes import TINY

OFFER = Offer("bundled", TINY)
ASKED = {"model": "bundled", "prompt": "Once upon a time"}

# A field that is wrong, and the words that its refusal must have.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model is missing"),
    ({"model": "gpt-4"}, "no model 'gpt-4' here; this server has 'bundled'"),
    ({"prompt": None}, "prompt is missing"),
    ({"prompt": ""}, "prompt is empty"),
    ({"prompt": []}, "prompt is empty"),
    ({"prompt": ["a", ""]}, "prompt is empty"),
    ({"prompt": 7}, "must be a text or a list of token ids, not 7"),
    ({"prompt": ["a", [1]]}, "all texts or all lists"),
    ({"prompt": ["a"] * 65}, "at most 64 prompts, not 65"),
    ({"prompt": "\ud83d"}, "half of a character"),
    ({"prompt": [TINY.vocab_size]}, f"from 0 to {TINY.vocab_size - 1}, not {TINY.vocab_size}"),
    ({"prompt": [-1]}, "not -1"),
    ({"prompt": [True]}, "not True"),
    ({"prompt": [1] * TINY.n_positions}, f"the context has {TINY.n_positions}"),
    ({"max_tokens": 0}, "max_tokens must be a whole number from 1 up, not 0"),
    ({"max_tokens": -5}, "not -5"),
    ({"max_tokens": 2.5}, "not 2.5"),
    ({"max_tokens": True}, "not True"),
    ({"temperature": -1}, "temperature must be a number from 0 to 2, not -1"),
    ({"temperature": 3}, "not 3"),
    ({"temperature": "hot"}, "not 'hot'"),
    ({"temperature": float("nan")}, "not nan"),
    ({"top_p": 0}, "top_p must be a number above 0 and at most 1, not 0"),
    ({"top_k": TINY.vocab_size + 1}, f"the vocabulary has only {TINY.vocab_size}"),
    ({"seed": -1}, "seed must be a whole number from 0"),
    ({"seed": LAST_SEED}, "seed must be"),
    ({"stop": ["x"] * 100}, "at most 4 texts"),
    ({"stop": ""}, "none of them empty"),
    ({"n": 2}, "n must be 1 or left out, not 2: each prompt gets one answer"),
    ({"n": True}, "not True"),
    ({"echo": True}, "put the prompt before the answer yourself"),
    ({"logprobs": 6}, "logprobs must be a whole number from 1 to 5"),
    ({"suffix": "!"}, "fills no gap"),
    ({"logit_bias": {"5": 1}}, "not supported"),
    ({"presence_penalty": 0.5}, "penalties are not supported"),
    ({"stream": "yes"}, "true or false"),
    ({"stream": True, "prompt": ["a", "b"]}, "send a request for each"),
    ({"stream_options": {"include_usage": True}}, "needs stream"),
    ({"best_off": 1}, "'best_off' is no field"),
]


@pytest.mark.parametrize(("wrong", "reason"), WRONG, ids=[reason for _, reason in WRONG])
def test_what_cannot_be_answered_is_refused_with_the_reason(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        checked(json.dumps(ASKED | wrong).encode(), OFFER)
    assert reason in str(refused.value) and len(str(refused.value).splitlines()) == 1
    assert refused.value.status == (404 if wrong.get("model") else 400)


@given(body=st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused_in_one_short_sentence(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        checked(body, OFFER)
    assert len(str(refused.value)) < 400


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(fields=st.dictionaries(st.sampled_from(["model", "prompt", *FIELDS]), anything, max_size=4))
def test_any_values_are_answered_or_refused_and_nothing_else_happens(fields: dict[str, Any]) -> None:
    try:
        made = checked(json.dumps(ASKED | fields).encode(), OFFER)
    except Refusal as refused:
        assert str(refused)
    else:
        assert made["model"] == "bundled" and made["prompt"] and made["max_tokens"] >= 1


def test_what_is_left_out_or_null_is_openais_default() -> None:
    plain = checked(json.dumps(ASKED).encode(), OFFER)
    assert plain == ASKED | {"max_tokens": DEFAULT_MAX_TOKENS} and DEFAULT_MAX_TOKENS == 16
    assert checked(json.dumps(ASKED | dict.fromkeys(FIELDS)).encode(), OFFER) == plain


def test_a_seed_of_zero_is_a_seed_as_any_other() -> None:
    assert checked(json.dumps(ASKED | {"seed": 0}).encode(), OFFER)["seed"] == LAST_SEED
    assert checked(json.dumps(ASKED | {"seed": 7}).encode(), OFFER)["seed"] == 7


@dataclass(frozen=True)
class Chunk:
    """A piece of an answer, as MAX Serve has them."""

    decoded_tokens: str | None
    status: Any


ACTIVE, ENDED = SimpleNamespace(is_done=False), SimpleNamespace(is_done=True)


def stopped(pieces: list[str | None], stops: list[str]) -> tuple[list[str], bool, bool]:
    """The pieces as they are passed on, whether the last one ends the answer, and whether the rest was cancelled."""
    cancelled: list[bool] = []

    async def chunks() -> AsyncIterator[Chunk]:
        for at, piece in enumerate(pieces):
            yield Chunk(piece, ENDED if at == len(pieces) - 1 else ACTIVE)

    async def passed() -> list[Chunk]:
        return [chunk async for chunk in until_stop(chunks(), stops, ENDED, lambda: cancelled.append(True))]

    found = asyncio.run(passed())
    return [chunk.decoded_tokens or "" for chunk in found], found[-1].status is ENDED, bool(cancelled)


def test_a_stop_sequence_over_several_pieces_is_never_shown() -> None:
    assert stopped(["a bi", "rd s", "an", "g"], ["bird sang"]) == (["a ", "", "", ""], True, True)


def test_a_beginning_of_a_stop_sequence_that_leads_to_none_is_shown_late_but_whole() -> None:
    assert stopped(["a b", "ig", " bi"], ["bird"]) == (["a ", "big", " bi"], True, False)


def test_a_piece_without_text_passes() -> None:
    assert stopped(["a", None, "b"], ["x"]) == (["a", "", "b"], True, False)


@given(
    pieces=st.lists(st.text("ab", max_size=3), min_size=1, max_size=12),
    stops=st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=4),
)
def test_an_answer_is_the_text_before_the_first_stop_sequence(pieces: list[str], stops: list[str]) -> None:
    """Whichever piece completes one first: a longer one that began earlier may not have been complete by then."""
    expected, at_stop = "".join(pieces), False
    for count in range(1, len(pieces) + 1):
        so_far = "".join(pieces[:count])
        if found := [so_far.find(stop) for stop in stops if stop in so_far]:
            expected, at_stop = so_far[: min(found)], True
            break
    shown, has_ended, was_cancelled = stopped(list(pieces), stops)
    assert ("".join(shown), has_ended, was_cancelled) == (expected, True, at_stop)


def asked(method: str, path: str, *parts: bytes, ends: bool = True) -> tuple[int | None, bytes, bytes | None]:
    """A request to `Front`: the status, the body that came back, and the body that the application behind it saw."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False} if ends else {"type": "http.disconnect"})
    sent: list[dict[str, Any]] = []
    seen: list[bytes] = []

    async def behind(_scope: Any, receive: Any, send: Any) -> None:
        seen.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answered"})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Front(behind, OFFER)({"type": "http", "method": method, "path": path}, receive, send))
    status = sent[0]["status"] if sent else None
    return status, b"".join(message.get("body", b"") for message in sent), seen[0] if seen else None


def test_a_request_reaches_max_serve_as_it_was_checked() -> None:
    body = json.dumps(ASKED).encode()
    status, answer, seen = asked("POST", "/v1/completions", body[:10], body[10:])
    assert (status, answer) == (200, b"answered")
    assert json.loads(seen or b"") == ASKED | {"max_tokens": DEFAULT_MAX_TOKENS}


def test_a_refused_request_never_reaches_max_serve_and_is_told_in_openais_form() -> None:
    status, answer, seen = asked("POST", "/v1/completions", b"{")
    error = json.loads(answer)["error"]
    assert (status, seen, error["type"], error["code"]) == (400, None, "invalid_request_error", "400")
    assert "not JSON" in error["message"]


def test_only_what_is_known_to_work_is_open() -> None:
    for path in ("/v1/models", "/v1/models/bundled", "/health", "/version"):
        assert asked("GET", path)[0] == 200, path
    for path in ("/v1/chat/completions", "/v1/decisions", "/reset_prefix_cache", "/", "/v1/models/gpt-4"):
        status, answer, seen = asked("POST", path)
        assert (status, seen) == (404, None) and f"There is no {path} here" in json.loads(answer)["error"]["message"]


def test_a_body_without_end_is_refused_before_it_fills_the_memory() -> None:
    parts = [b" " * 400_000] * 3
    assert sum(map(len, parts)) > MOST_BYTES
    assert asked("POST", "/v1/completions", *parts)[0] == 413


def test_nobody_is_answered_where_the_client_went_while_sending() -> None:
    assert asked("POST", "/v1/completions", b"{", ends=False) == (None, b"", None)
