"""Claims about the server that `python -m gpt2 serve` starts, on the bundled model and without a compile.

Needs gpt2/serving/requirements.txt. The server has no network and no home, and the last test ends it.
"""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from playwright.sync_api import BrowserContext, expect

from gpt2.engine.engine import Engine
from gpt2.errors import EngineError
from gpt2.model.sampling import Sampling
from gpt2.serving.launcher import HOST, check_installed
from gpt2.serving.requests import Offer, Refusal, checked
from gpt2.trace.trace import Trace
from pages.learn.serve.asking import Asking
from tests.browser import serve
from tests.stage import lie_still
from tests.test_serve_requests import WRONG

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

try:
    check_installed()
except EngineError as missing:
    if not os.environ.get("CI"):  # on a CI machine the server is started, and says so itself
        pytest.skip(str(missing), allow_module_level=True)

ROOT = Path(__file__).parents[1]
ANSWER_SECONDS, PAGE = 240, 128  # a page of the cache has so many positions
STORY = (
    "Once upon a time there was a king who had three daughters, and the youngest of them was so beautiful that the "
    "sun himself, who has seen so much, wondered whenever it shone on her face. Near the castle lay a great dark "
    "wood, and in the wood, under an old lime tree, was a well. On hot days the child went out into the wood and sat "
    "down by the cool water; and when she was tired of sitting still she took a golden ball, threw it up high and "
    "caught it again, and this was her favourite play. "
)


