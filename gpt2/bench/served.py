"""The model as an endpoint, one request and eight at once, beside the engine's own turns, and beside another server."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gpt2.errors import EngineError, SettingsError
from gpt2.model.sampling import Sampling

from .subject import Tell
from .visitors import TEXT, Visitor, at_once

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

ROUNDS, AT_ONCE, TOKENS = 4, 8, 100
ANSWER_SECONDS = 600
WORDS = TEXT.split()
PROMPTS = [" ".join(WORDS[3 * at : 3 * at + 3 + at]) for at in range(AT_ONCE)]


@dataclass(frozen=True)
class Answer:
    """What one request got: its text, how many tokens that is, and the milliseconds to the first of them."""

    text: str
    tokens: int
    first_token_ms: float


@dataclass(frozen=True)
class Endpoint:
    """A server that answers OpenAI's completions.

    Attributes:
        url: where it is, such as `http://127.0.0.1:8000/v1`.
        model: the model's name there.
        more: fields beside OpenAI's that it knows.
    """

    url: str
    model: str
    more: tuple[tuple[str, Any], ...] = ()

    def __call__(self, prompt: str) -> Answer:
        """Stream one greedy answer.

        Raises:
            EngineError: if the server cannot be reached, or refuses.
        """
        asked = {"model": self.model, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0, "stream": True}
        body = json.dumps(asked | {"stream_options": {"include_usage": True}} | dict(self.more))
        place, since, first, text, tokens = urlsplit(self.url), time.perf_counter(), None, "", 0
        try:
            with closing(HTTPConnection(place.hostname or "", place.port, timeout=ANSWER_SECONDS)) as connection:
                connection.request("POST", f"{place.path}/completions", body, {"Content-Type": "application/json"})
                with connection.getresponse() as answer:
                    if answer.status != 200:
                        said = answer.read(300).decode(errors="replace")
                        raise EngineError(f"{self.url} answers {answer.status}: {said}")
                    for event in events(iter(answer.readline, b"")):
                        for choice in event.get("choices", ()):
                            text += choice["text"]
                            first = first or (time.perf_counter() - since) * 1000
                        tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
        except (OSError, HTTPException, ValueError) as error:
            raise EngineError(f"{self.url} did not answer ({error}); is the server running?") from None
        return Answer(text, tokens, first or 0.0)


def events(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream of server-sent events."""
    for line in lines:
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))


def beside(text: str) -> Endpoint:
    """The server that `--beside http://127.0.0.1:9000/v1=name` names.

    Raises:
        SettingsError: if it is written in another way.
    """
    url, _, model = text.partition("=")
    if urlsplit(url).scheme != "http" or not model:
        raise SettingsError("--beside takes an address and the model's name there: http://127.0.0.1:9000/v1=gpt2.")
    return Endpoint(url.rstrip("/"), model)


def measure(model: str, engine: "Engine", others: Sequence[Endpoint], tell: Tell) -> dict[str, Any]:
    """Start the server twice, then ask it, the engine and the other servers in turn, four times.

    Raises:
        EngineError: if the server does not start, or a server does not answer.
    """
    with running(model, tell) as (_, first_start, _):
        pass
    with running(model, tell) as (process, second_start, own):
        sides: dict[str, Callable[[int], Round]] = {
            "served": partial(ask_at_once, own),
            "engine": partial(engine_at_once, engine),
            **{other.url: partial(ask_at_once, other) for other in others},
        }
        found: dict[str, dict[int, list[Round]]] = {name: {1: [], AT_ONCE: []} for name in sides}
        for number in range(1, ROUNDS + 1):
            for count in (1, AT_ONCE):
                tell(f"Round {number} of {ROUNDS}: {count} at once.")
                for name, ask in sides.items():
                    found[name][count].append(ask(count))
        memory = proportional_mb(process.pid)
    served = [made for rounds in found["served"].values() for made in rounds]
    texts = [greedy(engine, prompt) for prompt in PROMPTS]
    return {
        "tokens_each": TOKENS,
        "rounds": ROUNDS,
        "start_s": [first_start, second_start],
        "memory_mb": memory,
        "sides": {name: {str(n): summary(rounds) for n, rounds in by.items()} for name, by in found.items()},
        "equal_texts": sum(one.text == texts[at] for made in served for at, one in enumerate(made.answers)),
        "texts": sum(len(made.answers) for made in served),
    }


@dataclass(frozen=True)
class Round:
    """Requests at once: the seconds until the last was answered, and the answers."""

    seconds: float
    answers: list[Answer]


def ask_at_once(ask: Endpoint, count: int) -> Round:
    """Ask a server for so many texts together, each in a thread of its own.

    Raises:
        EngineError: if one is not answered.
    """
    answers, errors = [Answer("", 0, 0.0)] * count, list[EngineError]()

    def go(at: int) -> None:
        try:
            answers[at] = ask(PROMPTS[at])
        except EngineError as error:
            errors.append(error)

    threads = [threading.Thread(target=go, args=(at,)) for at in range(count)]
    since = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return Round(time.perf_counter() - since, answers)


def engine_at_once(engine: "Engine", count: int) -> Round:
    """The same prompts as runs of the engine, which takes them in turns, a token each."""
    wishes = [Visitor(prompt, Sampling(temperature=0)) for prompt in PROMPTS[:count]]
    seconds, visits = at_once(engine, wishes, TOKENS, lambda: None)
    return Round(seconds, [Answer(visit.text, visit.tokens, visit.first_token_ms or 0.0) for visit in visits])


def greedy(engine: "Engine", prompt: str) -> str:
    """The text that the engine makes of a prompt alone, without it."""
    steps = engine.generate(prompt, TOKENS, Sampling(temperature=0), ignore_eos=True)
    return engine.tokenizer.vocabulary.text([step.draw.token for step in steps if step.draw])


def summary(rounds: Sequence[Round]) -> dict[str, float]:
    """Medians of the rounds."""
    return {
        "tokens_per_s": round(median(sum(one.tokens for one in made.answers) / made.seconds for made in rounds), 1),
        "first_token_ms": round(median(one.first_token_ms for made in rounds for one in made.answers), 1),
    }


@contextmanager
def running(model: str, tell: Tell) -> Iterator[tuple[subprocess.Popen[str], float, Endpoint]]:
    """Run `python -m gpt2 serve` meanwhile: its process, the seconds until it was ready, and where it answers.

    Raises:
        EngineError: if it does not start.
    """
    tell("Starting python -m gpt2 serve.")
    command = [sys.executable, "-m", "gpt2", "serve", "--model", model, "--port", str(free_port()), "--json"]
    since = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        told = process.stdout.readline()
        seconds = round(time.monotonic() - since, 1)
        if not told:
            raise EngineError(process.stderr.read().strip().splitlines()[-1])
        ready = json.loads(told)
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield process, seconds, Endpoint(ready["url"], ready["model"], (("ignore_eos", True),))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


def proportional_mb(process_id: int) -> float | None:
    """The memory of a process and all that it has started, shared pages in parts; None where the system tells none."""
    total = 0
    for one in tree(process_id):
        with suppress(OSError, ValueError):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii").splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return round(total / 1e6, 1) or None


def tree(process_id: int) -> Iterator[int]:
    """A process and those that it and its children have started."""
    yield process_id
    with suppress(OSError):
        for thread in Path(f"/proc/{process_id}/task").iterdir():
            for child in (thread / "children").read_text(encoding="ascii").split():
                yield from tree(int(child))
