"""The frame that all pages share: the stage on top, the question, the sentences, and how it is computed."""

import inspect
import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gpt2.errors import TraceError
from gpt2.reading.lens import read_lens
from gpt2.reading.tables import Tables
from gpt2.trace.captures import Storage
from gpt2.trace.step import Step
from gpt2.trace.trace import Trace
from pages.charts.storage_note import storage_sentence
from pages.look.palette import DARK, LIGHT, Palette
from pages.matrix.blob import Picture
from pages.server.caches import PICTURES, with_recomputer
from pages.server.job import ModelJob
from pages.stage.component import stage
from pages.visit.visit import Visit, this_visit

Array = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """What a lens page looks at.

    Attributes:
        run: the whole run on the stage.
        trace: the run up to the shown step; hooks that it dropped are recomputed if the model is loaded.
        step: that step with its logits, or None if the run is empty.
        tables, read_lens: the embeddings and the logit lens of the model that made the run, or None if it is not
            loaded.
        head: (layer, head) that the visitor has locked, if any.
    """

    name: str
    run: Trace
    trace: Trace
    step: Step | None
    tables: Tables | None
    palette: Palette
    head: tuple[int, int] | None
    read_lens: Callable[[Array], Array] | None

    def key(self, name: str) -> str:
        """A widget key of this page alone."""
        return f"{self.name}.{name}"

    def picture(self, draw: Callable[..., Picture], *how: Hashable) -> Picture:
        """The picture that `draw` makes of the trace, from the cache that all visitors share."""
        return PICTURES.picture(self.trace, (draw.__name__, *how), lambda: draw(self.trace, *how))


def palette() -> Palette:
    """The colours of this visitor's theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def show_stage(view: Literal["live", "strip"]) -> Visit:
    """Mount the stage, send it the visit's snapshot and answer its actions.

    Streamlit returns the actions of a component only from the call that sends it data. So a snapshot is sent first, and
    every action is answered by a second message: the snapshot that the next run of the fragment sends.
    """
    visit = this_visit()
    visit.refresh()
    runs, (drawn, drawn_head) = count(), visit.view_key
    # Streamlit keeps this function after the run has changed; it must not keep the captures of an evicted run.
    drawn_step = (lambda: None) if drawn is None else weakref.ref(drawn)
    del drawn

    @st.fragment
    def answer() -> None:
        """Send one message. While a run is under way the stage asks for the next one itself, so no timer is needed."""
        is_fragment_run = next(runs) > 0
        visit.refresh()
        actions = stage(visit.snapshot(), view=view)
        for action in actions:
            visit.answer(action)
        step, head = visit.view_key
        if view == "strip" and (step is not drawn_step() or head != drawn_head):
            st.rerun()  # the pictures below are of another step or head than the strip
        if actions:
            st.rerun(scope="fragment" if is_fragment_run else "app")

    answer()
    return visit


def open_page(name: str) -> View:
    """Put the strip on top of a lens page and return what the page looks at."""
    visit = show_stage("strip")
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
    )


def lens_of(model: ModelJob | None) -> Callable[[Array], Array] | None:
    """The logit lens: the engine's, in NumPy if only the checkpoint is loaded, or None without a model."""
    if model is not None and model.engine is not None:
        return model.engine.lens
    checkpoint = model.checkpoint if model else None
    return None if checkpoint is None else lambda rows: read_lens(checkpoint, rows)


def headline(text: str) -> None:
    """The page's headline: the question that its pictures answer."""
    st.header(text, anchor=False)


@contextmanager
def explain_missing() -> Iterator[None]:
    """Show what is drawn inside, or one sentence if it needs a hook that was dropped and cannot be recomputed."""
    try:
        yield
    except TraceError as error:
        plain_text(str(error))


def note_storage(view: View, *hooks: str) -> None:
    """Say which of the page's hooks are not stored as they were captured, if any."""
    if sentence := storage_sentence(view.trace, hooks):
        plain_text(sentence)


def require(view: View, *hooks: str) -> None:
    """End the page if its pictures need hooks that cannot be recomputed; `note_storage` has said so."""
    if view.trace.recomputer is None and any(
        view.trace.storage_of(f"blocks.0.{hook}") == Storage.DROPPED for hook in hooks
    ):
        st.stop()


def plain_text(text: str) -> None:
    """One generated sentence, shown as plain text: what it quotes is never read as Markdown."""
    st.text(text)


Source = Path | Callable[..., object] | type


def show_computation(title: str, formula: str, operands: Sequence[str], sources: Sequence[Source]) -> None:
    """How something is computed: the formula, the real operands, and the source that ran, one click away."""
    with st.expander(title, icon=":material/function:"):
        st.latex(formula)
        for operand in operands:
            st.text(operand)
        for source in sources:
            text = source.read_text(encoding="utf-8") if isinstance(source, Path) else inspect.getsource(source)
            st.code(text, language="python", line_numbers=False)
