"""Put it together: a lesson's blanks with their choices, and what the chosen lines make of the run on the stage."""

import re
from collections.abc import Sequence
from zlib import crc32

import streamlit as st

from gpt2.engine.importing import importing_max
from gpt2.learn.lesson import Array, Blank, Failure, Lesson, OnStage
from gpt2.learn.verdict import all_equal, describe, equal
from pages.frame import layout
from pages.frame.layout import View
from pages.frame.remembered import remembered
from pages.matrix.component import matrix
from pages.visit.progress import note_put_together

from .glass import concept
from .line_value import LineValue

CHOOSE = "Choose…"
MARK = "\0"  # before the text of a blank
LONG_LINES, LEFT_OUT = 80, "# …"


def show_blanks(lesson: Lesson, view: View, stage: OnStage | None, layer: int) -> None:
    """Draw the blanks with their choices, and what the chosen lines make of the run beside what is right."""
    with st.container(border=True):
        st.markdown("**Put it together**")
        runs = "What you choose runs in MAX, on your prompt." if stage else "What you choose is run and compared."
        layout.plain_text(f"These lines are missing from the component. {runs}")
        left, right = st.columns([10, 9], gap="medium")
        with right:
            choices = [choose(at, blank, view) for at, blank in enumerate(lesson.blanks)]
        with left:
            parts = [MARK + (choice or f"▢{at}") for at, choice in enumerate(choices, 1)]
            st.code(code_of(lesson.filled(parts), lesson.first_line), language="python", wrap_lines=True)
        if any(choice is None for choice in choices):
            layout.plain_text(f"{sum(choice is None for choice in choices)} still to choose.")
            return
        chosen = [str(choice) for choice in choices]
        say_choices(lesson, chosen)
        if stage is None:
            say_outcome(lesson, chosen)
        else:
            show_outcome(lesson, view, stage, layer, chosen)


def code_of(source: str, first_line: int) -> str:
    """A component's code from its first definition on, without docstrings; of a long one the parts that hold blanks.

    Each blank's text begins with `MARK`, which is taken out.
    """
    text = re.sub(r'\n +"""[^"]*"""(?=\n)', "", "\n".join(source.splitlines()[first_line - 1 :]))
    if text.count("\n") > LONG_LINES:
        text = shortened(text)
    return text.replace(MARK, "")


def shortened(code: str) -> str:
    """The functions and methods with a mark in them, each class by its first line; a comment stands for the rest."""
    kept, head = list[str](), ""
    for part in re.split(r"\n{2,}(?=(?: {4})?(?:@|def |class ))", code):
        if not part.startswith(" "):
            head = next((line for line in part.splitlines() if line.startswith("class ")), "")
        if MARK in part:
            if part.startswith(" ") and head:
                kept.append(head)
                head = ""
            kept.append(part.rstrip())
        elif not kept or kept[-1] != LEFT_OUT:
            kept.append(LEFT_OUT)
    return "\n\n".join(kept)


def choose(at: int, blank: Blank, view: View) -> str | None:
    """Draw one blank; the choice, or None if none has been made."""
    options = sorted([blank.right, *blank.wrong], key=lambda text: crc32(f"{at} {text}".encode()))  # shuffled for good
    title, key = f"▢{at + 1} {blank.ask}", view.key(f"blank{at}")
    chosen = st.selectbox(title, options, index=None, placeholder=CHOOSE, key=key, persist_state="session")
    return chosen if chosen in options else None  # it will run here, and a browser may send any text


def say_choices(lesson: Lesson, choices: Sequence[str]) -> None:
    """Say that all choices are right, or of each wrong one why it is."""
    if all(chosen == blank.right for blank, chosen in zip(lesson.blanks, choices, strict=True)):
        st.success(f"Right: this is {lesson.defines}.", icon=":material/check:")
        note_put_together(lesson)
    for blank, chosen in zip(lesson.blanks, choices, strict=True):
        if chosen in blank.wrong:
            st.warning(blank.wrong[chosen], icon=":material/close:")


def say_outcome(lesson: Lesson, choices: Sequence[str]) -> None:
    """Say what the chosen lines make of the lesson's own cases, where that is wrong."""
    with importing_max():
        from gpt2.learn.trial import attempt

    cases = lesson.cases()
    found, expected = (attempt(text, lesson.file_name, cases) for text in (lesson.filled(choices), lesson.solution))
    assert not isinstance(expected, Failure)
    if isinstance(found, Failure):
        layout.plain_text(f"Python cannot run this: {found.says}")
        return
    for case, own, right in zip(cases, found, expected, strict=True):
        if not all_equal([own], [right]):
            layout.plain_text(describe(case.label, own[0], right[0])[0])
            return


def show_outcome(lesson: Lesson, view: View, stage: OnStage, layer: int, choices: Sequence[str]) -> None:
    """Draw what the chosen lines make of the run, beside what is right, and say what is wrong."""
    with importing_max():
        from gpt2.learn.glass import with_choices

    def outcome() -> tuple[Array | Failure, Array | Failure]:
        right = [blank.right for blank in lesson.blanks]
        return with_choices(lesson, stage, choices), with_choices(lesson, stage, right)

    key = (lesson.number, view.trace.steps[-1].identity, layer, *choices)
    found, expected = remembered("outcome", key, outcome, nbytes)
    assert not isinstance(expected, Failure)
    if isinstance(found, Failure):
        layout.plain_text(f"MAX cannot run this: {found.says}")
        return
    if not equal(found, expected):
        layout.plain_text(describe("your prompt", found, expected)[0])
    elif any(chosen in blank.wrong for blank, chosen in zip(lesson.blanks, choices, strict=True)):
        layout.plain_text("This prompt in this model happens to give the same numbers all the same; others do not.")
    left, right = st.columns(2, gap="medium")
    for column, title, value in ((left, "Yours", found), (right, "Right", expected)):
        made = LineValue("output", (), value, view.trace.labels)
        with column:
            matrix(made.picture(title, concept(lesson), 240, like=expected), key=view.key(title))


def nbytes(outcome: Sequence[Array | Failure]) -> int:
    """Bytes that these outputs hold."""
    return sum(0 if isinstance(one, Failure) else one.nbytes for one in outcome)
