"""A peer on this machine that answers completions as no good server does: what a client must survive."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


def event(text: str) -> bytes:
    """A piece of an answer as it is streamed."""
    return b"data: " + json.dumps({"choices": [{"text": text}], "usage": None}).encode() + b"\n\n"


def usage(tokens: int) -> bytes:
    """The end of a whole answer."""
    told = json.dumps({"choices": [], "usage": {"completion_tokens": tokens}}).encode()
    return b"data: " + told + b"\n\ndata: [DONE]\n\n"


class Peer(ThreadingHTTPServer):
    """Says what it is told to say, and keeps what it was asked.

    Attributes: `model` is what /v1/models names; `status` and `parts` are its answer to a completion, after which it
    closes the connection; `asked` are the requests' bodies and headers.
    """

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port, as a good server of `bundled`."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.models = json.dumps({"data": [{"id": "bundled"}]}).encode()
        self.status, self.parts, self.length = 200, [event(" a"), event(" b"), usage(2)], ""
        self.asked: list[dict] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request to the peer."""

    server: Peer

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.models)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append({**json.loads(body), "headers": dict(self.headers)})
        self.send_response(self.server.status)
        if self.server.length:
            self.send_header("Content-Length", self.server.length)
        if self.server.status == 302:
            self.send_header("Location", f"{self.server.url}/elsewhere")
        self.end_headers()
        for part in self.server.parts:
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def peer() -> Iterator[Peer]:
    """A peer that listens until the block ends."""
    with Peer() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()
