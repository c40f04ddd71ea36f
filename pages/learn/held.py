"""The step of a run that a lesson's page shows: the cursor's, and while the run plays, the one where the page was."""

from dataclasses import replace

import streamlit as st

from pages.frame import layout
from pages.frame.layout import View
from pages.frame.rerun import rerun
from pages.visit.session import this_visit

HELD = "lesson.held"
CHECK_SECONDS = 0.5


def hold(view: View) -> View:
    """The view with its trace as of the held step.

    To look at a component costs up to a second, and a run may draw many tokens in one. So while it plays, the page
    stands still, says so, and follows when the run pauses.
    """
    if view.step is None:
        return view
    page, run, steps = view.name, view.trace.run_id, len(view.trace.steps)
    before = st.session_state.get(HELD)
    is_playing = this_visit().player.is_running
    if not is_playing or before is None or before[:2] != (page, run) or before[2] > len(view.run.steps):
        st.session_state[HELD] = page, run, steps
        return view
    if before[2] == steps:
        return view
    held = view.run.cut(before[2])
    layout.plain_text(f"The run is playing. This page shows step {before[2] - 1} until it pauses.")
    follow()
    return replace(view, trace=held, step=held.step(-1))


@st.fragment(run_every=CHECK_SECONDS)
def follow() -> None:
    """Draw the page anew once the run has paused."""
    if not this_visit().player.is_running:
        rerun()
