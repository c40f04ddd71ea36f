"""`python -m gpt2 serve`: find the model and its compiled graphs, start MAX Serve, say how to ask it, end all of it."""

import argparse
import json
import math
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from types import FrameType

from gpt2.checkpoints.child import Child
from gpt2.checkpoints.download import model_folder
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.engine.interrupts import SIGNALS
from gpt2.engine.settings import threads
from gpt2.errors import CheckpointError, EngineError, SettingsError
from gpt2.model.config import GPT2Config, json_object
from gpt2.text.streams import clear, tell

from . import graphs
from .requests import HOST, MAX_BATCH_SIZE

NEEDED = ("fastapi", "uvloop", "zmq", "sse_starlette", "opentelemetry.sdk", "transformers")
INSTALL = "pip install -r gpt2/serving/requirements.txt"
START_SECONDS, END_SECONDS = 20, 15
# Nothing leaves the machine: no request to the hub, no telemetry.
VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "MAX_SERVE_DISABLE_TELEMETRY": "1",
    "OTEL_SDK_DISABLED": "true",
    "TOKENIZERS_PARALLELISM": "false",
}


def run(options: argparse.Namespace) -> None:
    """Serve a model until a signal ends it.

    Raises:
        SettingsError: if the port cannot be had.
        EngineError: if MAX Serve is not installed, its graphs cannot be compiled, or it does not start.
        CheckpointError: if the model cannot be found, is not a GPT-2, or its config lacks what MAX Serve asks for.
    """
    check_installed()
    check_port(options.port)
    folder = model_folder(options.model, tell).resolve()
    config = load_checkpoint(folder, options.model).config  # whatever is wrong with it is said now, not by the worker
    check_config(folder / "config.json")
    name = folder.name if Path(options.model).is_dir() else options.model
    graphs.compile_apart(folder, config, tell)
    serve(folder, config, name, options)


def check_installed() -> None:
    """Refuse to start without what MAX Serve needs.

    Raises:
        EngineError: if a package is missing.
    """
    for package in NEEDED:
        try:
            found = find_spec(package)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise EngineError(f"Serving needs packages that are not installed, such as {package}; run {INSTALL}.")


def check_port(port: int) -> None:
    """Refuse a port that cannot be listened on.

    Raises:
        SettingsError: if it is no port, or taken.
    """
    if not 0 < port < 65536:
        raise SettingsError(f"--port must be a number from 1 to 65535, not {port}.")
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError as error:
            raise SettingsError(f"Port {port} cannot be used ({error.strerror}); choose another with --port.") from None


def check_config(path: Path) -> None:
    """Refuse a config that this program understands, but MAX Serve does not.

    Raises:
        CheckpointError: if it lacks what MAX Serve finds a model by.
    """
    values = json_object(path)
    for name, value in (("architectures", '["GPT2LMHeadModel"]'), ("model_type", '"gpt2"')):
        if not values.get(name):
            raise CheckpointError(f'{path} lacks "{name}", by which MAX Serve finds a model: add "{name}": {value}.')


def serve(folder: Path, config: GPT2Config, name: str, options: argparse.Namespace) -> None:
    """Run the server's process until a signal ends this one; then all of it ends.

    Raises:
        EngineError: if it does not start, or ends by itself.
    """
    since, stopped, ready = time.monotonic(), Stop(), Event()
    with ExitStack() as stack:
        with TemporaryDirectory(prefix="gpt2-serve-") as unpacked:  # it is read once, at the start
            graphs.unpack(config, Path(unpacked))
            command = ["gpt2.serving.server", json.dumps([str(folder), name, options.port, unpacked])]
            variables = VARIABLES | {"GPT2_THREADS": str(threads(config))}
            child = stack.enter_context(Child(command, variables, subprocess.PIPE, leads_group=True))
            stack.enter_context(stopped.by_signals(child))
            Thread(target=hear, args=(child, ready), daemon=True).start()
            while child.poll() is None and not ready.is_set() and not stopped.is_overdue:
                tell_seconds(name, time.monotonic() - since)
                ready.wait(1)
        if ready.is_set():
            clear()
            print(announcement(name, options, time.monotonic() - since), flush=True)
        while child.poll() is None and not stopped.is_overdue:
            with suppress(subprocess.TimeoutExpired):
                child.wait(1)
        if not stopped.number:
            did = "ended by itself" if ready.is_set() else "did not start"
            raise EngineError(f"MAX Serve {did} ({child.last_words()}).")
    clear()
    sys.exit(128 + stopped.number)


class Stop:
    """Whether a signal has told this process to end, and until when the server may take to do so."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.number, self._last = 0, math.inf

    @property
    def is_overdue(self) -> bool:
        """Whether the server has had its time, so that it is to be killed."""
        return time.monotonic() > self._last

    @contextmanager
    def by_signals(self, child: Child) -> Iterator[None]:
        """Within, a signal lets go of the server's standard input, at which it ends; a second one kills it."""

        def stop(number: int, _frame: FrameType | None) -> None:
            self._last = 0.0 if self.number else time.monotonic() + END_SECONDS
            self.number = number
            assert child.stdin is not None
            child.stdin.close()

        heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, stop) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def hear(child: Child, ready: Event) -> None:
    """Read what the server prints, and note when it is ready; whatever else MAX prints is dropped."""
    assert child.stdout is not None
    with suppress(ValueError):  # closed while it is read
        for line in child.stdout:
            if line.startswith('{"ready"'):
                ready.set()


def tell_seconds(name: str, seconds: float) -> None:
    """Say how far the start is: every second on a terminal, else once."""
    if sys.stderr.isatty() or seconds < 1:
        tell(f"Starting MAX Serve with {name}: {seconds:.0f} s of about {START_SECONDS}.")


def announcement(name: str, options: argparse.Namespace, seconds: float) -> str:
    """How to ask the server, as text or as JSON."""
    url = f"http://{HOST}:{options.port}/v1"
    if options.json:
        return json.dumps({"model": name, "url": url, "at_once": MAX_BATCH_SIZE, "seconds": round(seconds, 1)})
    asked = {"model": name, "prompt": "Once upon a time", "max_tokens": 40}
    streamed = json.dumps({**asked, "stream": True})
    code = (
        f'from openai import OpenAI; client = OpenAI(base_url="{url}", api_key="none"); '
        f"print(client.completions.create(**{json.dumps(asked)}).choices[0].text)"
    )
    return (
        f"Ready after {seconds:.0f} s: {name} at {url}, {MAX_BATCH_SIZE} requests at once. Ctrl+C ends it. Try:\n"
        f"  curl -N {url}/completions -H 'Content-Type: application/json' -d {shlex.quote(streamed)}\n"
        f"  python -c {shlex.quote(code)}"
    )
