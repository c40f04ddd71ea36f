"""A stand-in for the Hugging Face hub: a real HTTP server on loopback, which can be told to misbehave.

It answers what the hub's client asks: a model's listing, HEAD and GET of its files, and redirects weights to another
address with the headers of large files, as the hub does. All that is asked is logged.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

CHUNK = 4096
POLL_SECONDS = 0.02  # how soon it ends when it is told to


@dataclass(frozen=True)
class Asked:
    """One request: method, path, where its range began (0: the whole), and the token it came with."""

    method: str
    path: str
    begin: int
    token: str


@dataclass
class StandInHub:
    """What is served, and how.

    Attributes:
        url: its address.
        repositories: folders by (id, revision or commit).
        cuts: at which byte of a weights file to drop the connection, one entry for each time.
        hold_at: at which byte of a weights file to wait until `go` is set; `held` is set when it waits.
        refuse: status and X-Error-Code for all paths that contain the key.
        claims: a size told for all weights in place of the true one.
        ignores_ranges: whole files are sent, whatever range is asked for.
        damage: weights are sent with their last byte changed.
    """

    url: str = ""
    repositories: dict[tuple[str, str], Path] = field(default_factory=dict)
    commits: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    hold_at: int | None = None
    go: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)
    claims: int | None = None
    ignores_ranges: bool = False
    damage: bool = False

    @property
    def elsewhere(self) -> str:
        """The address of the weights: another host than the hub's to its client, as on the hub."""
        return self.url.replace("127.0.0.1", "localhost")

    def add(self, repo: str, folder: Path, revision: str = "main") -> str:
        """Serve a folder; returns the commit it is under."""
        commit = hashlib.sha1(f"{repo} {folder} {revision}".encode()).hexdigest()
        for name in (revision, commit):
            self.repositories[repo, name] = folder
            self.commits[repo, name] = commit
        return commit

    def begins(self, ending: str = ".safetensors") -> list[int]:
        """Where each transfer of weights began."""
        return [
            one.begin for one in self.asked if one.method == "GET" and one.path.endswith(ending) and "/cdn/" in one.path
        ]

    def names(self) -> set[str]:
        """The names of the files that were asked for."""
        return {one.path.rpartition("/")[2] for one in self.asked if "/resolve/" in one.path or "/cdn/" in one.path}


@contextmanager
def stand_in_hub() -> Iterator[StandInHub]:
    """A hub with nothing on it, served until the block ends."""
    hub = StandInHub()
    handler = type("Handler", (Answers,), {"hub": hub})
    server = Quiet(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.go.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Quiet(ThreadingHTTPServer):
    """A server that takes it as it comes when a client goes away."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are ended in the middle are what is tested."""


class Answers(BaseHTTPRequestHandler):
    """Answers one connection."""

    hub: StandInHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep the terminal quiet; `asked` has it all."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        ranged = self.headers.get("Range", "")
        begin = int(ranged.removeprefix("bytes=").partition("-")[0]) if ranged else 0
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.hub.asked.append(Asked(self.command, path, begin, token))
        for part, (status, code) in self.hub.refuse.items():
            if part in path:
                return self.reply(status, {"X-Error-Code": code} if code else {})
        if path.startswith("/api/models/"):
            repo, _, revision = path.removeprefix("/api/models/").partition("/revision/")
            return self.listing(repo, revision or "main")
        before, kind, after = path.partition("/resolve/")
        if kind:
            return self.small_or_redirect(before[1:], *after.split("/", 1))
        _, _, after = path.partition("/cdn/")
        repo, revision, name = after.rsplit("/", 2)
        self.weights(self.hub.repositories[repo, revision] / name, begin)

    def reply(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def found(self, repo: str, revision: str) -> bool:
        if (repo, revision) in self.hub.repositories:
            return True
        known = any(name == repo for name, _ in self.hub.repositories)
        self.reply(404, {"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"})
        return False

    def listing(self, repo: str, revision: str) -> None:
        if not self.found(repo, revision):
            return
        files: list[dict[str, Any]] = [
            {"rfilename": path.name, "size": self.size(path)}
            for path in sorted(self.hub.repositories[repo, revision].iterdir())
        ]
        told = {"id": repo, "sha": self.hub.commits[repo, revision], "siblings": files}
        self.reply(200, {"Content-Type": "application/json"}, json.dumps(told).encode())

    def size(self, path: Path) -> int:
        is_claimed = self.hub.claims is not None and path.suffix == ".safetensors"
        return self.hub.claims if is_claimed else path.stat().st_size  # type: ignore[return-value]

    def small_or_redirect(self, repo: str, revision: str, name: str) -> None:
        if not self.found(repo, revision):
            return
        path, commit = self.hub.repositories[repo, revision] / name, self.hub.commits[repo, revision]
        if not path.exists():
            return self.reply(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        body = path.read_bytes()
        if path.suffix == ".safetensors":
            headers = {
                "X-Repo-Commit": commit,
                "X-Linked-Etag": f'"{hashlib.sha256(body).hexdigest()}"',
                "X-Linked-Size": str(self.size(path)),
                "Location": f"{self.hub.elsewhere}/cdn/{repo}/{revision}/{name}",
            }
            return self.reply(302, headers)
        etag = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        self.reply(200, {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Content-Length": str(len(body))}, body)

    def weights(self, path: Path, begin: int) -> None:
        body = path.read_bytes()
        if self.hub.damage:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if self.hub.ignores_ranges:
            begin = 0
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - begin))
        self.end_headers()
        cut = self.hub.cuts.pop(0) if self.hub.cuts else None
        end = len(body) if cut is None else min(cut, len(body))
        hold = self.hub.hold_at
        if hold is not None and begin < hold < end:
            self.wfile.write(body[begin:hold])
            self.wfile.flush()
            self.hub.held.set()
            self.hub.go.wait(60)
            begin = hold
        for at in range(begin, end, CHUNK):
            self.wfile.write(body[at : min(at + CHUNK, end)])
        if cut is not None:
            self.close_connection = True
