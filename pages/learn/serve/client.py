"""A client of `python -m gpt2 serve` on this machine: a request in, its text out, piece by piece as it comes.

It asks only the address that the host has set, through no proxy, and follows no redirect.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS, SILENT_SECONDS = 3.0, 60.0
# An answer of 1,024 tokens, each a piece of its own, has about 300 kB.
MOST_BYTES = 4_000_000
MOST_WORDS = 200  # letters of a refusal that are shown
START = "start `python -m gpt2 serve`"


class ServerError(Exception):
    """A server that does not answer as it should; its message is one sentence for the reader."""


@dataclass(frozen=True)
class Piece:
    """A piece of an answer: its text, and once the answer is over how many tokens it has in all."""

    text: str
    tokens: int | None = None


@contextmanager
def answering(url: str) -> Iterator["httpx.Client"]:
    """A client of the server; within, what goes wrong is told in one sentence.

    Raises:
        ServerError: if it does.
    """
    import httpx

    limits = httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS)
    try:
        # Plain HTTP needs no certificates, and to read them takes longer than a first token.
        with httpx.Client(base_url=url, timeout=limits, trust_env=False, verify=False) as client:
            yield client
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise ServerError(f"No server answers at {url}; {START}, and press again.") from None
    except httpx.TimeoutException:
        raise ServerError(f"The server at {url} said nothing for {SILENT_SECONDS:.0f} s; {START} anew.") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
        raise ServerError(f"The server at {url} went away in the middle of an answer; {START} anew.") from None


def served_model(url: str) -> str:
    """The name of the model that the server has.

    Raises:
        ServerError: if it cannot be asked, or is no server of a model.
    """
    with answering(url) as client, client.stream("GET", "/v1/models") as response:
        body = whole(response, url)
        try:
            name = json.loads(body)["data"][0]["id"]
        except (ValueError, LookupError, TypeError, RecursionError):
            name = None
    if not isinstance(name, str) or response.status_code != 200:
        raise ServerError(f"What answers at {url} does not serve a model; {START} there, or on another port.")
    return name


def ask(url: str, request: dict[str, Any], stop: threading.Event, seconds: float) -> Iterator[Piece]:
    """The pieces of one answer; the last one tells its tokens. It ends without a word once `stop` is set.

    Raises:
        ServerError: if the server refuses, goes away, or takes more than so many seconds.
    """
    until, over = time.monotonic() + seconds, False
    body = {**request, "stream": True, "stream_options": {"include_usage": True}}
    with answering(url) as client, client.stream("POST", "/v1/completions", json=body) as response:
        if response.status_code != 200:
            raise ServerError(f"The server refuses: {reason(whole(response, url))}")
        for data in events(response, url):
            if stop.is_set():
                return
            if time.monotonic() > until:
                raise ServerError(f"The answer took longer than {seconds:.0f} s; ask for fewer tokens.")
            over = over or data == "[DONE]"
            if not over:
                yield piece(data, url)
    if not over:
        raise ServerError(f"The server at {url} went away in the middle of an answer; {START} anew.")


def events(response: "httpx.Response", url: str) -> Iterator[str]:
    """What stands after each `data:` of a stream of server-sent events.

    Raises:
        ServerError: if there is too much of it.
    """
    rest, read = b"", 0
    for block in response.iter_bytes():
        read += len(block)
        if read > MOST_BYTES:
            raise ServerError(f"The server at {url} sent more than {MOST_BYTES:,} bytes; {START} anew.")
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line.removeprefix(b"data:").decode(errors="replace").strip()


def piece(data: str, url: str) -> Piece:
    """One event as a piece of text.

    Raises:
        ServerError: if it is none.
    """
    try:
        event = json.loads(data)
        if "error" in event:
            raise ServerError(f"The server gave up: {reason(data.encode())}")
        text = "".join(choice["text"] for choice in event["choices"])
        usage = event.get("usage")
        return Piece(text, None if usage is None else int(usage["completion_tokens"]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ServerError(f"The server at {url} sent what is no completion; {START} anew.") from None


def whole(response: "httpx.Response", url: str) -> bytes:
    """A whole answer.

    Raises:
        ServerError: if it is too long.
    """
    body = b""
    for block in response.iter_bytes():
        body += block
        if len(body) > MOST_BYTES:
            raise ServerError(f"The server at {url} sent more than {MOST_BYTES:,} bytes; {START} anew.")
    return body


def reason(body: bytes) -> str:
    """Why a server refuses, in its own words, cut where they are many."""
    try:
        error = json.loads(body)["error"]
        told = error["message"] if isinstance(error, dict) else error
    except (ValueError, LookupError, TypeError, RecursionError):
        told = body.decode(errors="replace")
    words = " ".join(str(told).split())
    return (words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]} …") or "it gives no reason."