@dataclass
class Served:
    """A server that runs: the launcher's process, what it said, and where it answers."""

    process: subprocess.Popen[str]
    said: dict[str, Any]

    @property
    def url(self) -> str:
        return self.said["url"]

    def ask(self, **fields: Any) -> dict[str, Any]:
        """The answer to one request."""
        return self.ask_all([fields])[0]

    def ask_all(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers to requests that are sent at once."""

        async def all_of_them() -> list[dict[str, Any]]:
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=limits) as client:
                asked = [{"model": "bundled", "temperature": 0, **request} for request in requests]
                sent = (client.post(f"{self.url}/completions", json=request) for request in asked)
                answers = await asyncio.gather(*sent)
            assert [answer.status_code for answer in answers] == [200] * len(answers), answers[0].text
            return [answer.json() for answer in answers]

        with ThreadPoolExecutor(1) as apart:  # Playwright's event loop may run in this thread
            return apart.submit(lambda: asyncio.run(all_of_them())).result()

    def texts(self, requests: Sequence[dict[str, Any]]) -> list[str]:
        """The texts of such answers."""
        return [answer["choices"][0]["text"] for answer in self.ask_all(requests)]

    @property
    def is_alive(self) -> bool:
        return httpx.get(f"{self.url.removesuffix('/v1')}/health", timeout=60).status_code == 200


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server, ready."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    own = {name: value for name, value in os.environ.items() if name not in ("HOME", "GPT2_CACHE", "XDG_CACHE_HOME")}
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), f"http://{HOST}:1")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's child would ignore it
    with TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "gpt2", "serve", "--port", str(port), "--json"],
            cwd=ROOT,
            env={**own, **nowhere, "NO_PROXY": HOST, "HF_HOME": str(tmp_path_factory.mktemp("hub"))},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        signal.signal(signal.SIGINT, before)
        with process:
            assert process.stdout is not None
            line = process.stdout.readline()
            errors.seek(0)
            assert line, errors.read()
            yield Served(process, json.loads(line))
            if process.poll() is None:
                process.send_signal(signal.SIGINT)


def greedy(engine: Engine, ids: Sequence[int], count: int) -> str:
    """What the engine writes on, the token that ends a text left out."""
    steps = list(engine.generate(ids, count, Sampling(temperature=0)))
    tokens = [step.draw.token for step in steps if step.draw.token not in engine.checkpoint.end_of_text]
    return engine.tokenizer.vocabulary.text(tokens)


def ids_of(engine: Engine, length: int, skip: int = 0) -> list[int]:
    """So many tokens of a story, from the `skip`th on."""
    return engine.tokenizer.encode(STORY * 8)[skip : skip + length]


def test_it_is_ready_from_the_shipped_graphs_and_nothing_was_compiled(served: Served) -> None:
    """Without a home there is no folder that a compiled graph could be kept in."""
    assert served.said["model"] == "bundled" and served.said["at_once"] >= 8
    models = httpx.get(f"{served.url}/models", timeout=60).json()["data"]
    assert [model["id"] for model in models] == ["bundled"]


@pytest.mark.parametrize("at_once", [1, 8, 20])
def test_greedy_texts_are_the_engines_however_many_are_made_at_once(
    served: Served, engine: Engine, at_once: int
) -> None:
    """Prompts of 1 to 2 pages, some of which end just before the border of a page."""
    lengths = [PAGE - 10, 5, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE - 12, 1, 60, *range(20, 140, 10)][:at_once]
    prompts = [ids_of(engine, length, skip) for skip, length in enumerate(lengths)]
    texts = served.texts([{"prompt": ids, "max_tokens": 16} for ids in prompts])
    assert texts == [greedy(engine, ids, 16) for ids in prompts]


def test_a_text_of_a_prompt_in_words_is_the_engines_too(served: Served, engine: Engine) -> None:
    prompt = "The old woman said: “Où est l'été?” 🙂\n"
    assert served.texts([{"prompt": prompt, "max_tokens": 20}]) == [greedy(engine, engine.tokenizer.encode(prompt), 20)]


def test_an_answer_goes_to_the_end_of_the_context_and_no_further(served: Served, engine: Engine) -> None:
    ids = ids_of(engine, engine.config.n_positions - 40)
    answer = served.ask(prompt=ids, max_tokens=1_000_000, ignore_eos=True)
    assert answer["usage"]["completion_tokens"] == 40
    assert answer["choices"][0]["finish_reason"] == "length"
    steps = list(engine.generate(ids, 40, Sampling(temperature=0), ignore_eos=True))
    made = [step.draw.token for step in steps if step.draw.token not in engine.checkpoint.end_of_text]
    assert answer["choices"][0]["text"] == engine.tokenizer.vocabulary.text(made)


def test_the_same_seed_gives_the_same_text_alone_and_among_others(served: Served) -> None:
    drawn = {"prompt": "Once upon a time", "max_tokens": 24, "temperature": 0.9, "top_p": 0.9, "top_k": 50}
    alone = served.texts([drawn | {"seed": 0}])
    among = served.texts([drawn | {"seed": seed} for seed in range(8)])
    assert among[0] == alone[0] and len(set(among)) > 4


def test_a_stop_sequence_ends_the_text_and_is_no_part_of_it(served: Served) -> None:
    asked = {"prompt": "Once upon a time", "max_tokens": 60}
    (whole,) = served.texts([asked])
    stop = whole[20:27]
    answer = served.ask(**asked, stop=["no such words", stop])
    assert answer["choices"][0]["text"] == whole[: whole.index(stop)]
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_several_prompts_get_their_answers_in_order_and_log_probabilities_are_the_models(
    served: Served, engine: Engine
) -> None:
    prompts = ["Once upon a time", "The king said"]
    choices = served.ask(prompt=prompts, max_tokens=5, logprobs=2)["choices"]
    assert [choice["text"] for choice in choices] == [
        greedy(engine, engine.tokenizer.encode(text), 5) for text in prompts
    ]
    for choice, prompt in zip(choices, prompts, strict=True):
        steps = engine.generate(prompt, 5, Sampling(temperature=0))
        ours = [float(np.log(step.distribution.raw[step.draw.token])) for step in steps]
        assert choice["logprobs"]["token_logprobs"] == pytest.approx(ours, abs=2e-3)


def test_openais_own_client_streams_the_text_that_it_gets_in_one_piece(served: Served) -> None:
    openai = pytest.importorskip("openai")  # it comes with max[serve]
    client = openai.OpenAI(base_url=served.url, api_key="none", max_retries=0, timeout=ANSWER_SECONDS)
    asked: dict[str, Any] = {"model": "bundled", "prompt": "Once upon a time", "max_tokens": 30, "temperature": 0}
    whole = client.completions.create(**asked).choices[0]
    pieces = [event.choices[0] for event in client.completions.create(**asked, stream=True)]
    assert len(pieces) > 1 and "".join(piece.text for piece in pieces) == whole.text
    assert pieces[-1].finish_reason == whole.finish_reason == "length"
    stop = whole.text[12:18]
    pieces = [event.choices[0] for event in client.completions.create(**asked, stop=stop, stream=True)]
    assert "".join(piece.text for piece in pieces) == whole.text[: whole.text.index(stop)]
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-4' here"):
        client.completions.create(**asked | {"model": "gpt-4"})


def test_lesson_13_streams_the_engines_text_alone_and_eight_times_at_once(
    served: Served, engine: Engine, trace: Trace
) -> None:
    asking = Asking(trace, engine, served.url.removesuffix("/v1"), PAGE)
    asking.wait(ANSWER_SECONDS)
    answers = asking.answers
    assert not asking.error and asking.is_whole
    assert {(one.text, one.tokens) for one in (answers.alone, *answers.among)} == {(answers.own.text, PAGE)}
    assert all(one.first_ms is not None and one.seconds * 1e3 > one.first_ms for one in answers.among)
    assert sum(answers.pages(one) for one in answers.among) == 2 * len(answers.among)
    drawn = Asking(trace, engine, served.url.removesuffix("/v1"), 24, Sampling(0.9, 50, 0.9, seed=3))
    drawn.wait(ANSWER_SECONDS)
    assert drawn.is_whole and drawn.answers.among[0].text == drawn.answers.alone.text
    assert len({one.text for one in drawn.answers.among}) > 4


@pytest.mark.browser
def test_a_reader_of_lesson_13_asks_the_running_server_and_sees_equal_texts_and_full_pages(
    served: Served, window: BrowserContext, tmp_path: Path
) -> None:
    with serve(tmp_path / "log", GPT2_SERVER=served.url.removesuffix("/v1")) as app:
        page = window.new_page()
        says, button = page.get_by_text, page.get_by_role("button", name="Ask the server")
        page.goto(f"{app.url}/lesson_13_serve")
        expect(button).to_be_visible(timeout=90_000)
        lie_still(page)  # a button that moves while it is pressed is not pressed
        button.click()
        expect(says("All answers have come: at most 160 tokens each, greedy.")).to_be_visible(timeout=240_000)
        expect(says("The server's text is the engine's, letter by letter. So are all 8 at once.")).to_be_visible()
        expect(says(re.compile(r"^The 8 requests owned 16 pages of"))).to_be_visible()
        expect(page.locator(".lanes .page")).to_have_count(18)
        expect(button).to_be_visible()


def test_every_bad_request_is_told_why_and_harms_nobody(served: Served, engine: Engine) -> None:
    ours = Offer("bundled", engine.config)
    bodies = [json.dumps({"model": "bundled", "prompt": "Once"} | wrong) for wrong, _ in WRONG]
    bodies += ["", "{", "[1]", '{"prompt": "Once"', "\x00", "[" * 9000]
    told = 0
    for body in bodies:
        answer = httpx.post(f"{served.url}/completions", content=body, timeout=60)
        try:
            checked(body.encode(), ours)
        except Refusal as refusal:
            assert (answer.status_code, answer.json()["error"]["message"]) == (refusal.status, str(refusal))
            told += 1
        else:  # of a vocabulary or a context that the bundled model's is larger than
            assert answer.status_code == 200
    assert told > 40
    long = httpx.post(f"{served.url}/completions", json={"model": "bundled", "prompt": "a " * 2000}, timeout=60)
    assert long.status_code == 400 and "maximum context length of 512 tokens" in long.json()["error"]["message"]
    chat = httpx.post(f"{served.url}/chat/completions", json={"model": "bundled", "messages": []}, timeout=60)
    assert chat.status_code == 404 and "POST /v1/completions" in chat.json()["error"]["message"]
    assert served.is_alive and served.texts([{"prompt": [5], "max_tokens": 9}]) == [greedy(engine, [5], 9)]


def test_clients_that_go_away_and_a_crowd_change_nobodys_text(served: Served, engine: Engine) -> None:
    asked = {"model": "bundled", "prompt": "Once upon a time", "max_tokens": 400, "temperature": 1, "stream": True}
    for _ in range(4):
        with httpx.stream("POST", f"{served.url}/completions", json=asked, timeout=ANSWER_SECONDS) as stream:
            assert next(stream.iter_lines()).startswith("data: ")
    prompts = [ids_of(engine, 3 + skip, skip) for skip in range(50)]
    texts = served.texts([{"prompt": ids, "max_tokens": 4} for ids in prompts])
    assert texts == [greedy(engine, ids, 4) for ids in prompts]


def test_a_flood_of_headers_is_turned_away_and_harms_nobody(served: Served) -> None:
    address = (HOST, int(served.url.split(":")[-1].removesuffix("/v1")))
    with socket.create_connection(address, timeout=60) as flood, suppress(ConnectionError):
        flood.sendall(b"GET /health HTTP/1.1\r\n")
        for number in range(20_000):
            flood.sendall(b"x-%d: %s\r\n" % (number, b"a" * 1000))
    assert served.is_alive


def test_it_is_one_process_group_on_the_loopback_and_an_interrupt_ends_all_of_it(served: Served) -> None:
    port = int(served.url.split(":")[-1].removesuffix("/v1"))
    processes = [psutil.Process(served.process.pid), *psutil.Process(served.process.pid).children(recursive=True)]
    assert len(processes) >= 3
    heard = [at.laddr for process in processes for at in process.net_connections("inet") if at.status == "LISTEN"]
    assert [(at.ip, at.port) for at in heard] == [(HOST, port)]
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(60) == 128 + signal.SIGINT
    gone, alive = psutil.wait_procs(processes[1:], timeout=30)
    assert not alive and len(gone) == len(processes) - 1
