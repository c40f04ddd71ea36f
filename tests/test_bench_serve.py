"""Claims about measuring an endpoint: what is sent, what is counted, and what is said where nobody answers."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gpt2.bench import served
from gpt2.bench.report import report
from gpt2.bench.table import serve_lines
from gpt2.errors import EngineError, SettingsError

ASKED: list[dict[str, Any]] = []


class Answers(BaseHTTPRequestHandler):
    """Streams three tokens in two events, as servers of OpenAI's completions do."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ASKED.append(asked)
        self.send_response(404 if asked["model"] == "unknown" else 200)
        self.end_headers()
        if asked["model"] == "unknown":
            self.wfile.write(b"no such model")
            return
        for event in ({"choices": [{"text": " a b"}]}, {"choices": [{"text": " c"}]}, {"choices": [], "usage": USAGE}):
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


USAGE = {"completion_tokens": 3}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_an_answer_is_streamed_and_its_tokens_are_those_that_the_server_counts(url: str) -> None:
    ASKED.clear()
    answer = served.beside(f"{url}=some/model")("Once")
    assert (answer.text, answer.tokens) == (" a b c", 3) and answer.first_token_ms > 0
    assert ASKED[0]["model"] == "some/model" and ASKED[0]["temperature"] == 0 and ASKED[0]["stream"]
    assert "ignore_eos" not in ASKED[0]  # not a field of OpenAI's


def test_requests_at_once_are_all_made_and_one_that_fails_is_told(url: str) -> None:
    ASKED.clear()
    made = served.ask_at_once(served.beside(f"{url}=m"), 8)
    assert [answer.tokens for answer in made.answers] == [3] * 8 and {one["prompt"] for one in ASKED} == set(
        served.PROMPTS
    )
    with pytest.raises(EngineError, match="answers 404: no such model"):
        served.ask_at_once(served.beside(f"{url}=unknown"), 2)
    with pytest.raises(EngineError, match="is the server running"):
        served.beside("http://127.0.0.1:9/v1=m")("Once")


@pytest.mark.parametrize("text", ["127.0.0.1:9000=m", "http://127.0.0.1:9000/v1", "ftp://here/v1=m"])
def test_another_server_is_named_by_address_and_model(text: str) -> None:
    with pytest.raises(SettingsError, match="--beside takes an address"):
        served.beside(text)


def test_measuring_the_endpoint_takes_no_other_settings() -> None:
    with pytest.raises(SettingsError, match="--serve is a measurement of its own"):
        report("bundled", print, serve=True, quick=True)
    with pytest.raises(SettingsError, match="give that too"):
        report("bundled", print, beside=["http://127.0.0.1:9000/v1=m"])


def test_medians_are_those_of_the_rounds_and_the_table_names_each_side() -> None:
    rounds = [served.Round(seconds, [served.Answer("", 100, ms)] * 2) for seconds, ms in ((1, 10), (2, 20), (4, 90))]
    assert served.summary(rounds) == {"tokens_per_s": 100.0, "first_token_ms": 20}
    sides = {name: {"1": served.summary(rounds)} for name in ("served", "engine")}
    found = {"tokens_each": 100, "rounds": 3, "start_s": [15.0, 14.0], "memory_mb": 760.0, "sides": sides}
    told = "\n".join(serve_lines({"serve": found | {"equal_texts": 3, "texts": 3}}))
    assert "100.0 /s" in told and "15.0 s after the first start" in told and "760 MB" in told


def test_this_process_counts_its_own_memory() -> None:
    import os

    assert os.getpid() in set(served.tree(os.getpid())) and (served.proportional_mb(os.getpid()) or 1) > 0
