"""Measured effects, on the Attribution page: the picked part, or all of them, set to zero one at a time."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from gpt2.errors import SettingsError
from gpt2.experiments.muted import Muted, every_part, mute_each
from gpt2.experiments.part import Part as Place
from gpt2.reading.logit_parts import Attribution, Part
from gpt2.trace.trace import Trace
from pages.charts.attribution import measured as chart
from pages.matrix.component import matrix
from pages.visit.experiment import Experiment
from pages.visit.on_stage import OnStage
from pages.visit.session import this_visit

from .heading import heading
from .layout import View, plain_text
from .rerun import rerun

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

SECONDS, HEIGHT = 0.5, 330
CHANGED = "The run on the stage was itself made with changes, so nothing is measured; press Run to make one without."


@dataclass(frozen=True)
class Question:
    """Whose logit is measured: after these tokens of a run, of one token, above another's if there is one."""

    run_id: str
    ids: tuple[int, ...]
    token: int
    against: int | None


@dataclass(eq=False)
class MutedParts:
    """The answer to one question, as far as it is measured; the passes are made in a thread."""

    question: Question | None = None
    measured: Experiment[Muted] | None = None

    @property
    def is_running(self) -> bool:
        """Whether passes are still made."""
        return self.measured is not None and self.measured.is_running

    def tend(self, question: Question) -> None:
        """Stop and drop what answers another question."""
        if question != self.question:
            if self.measured is not None:
                self.measured.stop()
            self.question, self.measured = question, None

    def measure(self, player: OnStage, trace: Trace, engine: "Engine | None", parts: Sequence[Place]) -> None:
        """Measure parts, one after the other, unless they have been."""
        question, before = self.question, self.measured
        assert question is not None  # `tend` has been called
        if before is not None:
            before.stop()
        known, is_changed = None if before is None else before.found, any(step.interventions for step in trace.steps)

        def work(own: Experiment[Muted], engine: "Engine", stop: threading.Event) -> Iterator[Muted]:
            if is_changed:
                raise SettingsError(CHANGED)
            yield from mute_each(engine, question.ids, parts, question.token, question.against, known, stop)

        self.measured = Experiment(player, trace, engine, f"{len(parts)} parts set to zero, one at a time", work)


def show_measured(view: View, found: Attribution, part: Part) -> None:
    """Draw both effects of a part, the buttons and the map; while passes are made, without the rest of the page."""
    visit, key = this_visit(), view.key("measured")
    muted: MutedParts = st.session_state.setdefault("muted parts", MutedParts())
    question = Question(view.trace.run_id, view.trace.computed_ids[: found.position + 1], found.token, found.against)
    muted.tend(question)
    was_running, place = muted.is_running, chart.place_of(part)
    del view  # Streamlit holds the functions below for long; they must not hold the numbers of an evicted run

    def measure(parts: Sequence[Place]) -> None:
        model = visit.model_of_run
        muted.measure(visit.player, visit.player.trace, model.engine if model else None, parts)

    @st.fragment(run_every=SECONDS if was_running else None)
    def draw() -> None:
        if was_running and not muted.is_running:
            rerun()  # it has ended: redraw the page, without a timer
        trace, measured = visit.player.trace, muted.measured
        if trace.run_id != question.run_id:
            return
        so_far, config = None if measured is None else measured.found, trace.config
        heading(key, chart.TITLE)
        told, picture = st.columns([10, 9], gap="medium")
        with told:
            plain_text(chart.both_sentence(trace, found, part, so_far) if place else chart.NO_PART)
            if measured is not None and measured.is_running:
                st.progress(chart.share_done(so_far), chart.progress_words(so_far))
                if st.button("Stop", key=f"{key}.stop"):
                    measured.stop()
                    rerun()
            else:
                one, every = st.columns(2)
                name, all_parts = f"{key}.one", every_part(config.n_layer, config.n_head)
                is_open = place is not None and not (so_far and so_far.knows(place))
                if one.button("Measure this part", key=name, width="stretch", disabled=not is_open) and place:
                    measure([place])
                    rerun()
                if every.button("Measure all parts", key=f"{key}.all", width="stretch"):
                    measure(all_parts)
                    rerun()
            if measured is not None and measured.error:
                plain_text(measured.error)
        if so_far is not None:
            with picture:
                matrix(chart.map_picture(trace, found, so_far, HEIGHT), key=f"{key}.map")

    with st.container(border=True):
        draw()
