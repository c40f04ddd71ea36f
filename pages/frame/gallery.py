"""The pages in their order, and what stands beside all of them: recorded runs, opened and saved."""

from pathlib import Path

import streamlit as st

from gpt2.budget import fit, trace_budget
from gpt2.errors import GPT2Error
from gpt2.trace import Trace

from .examples import RECORDED, recorded_run
from .layout import palette, sentence
from .logo import logo
from .saving import trace_bytes
from .visit import Visit, this_visit

PAGES = Path(__file__).parents[1]

# What the page frame needs and Streamlit has no setting for: no empty space above and around the stage.
CSS = """<style>
.stMainBlockContainer { padding: 3.5rem 1.25rem 0; max-width: none; }
.stMainBlockContainer:has([data-testid="stHeading"]) { padding-bottom: 2rem; }
[data-testid="stHeader"] { height: 3.25rem; }
[data-testid="stHeading"] h2 { font-size: 1.6rem; padding: 0.25rem 0 0.5rem; }
[data-testid="stText"] { font-size: 0.95rem; line-height: 1.45; }
</style>"""


def show() -> None:
    """Draw the navigation and the page that is chosen."""
    st.html(CSS)
    st.logo(logo(palette()), size="large")
    page = st.navigation(
        [
            st.Page(PAGES / "live.py", title="Live", default=True),
            st.Page(PAGES / "embeddings.py", title="Embeddings"),
            st.Page(PAGES / "attention.py", title="Attention"),
            st.Page(PAGES / "residual.py", title="Residual stream"),
            st.Page(PAGES / "sampling.py", title="Sampling"),
            st.Page(PAGES / "cost.py", title="Cost"),
        ],
        position="top",
    )
    with st.sidebar:
        runs(this_visit())
    page.run()


def runs(visit: Visit) -> None:
    """Open a recorded run, or save the one on the stage."""
    st.subheader("Runs", anchor=False)
    for name, title in RECORDED.items():
        if st.button(f"Open the recorded run “{title}”", key=f"recorded.{name}"):
            visit.open(recorded_run(name))
    uploaded = st.file_uploader("Open a run from a file", type="npz", key="opened_file")
    if uploaded is None:
        st.session_state.pop("opened_error", None)
    elif st.session_state.get("opened_id") != uploaded.file_id:
        st.session_state["opened_id"] = uploaded.file_id
        try:
            visit.open(fit(Trace.load(uploaded), trace_budget()), is_own=True)
        except GPT2Error as error:
            st.session_state["opened_error"] = str(error)
        else:
            st.session_state.pop("opened_error", None)
    if "opened_error" in st.session_state:
        st.error("This file was not opened.")
        sentence(st.session_state["opened_error"])  # it may quote the file
    st.download_button(
        "Save the run on the stage",
        # Taken when the button is pressed: the run goes on without this being drawn anew.
        data=lambda: trace_bytes(visit.player.trace),
        file_name="gpt2-run.npz",
        mime="application/octet-stream",
        on_click="ignore",
    )
    st.caption("All steps up to now, with every activation that the run has kept.")
