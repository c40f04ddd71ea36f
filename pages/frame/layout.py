"""The layout that all pages share: the stage on top, the headline, the sentences, and the computation."""

import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.errors import TraceError
from gpt2.reading.lens import read_lens
from gpt2.reading.tables import Tables
from gpt2.trace.captures import Storage
from gpt2.trace.step import Step, StepId
from gpt2.trace.trace import Trace
from pages.charts.storage_note import storage_sentence
from pages.look.palette import DARK, LIGHT, Palette
from pages.look.tokens import BEGIN, markdown
from pages.matrix.blob import Picture
from pages.server.caches import PICTURES, with_recomputer
from pages.server.first_look import FIRST_LOOK
from pages.server.job import ModelJob
from pages.stage.component import has_code, stage, type_size
from pages.stage.rest import Rest
from pages.visit.session import this_visit
from pages.visit.visit import Visit

from .details import details
from .excerpt import Excerpt
from .page_row import has_page_row
from .rerun import hear_others, is_asked_by_a_page_that_was_left, rerun

Array = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """The run, the step and the model that a lens page shows.

    Attributes:
        run: the whole run on the stage.
        trace: the run up to the shown step; hooks that it dropped are recomputed if the model is loaded.
        step: the shown step with its logits, or None if the run is empty.
        tables, read_lens, checkpoint: the embeddings, the logit lens and the weights of the model that made the run,
            or None if it is not loaded.
        head: (layer, head) that the visitor has locked, if any.
        is_narrow: whether the window is too narrow for pictures that need much room.
        watched: the position of the prompt that the visitor looks at, if any.
        rest: where the frame rests while no head is locked.
    """

    name: str
    run: Trace
    trace: Trace
    step: Step | None
    tables: Tables | None
    palette: Palette
    head: tuple[int, int] | None
    read_lens: Callable[[Array], Array] | None
    checkpoint: Checkpoint | None
    is_narrow: bool = False
    watched: int | None = None
    rest: Rest = field(default_factory=Rest)

    def key(self, name: str) -> str:
        """A widget key of this page alone."""
        return f"{self.name}.{name}"

    @property
    def step_index(self) -> int:
        """The index of the shown step."""
        return len(self.trace.steps) - 1

    @property
    def newest(self) -> int:
        """The position of the newest token at the shown step."""
        return self.trace.seq - 1

    def framed(self, head: tuple[int, int]) -> tuple[int, int]:
        """The (layer, head) to frame: where the frame rests; `head` if one is locked, or if it rests nowhere."""
        if self.head is not None or self.rest.follows or self.rest.head is None:
            return head
        return self.rest.head.layer, self.rest.head.head

    def picture(self, draw: Callable[..., Picture], *arguments: Hashable) -> Picture:
        """The picture that `draw` makes of the trace with these arguments, from the cache that all visitors share."""
        return PICTURES.picture(self.trace, (draw.__name__, *arguments), lambda: draw(self.trace, *arguments))


