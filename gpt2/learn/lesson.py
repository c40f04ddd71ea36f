"""What a lesson is: a component of the model with some of its lines left out, and what people write in their place.

All texts come from the component that runs, so that none can grow stale: the skeleton is its source with blanks, and
each wrong variant is its source with one expression changed.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gpt2.checkpoints.weights import Checkpoint
    from gpt2.trace.trace import Trace

    from .question import Asking

Array = NDArray[Any]
MODEL = Path(__file__).parents[1] / "model"
LESSONS = Path(__file__).parent / "lessons"


@dataclass(frozen=True)
class Blank:
    """One expression that is left out.

    Attributes:
        right: the expression, as it stands in the component, once.
        ask: what belongs there, in words, without the code.
        wrong: what people write instead, and why it is wrong: the sentence that they read.
    """

    right: str
    ask: str
    wrong: Mapping[str, str]


@dataclass(frozen=True)
class Mistake:
    """A wrong variant that no blank can make: another text in the place of one or several expressions, and why not."""

    edits: Mapping[str, str]
    why: str


@dataclass(frozen=True)
class Case:
    """What a component is tried on: `compute` takes the names that a file defines, and gives the outputs.

    `label` says the sizes in words, such as `7 positions of width 12`.
    """

    label: str
    compute: Callable[[Mapping[str, Any]], Sequence[Array]]


@dataclass(frozen=True)
class Failure:
    """Why a source did not run: the kind of error, what it says, and the line of the source, if it is known.

    `before` are the outputs of the cases that came before it.
    """

    kind: str
    says: str
    line: int | None
    before: Sequence[Sequence[Array]] = ()


@dataclass(frozen=True)
class OnStage:
    """A component as it stands in the model that made a run.

    Attributes:
        made_with: what its class is called with; None if it is a function.
        weights: its own, by their names in it.
        arguments: what it is called with; the arrays in it come from the run.
        captures: the variables in its source whose values the run has captured too, and the hooks of those.
    """

    made_with: tuple[Any, ...] | None
    weights: Mapping[str, Array]
    arguments: tuple[Any, ...]
    captures: Mapping[str, str]


@dataclass(frozen=True)
class Lesson:
    """One step of building GPT-2.

    Attributes:
        number, name, title: 3, `layer_norm`, "Layer normalization".
        question: what the lesson answers.
        component: the file of the model that this lesson builds, without `.py`.
        defines: the class or function that the reader writes.
        blanks: what is left out, in the order of the source.
        mistakes: wrong variants beside those of the blanks.
        hints: opened one by one; none holds the answer.
        cases: the cases, made when they are needed: importing a lesson must not import MAX.
        on_stage: the component as it stands in the model that made a run, at one layer; None if it is not in the run.
        has_layers: whether the model has one of these in every layer.
        asking: what makes the questions about a run's own numbers.
    """

    number: int
    name: str
    title: str
    question: str
    component: str
    defines: str
    blanks: tuple[Blank, ...]
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]
    cases: Callable[[], tuple[Case, ...]]
    on_stage: Callable[["Trace", "Checkpoint", int], OnStage] | None = None
    has_layers: bool = False
    asking: "tuple[Asking, ...]" = ()

    @property
    def text(self) -> str:
        """Why it matters, the formula, and what newer models changed, as Markdown."""
        return (LESSONS / self.name / "text.md").read_text(encoding="utf-8")

    @property
    def file_name(self) -> str:
        """The reader's file."""
        return f"step_{self.slug}.py"

    @property
    def slug(self) -> str:
        """Number and name in one word, as files are called: `03_layer_norm`."""
        return f"{self.number:02}_{self.name}"

    @cached_property
    def solution(self) -> str:
        """The component's own source; its imports say where they lead, so that it can lie anywhere."""
        source = (MODEL / f"{self.component}.py").read_text(encoding="utf-8")
        return re.sub(r"^from \.(\w+) import", r"from gpt2.model.\1 import", source, flags=re.MULTILINE)

    @cached_property
    def skeleton(self) -> str:
        """The source with `...` in each blank, and a comment that says what belongs there."""
        text = self.solution
        for blank in self.blanks:
            before, after = self._around(text, blank.right)
            above, _, line = before.rpartition("\n")
            margin = line[: len(line) - len(line.lstrip())]
            text = f"{above}\n{margin}# {blank.ask}\n{line}...{after}"
        return f"{self.head}\n{text}"

    @property
    def first_line(self) -> int:
        """The line on which the component's own code begins, from 1: its first class or function."""
        body = ast.parse(self.solution).body
        return min(node.lineno for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef))

    @property
    def head(self) -> str:
        """What stands above the reader's skeleton."""
        return (
            f"# Lesson {self.number}: {self.title}. {self.question}\n"
            f"# Put code in the place of each `...`, then run: python -m gpt2 learn check {self.number}\n"
        )

    def filled(self, choices: Sequence[str]) -> str:
        """The source with these expressions in the blanks, one for each."""
        text = self.solution
        for blank, chosen in zip(self.blanks, choices, strict=True):
            before, after = self._around(text, blank.right)
            text = f"{before}{chosen}{after}"
        return text

    def variants(self) -> Iterator[tuple[str, str]]:
        """Every wrong source that the lesson knows, with its explanation; one mistake in each."""
        right = [blank.right for blank in self.blanks]
        for at, blank in enumerate(self.blanks):
            for wrong, why in blank.wrong.items():
                yield self.filled([*right[:at], wrong, *right[at + 1 :]]), why
        for mistake in self.mistakes:
            text = self.solution
            for old, new in mistake.edits.items():
                before, after = self._around(text, old)
                text = f"{before}{new}{after}"
            yield text, mistake.why

    def _around(self, text: str, expression: str) -> tuple[str, str]:
        before, found, after = text.partition(expression)
        assert found and expression not in after, f"lesson {self.number}: {expression!r} must stand in its source once"
        return before, after


def unfilled(source: str) -> list[int]:
    """The lines on which a source still has `...` where a value belongs.

    Raises:
        SyntaxError: if it is no Python.
    """
    tree = ast.parse(source)
    meant = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # a body of `...` alone
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):  # x[..., 0], Module[..., Tensor]
            meant |= {id(part) for part in (node.slice, *getattr(node.slice, "elts", ()))}
    return sorted(
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value is Ellipsis and id(node) not in meant
    )


def random(seed: int, *shape: int, scale: float = 1.0, around: float = 0.0) -> NDArray[np.float32]:
    """Numbers of a normal distribution: cases are the same each time."""
    return (around + scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)
