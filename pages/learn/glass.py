"""A lesson's component under glass: its lines with what each made of the run, and a map of the chosen one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from gpt2.engine.importing import importing_max
from gpt2.learn.lesson import MODEL, Lesson, OnStage
from pages.frame import layout
from pages.frame.details import details
from pages.frame.layout import View
from pages.frame.remembered import remembered
from pages.look.numbers import rounding_error
from pages.matrix.component import matrix
from pages.matrix.scale import Concept

from .line_value import LineValue
from .listing import ListedLine, ListedValue, listing

if TYPE_CHECKING:
    from gpt2.learn.glass import Seen

# What each component's pictures are coloured as; all others as the residual stream.
CONCEPTS: dict[str, Concept] = {"attention": "attention", "mask": "attention", "mlp": "mlp", "embeddings": "token"}
HEIGHT = 360


def show_source(lesson: Lesson) -> None:
    """Draw the component's source as it is, to be opened."""
    label = f"The source: gpt2/model/{lesson.component}.py"
    box = details(label, key=f"lesson {lesson.number}.source", icon=":material/code:")
    if box.open:
        source = (MODEL / f"{lesson.component}.py").read_text(encoding="utf-8")
        box.code(source, language="python", wrap_lines=True)


def show_glass(lesson: Lesson, view: View, stage: OnStage, layer: int) -> None:
    """Draw the component's lines with what each made of the run on the stage, and a map of the chosen one."""
    with importing_max():
        from gpt2.learn.glass import look

    key = (lesson.number, view.trace.steps[-1].identity, layer)
    with st.container(border=True):
        st.markdown("**Under glass: what each line made of your prompt**")
        seen = remembered("look", key, lambda: look(lesson, stage), nbytes)
        axes = {one.value.shape: one.axes for one in seen if one.axes}  # for the lines that name none
        values = [
            LineValue(one.name, one.axes or axes.get(one.value.shape, ()), one.value, view.trace.labels) for one in seen
        ]
        left, right = st.columns([10, 9], gap="medium")
        with left:
            title = f"Lines of {lesson.component}.py with what each made"
            at = listing(listed(lesson, seen, values), title=title, key=view.key("lines"))
        value = sorted(zip((one.line for one in seen), range(len(seen)), values, strict=True))[at][2]
        with right:
            matrix(value.picture(value.name, concept(lesson), HEIGHT), key=view.key("value"))
        captured = {one.name: one.value - view.trace[hook] for one in seen if (hook := stage.captures.get(one.name))}
        if captured:
            off = rounding_error(float(max(np.abs(difference).max() for difference in captured.values())))
            layout.plain_text(
                "MAX ran these lines just now, operation by operation. The run on the stage was made by the compiled "
                f"graph: in {' and '.join(captured)} the two differ by {off} at most."
            )


def nbytes(seen: "Sequence[Seen]") -> int:
    """Bytes that these values hold."""
    return sum(one.value.nbytes for one in seen)


def listed(lesson: Lesson, seen: "Sequence[Seen]", values: Sequence[LineValue]) -> list[ListedLine]:
    """The component's lines from its first definition on, each with what it made."""
    by_line: dict[int, list[ListedValue]] = {}
    for one, value in zip(seen, values, strict=True):
        by_line.setdefault(one.line, []).append(ListedValue(value.name, value.shape_text, value.range_text))
    source = (MODEL / f"{lesson.component}.py").read_text(encoding="utf-8").splitlines()
    return [
        ListedLine(number, text, tuple(by_line.get(number, ())))
        for number, text in enumerate(source, 1)
        if number >= lesson.first_line
    ]


def concept(lesson: Lesson) -> Concept:
    """The colour of a lesson's pictures."""
    return CONCEPTS.get(lesson.component, "residual")