def palette() -> Palette:
    """The colours of the visitor's theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT


class Drawn:
    """The step and the head that the pictures of a page show."""

    def note(self, step: StepId | None, head: tuple[int, int] | None) -> None:
        """Keep what is drawn; Streamlit holds this for long, and it must not hold the numbers of an evicted run."""
        self._step = (lambda: None) if step is None else weakref.ref(step)
        self._head = head

    def shows(self, step: StepId | None, head: tuple[int, int] | None) -> bool:
        """Whether the pictures are of this step and this head."""
        return step is self._step() and head == self._head


def show_stage(view: Literal["live", "strip"], drawn: Drawn | None = None) -> Visit:
    """Mount the stage and answer the visitor's actions; what the page draws below it is noted in `drawn`.

    Streamlit returns a component's actions only from the call that sends a snapshot. So every action is answered twice:
    first by a snapshot from before the action, then, after a rerun, by a snapshot that shows its effect.
    """
    visit = this_visit()
    visit.refresh()
    runs, drawn_palette, below = count(), palette(), drawn or Drawn()
    below.note(*visit.view_key)
    drawn_size, drawn_row = (type_size(), visit.seen.is_narrow), has_page_row(visit)

    @st.fragment
    def answer() -> None:
        """Send a snapshot and take the actions. While a run is generating, the stage itself asks for the next one."""
        is_fragment_run = next(runs) > 0
        visit.refresh()
        actions = stage(visit.snapshot(), view=view)
        if has_code():
            FIRST_LOOK.note_shown()
        for action in actions:
            visit.answer(action)
        hear_others()
        if view == "strip" and not below.shows(*visit.view_key):
            rerun()  # the pictures below show another step or head than the strip
        if view == "strip" and (type_size(), visit.seen.is_narrow) != drawn_size:
            rerun()  # charts have letters of another size than the page around them, or are too wide or too narrow
        if has_page_row(visit) != drawn_row:
            rerun()  # the window has become narrow, or wide
        if palette() is not drawn_palette:
            rerun()  # charts and logo have the colours of the theme before; the stage told of the new one
        if is_asked_by_a_page_that_was_left():
            rerun()  # the browser has emptied the page
        if actions:
            rerun("fragment" if is_fragment_run else "app")

    answer()
    return visit


def open_page(name: str) -> View:
    """Put the strip on top of a lens page and return the view that the page shows."""
    drawn = Drawn()
    view = view_of(name, show_stage("strip", drawn))
    steps = view.trace.steps  # one more, perhaps, than when the stage was sent
    drawn.note(steps[-1].identity if steps else None, view.head)
    return view


def view_of(name: str, visit: Visit) -> View:
    """The view of the step under the cursor, as it is now."""
    model = visit.model_of_run
    whole = with_recomputer(visit.player.trace, model.engine if model else None)
    shown = whole.cut(min(visit.cursor + 1, len(whole.steps)))
    return View(
        name=name,
        run=whole,
        trace=shown,
        step=shown.step(-1) if shown.steps else None,
        tables=model.tables if model else None,
        palette=palette(),
        head=visit.head,
        read_lens=lens_of(model),
        checkpoint=model.checkpoint if model else None,
        is_narrow=visit.seen.is_narrow,
        watched=visit.watched if visit.watched in range(len(whole.prompt_ids)) else None,
        rest=visit.rest,
    )


def lens_of(run_model: ModelJob | None) -> Callable[[Array], Array] | None:
    """The logit lens of a model: by its engine, in NumPy until the engine is ready, or None without weights."""
    if run_model is not None and run_model.engine is not None:
        return run_model.engine.lens
    checkpoint = run_model.checkpoint if run_model else None
    return None if checkpoint is None else lambda rows: read_lens(checkpoint, rows)


def headline(text: str) -> None:
    """Show the page's headline: the question that its pictures answer."""
    st.header(text, anchor=False)


@contextmanager
def explain_missing() -> Iterator[None]:
    """Draw the block, or one sentence if a hook that it needs was dropped and cannot be recomputed."""
    try:
        yield
    except TraceError as error:
        plain_text(str(error))


def note_storage(view: View, *hooks: str) -> None:
    """Say how the hooks that the page shows are stored, if not as they were captured."""
    if sentence := storage_sentence(view.trace, hooks):
        plain_text(sentence)


def stop_if_missing(view: View, *hooks: str) -> None:
    """End the page here if one of these hooks was dropped and cannot be recomputed; `note_storage` has said so."""
    if view.trace.recomputer is None and any(
        view.trace.storage_of(f"blocks.0.{hook}") == Storage.DROPPED for hook in hooks
    ):
        st.stop()


def plain_text(text: str) -> None:
    """Show a generated sentence letter by letter, its tokens as code: nothing in it is ever read as markup."""
    if BEGIN in text:
        st.markdown(markdown(text))
    else:
        st.text(text)


def show_computation(
    view: View, title: str, formula: str, operands: Sequence[str], excerpts: Sequence[Excerpt]
) -> None:
    """Show a computation, one click away: its formula, the real operands, the lines that ran; then the files."""
    box = details(title, key=view.key(title), icon=":material/function:")
    if not box.open:
        return
    with box:
        st.latex(formula)
        for operand in operands:
            plain_text(operand)
        lines, *files = st.tabs(["The lines that compute it", *(f"gpt2/{excerpt.file}" for excerpt in excerpts)])
        with lines:
            for excerpt in excerpts:
                st.code(excerpt.lines, language="python", line_numbers=False)
        for tab, excerpt in zip(files, excerpts, strict=True):
            tab.code(excerpt.path.read_text(encoding="utf-8"), language="python", line_numbers=True, height=480)
