"""A reader's own GPT-2 as an engine: its graphs are run, and its tokens drawn, in the process that holds their code."""

import queue
import subprocess
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from functools import cache, partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
from max.driver import Buffer

from gpt2.checkpoints.child import Child
from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine import compiled
from gpt2.engine.engine import Engine
from gpt2.engine.shutdown import CALLS_IN_FLIGHT
from gpt2.errors import EngineError
from gpt2.interpreter.interpreter import as_buffer
from gpt2.model.sampling import Draw, Sampling
from gpt2.trace.timing import timed

from .lesson import Array
from .lessons import LESSONS
from .messages import receive, send
from .own_child import CALL_SECONDS, START_SECONDS
from .workbook import Workbook

GRACE_SECONDS = 20.0  # to import, and to say where the code was when the time was up
Answer = tuple[dict[str, Any], list[Array]]


class OwnProcess:
    """The process that holds the reader's code; begun anew when the files have changed, or when it has ended.

    Attributes: `same` are the kinds of graph that are the project's own, operation for operation.
    """

    def __init__(self, workbook: Workbook, seconds: float) -> None:
        """Nothing is started before something is asked of it; an answer may take so many seconds."""
        self._workbook, self._seconds, self._lock = workbook, seconds, threading.Lock()
        self._child: Child | None = None
        self._answers: queue.Queue[Answer | None] = queue.Queue()
        self._files: tuple[int, ...] = ()
        self.same: frozenset[str] = frozenset()

    def refresh(self) -> None:
        """Start it, unless it runs with the files as they are now.

        Raises:
            EngineError: if a lesson is missing, or the files do not make a GPT-2.
        """
        with self._lock:
            files = tuple(self._workbook.changed(lesson) for lesson in LESSONS)
            if self._child is not None and self._child.poll() is None and files == self._files:
                return
            self._end()
            if why := self._workbook.lacking():
                raise EngineError(why)
            self._files, self._answers = files, queue.Queue()
            # As one core: MAX's threads would wait for each other.
            variables = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            command = ["gpt2.learn.own_child", str(self._workbook.folder.resolve()), str(self._seconds)]
            self._child = Child(command, variables, subprocess.PIPE, leads_group=True)
            self._ending = weakref.finalize(self, self._child.__exit__, None, None, None)
            threading.Thread(target=read, args=(self._child, self._answers), daemon=True).start()
            try:
                self.same = frozenset(self._answer(START_SECONDS)[0]["same"])
            except EngineError:
                self._end()
                raise

    def ask(self, told: Mapping[str, Any], arrays: Sequence[Array] = ()) -> Answer:
        """Ask for a pass or a draw.

        Raises:
            EngineError: if the reader's code fails, takes too long, or has ended.
        """
        with self._lock:
            if self._child is None:
                raise EngineError("Your GPT-2 is not running; press Run.")
            assert isinstance(self._child.stdin, TextIOWrapper)
            with suppress(OSError):  # it has ended; `_answer` says why
                send(self._child.stdin.buffer, told, arrays)
            return self._answer(self._seconds)

    def _answer(self, seconds: float) -> Answer:
        try:
            answer = self._answers.get(timeout=seconds + GRACE_SECONDS)
        except queue.Empty:
            self._end()
            raise EngineError(f"Your GPT-2 did not answer within {seconds:g} s, so its process was ended.") from None
        if answer is None:
            assert self._child is not None
            why = self._child.last_words()
            self._end()
            raise EngineError(f"The process with your code ended ({why}); check your files, and press Run again.")
        if "error" in answer[0]:
            if "ended" in answer[0]:
                self._end()
            raise EngineError(answer[0]["error"])
        return answer

    def _end(self) -> None:
        if self._child is not None:
            self._ending()
            self._child = None


def read(child: Child, answers: "queue.Queue[Answer | None]") -> None:
    """Put each answer into the queue, and None at the end."""
    assert isinstance(child.stdout, TextIOWrapper)
    with suppress(OSError, ValueError):  # closed, or no message
        while (answer := receive(child.stdout.buffer)) is not None:
            answers.put(answer)
    answers.put(None)


class OwnEngine(Engine):
    """A reader's own GPT-2 with the bundled weights."""

    def __init__(self, checkpoint: Checkpoint, folder: Path, seconds: float = CALL_SECONDS) -> None:
        """Put the files in this folder together; a pass or a draw may take so many seconds.

        Raises:
            EngineError: if a lesson is missing, or the files do not make a GPT-2.
        """
        self._process = OwnProcess(Workbook(folder), seconds)
        self._process.refresh()
        self._has_compiled = not compiled.missing(checkpoint.config)
        super().__init__(checkpoint, "cpu", self._graph)

    @property
    def compiled_kinds(self) -> frozenset[str]:
        """The kinds of graph that run compiled: the reader's are those that the project has compiled."""
        return self._process.same if self._has_compiled else frozenset()

    def draw(self, logits: Array, sampling: Sampling, position: int) -> Draw:
        """Draw with the reader's code.

        Raises:
            EngineError: if it fails, or draws what is no token.
        """
        told, _ = self._process.ask({"draw": asdict(sampling), "position": position}, [logits])
        if not 0 <= told["token"] < len(logits):
            raise EngineError(f"Your draw gives {told['token']}, which is no token; check lesson 12 again.")
        return Draw(told["token"], sampling.uniform(position), sampling)

    def _graph(self, kind: str, weights: Mapping[str, Array]) -> Callable[..., dict[str, Buffer]]:
        """One graph: compiled, if the reader's is the one that has been compiled; else the process is asked for it.

        The process has the weights itself.
        """
        layer = self._layer_of(weights) if kind == "layer" else 0
        # As of a compiled one: the lens graph is timed by its caller.
        timing = nullcontext if kind == "lens" else partial(timed, "model")

        ready = cache(partial(self._compiled, kind, weights))

        def run(*inputs: Array | Buffer) -> dict[str, Buffer]:
            if kind == "prefill":
                self._process.refresh()  # a run begins
            if kind in self.compiled_kinds:
                return ready()(*inputs)
            given = [one if isinstance(one, np.ndarray) else one.to_numpy() for one in inputs]
            with timing(), CALLS_IN_FLIGHT:
                told, arrays = self._process.ask({"graph": kind, "layer": layer}, given)
                return {name: as_buffer(array) for name, array in zip(told["names"], arrays, strict=True)}

        return run

    def _layer_of(self, weights: Mapping[str, Array]) -> int:
        """Whose weights these are."""
        layers = range(self.config.n_layer)
        name = "ln_1.weight"
        return next(one for one in layers if self.checkpoint.weights[f"h.{one}.{name}"] is weights[f"block.{name}"])
