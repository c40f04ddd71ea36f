"""A component under glass: its real source, and what each line made of real inputs.

While MAX traces the component, Python tells of every line in its file; each tensor that a line has named becomes an
output of the graph. So the values come out of MAX, from the very lines that are shown.
"""

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from max._mlir_context import in_default_mlir_context
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.nn import Module
from max.experimental.tensor import Tensor, default_device, default_dtype

from gpt2.interpreter.interpreter import Interpreter

from .lesson import Array, Case, Failure, Lesson, OnStage
from .trial import Trying, define, defined, failure, leaves, run, types_of, with_leaves

RESULT = "return"
TRACING = threading.Lock()  # a file is defined under one name, and MAX traces one module at a time


@dataclass(frozen=True)
class Seen:
    """One value that a line made.

    Attributes:
        line: the line of the file, from 1.
        name: the variable that the line gave it, or `return`.
        axes: the names of its axes, as the comment at the end of the line has them; empty if it has none.
        value: the numbers.
    """

    line: int
    name: str
    axes: tuple[str, ...]
    value: Array


class Watching(Module[..., Any]):
    """A component whose outputs are all tensors that its lines name."""

    def __init__(
        self, component: Any, arguments: tuple[Any, ...], path: str, note: Callable[[tuple[int, str]], None]
    ) -> None:
        """Take the component, what it is called with, the file whose lines are watched, and who is told of them."""
        self.component, self.arguments, self._path, self._note = component, arguments, path, note

    def forward(self, *tensors: Tensor) -> list[Tensor]:
        """Call it and return what its lines have named."""
        made: list[tuple[int, str, Tensor]] = []
        with watching(self._path, lambda *seen: made.append(seen)):
            self.component(*with_leaves(self.arguments, iter(tensors)))
        for line, name, _ in made:
            self._note((line, name))
        return [tensor for *_, tensor in made]


@contextmanager
def watching(path: str, note: Callable[[int, str, Tensor], None]) -> Iterator[None]:
    """Note every tensor that a line of this file names, in the order of the lines as they run."""

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        if event != "call" or frame.f_code.co_filename != path or frame.f_code.co_name.startswith("<"):
            return None
        known, line = tensors(frame), frame.f_lineno

        def follow(frame: FrameType, event: str, given: Any) -> Any:
            nonlocal known, line
            now = tensors(frame)
            for name, value in now.items():
                if value is not known.get(name):
                    note(line, name, value)
            if event == "return" and isinstance(given, Tensor) and is_made_by(frame.f_code, frame.f_lineno):
                note(frame.f_lineno, RESULT, given)
            known, line = now, frame.f_lineno
            return follow

        return follow

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(before)


def made_on(source: str, path: str, case: Case) -> int | None:
    """The line that made the tensor which a source gives in a case, tried again; None if no line of its own did.

    Where a line only returns what an earlier one has made, it is the earlier one.
    """
    made: list[tuple[int, str, Tensor]] = []
    with (
        Path(os.devnull).open("w") as nowhere,  # what it prints has been printed
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
        suppress(BaseException),  # whatever a reader's code raises
        watching(path, lambda *seen: made.append(seen)),
    ):
        case.compute(define(source, path))
    given = next((tensor for _, name, tensor in reversed(made) if name == RESULT), None)
    return next((line for line, _, tensor in made if tensor is given), None)


def tensors(frame: FrameType) -> dict[str, Tensor]:
    """The tensors that a function's variables hold, and those in its lists."""
    found = {name: value for name, value in frame.f_locals.items() if isinstance(value, Tensor)}
    for name, values in frame.f_locals.items():
        if isinstance(values, list):
            found |= {f"{name}[{at}]": value for at, value in enumerate(values) if isinstance(value, Tensor)}
    return found


def is_made_by(code: CodeType, line: int) -> bool:
    """Whether a function's line is one of its own, so that a value it returns was made there."""
    return any(own == line for *_, own in code.co_lines() if own is not None)


def component(stage: OnStage, names: Mapping[str, Any], name: str) -> Any:
    """The component that a file defines, ready to be called as on the stage."""
    made = defined(names, name)
    return made if stage.made_with is None else made(*stage.made_with)


@in_default_mlir_context
def look(lesson: Lesson, stage: OnStage) -> list[Seen]:
    """What each line of a lesson's component makes of the run on the stage, line by line as they run."""
    module = import_module(f"gpt2.model.{lesson.component}")
    path, inputs, noted = str(module.__file__), list(leaves(stage.arguments)), list[tuple[int, str]]()
    with TRACING, F.lazy(), default_device(CPU()), default_dtype(DType.float32):
        watched = Watching(component(stage, vars(module), lesson.defines), stage.arguments, path, noted.append)
        graph = watched.trace(*types_of(inputs), allow_subgraphs=False).graph
    own = {**stage.weights, **{f"component.{name}": weight for name, weight in stage.weights.items()}}
    axes = axes_of(path)
    return [
        Seen(line, name, axes.get(line, ()), value)
        for (line, name), value in zip(noted, Interpreter(graph).run(inputs, own), strict=True)
    ]


def with_choices(lesson: Lesson, stage: OnStage, choices: Sequence[str]) -> Array | Failure:
    """What a lesson's component makes of the run on the stage with these expressions in its blanks."""
    path = lesson.file_name
    try:
        with TRACING:
            names = define(lesson.filled(choices), path)
            (output,) = run(
                lambda: Trying(component(stage, names, lesson.defines), stage.arguments), stage.weights, stage.arguments
            )
    except Exception as error:  # a wrong choice may raise anything
        return failure(error, path)
    return output


def axes_of(path: str) -> dict[int, tuple[str, ...]]:
    """The axes that the comments of a file name, such as `# [seq, d_model]`, by line."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    found = {number: re.search(r"# (?:each )?\[([a-z_, ]+)\]$", line) for number, line in enumerate(lines, 1)}
    return {number: tuple(map(str.strip, match[1].split(","))) for number, match in found.items() if match}
