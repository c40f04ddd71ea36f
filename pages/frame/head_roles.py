"""The Attention page's map of roles: its controls, and the picture, or how far its measurement is."""

import streamlit as st

from gpt2.reading.roles import ROLES
from pages.charts import attention_roles
from pages.charts.attention import head_at, tile_of
from pages.matrix.component import matrix
from pages.server.head_roles import RolesJob, roles_job
from pages.visit.session import this_visit

from .layout import View, plain_text
from .rerun import rerun

SECONDS = 0.3  # between two looks at a measurement
Head = tuple[int, int]


def choose_role(view: View) -> tuple[str, str]:
    """Draw the controls, and return the role and what it is measured on."""
    role = st.segmented_control(
        "Role",
        list(ROLES),
        format_func=attention_roles.role_label,
        default=next(iter(ROLES)),
        required=True,
        key=view.key("role"),
        persist_state="session",
    )
    source = st.segmented_control(
        "Measured on",
        attention_roles.SOURCES,
        default=attention_roles.REPEATS,
        required=True,
        key=view.key("source"),
        persist_state="session",
    )
    return role, source


def show_roles(view: View, role: str, source: str, otherwise: Head, height: int) -> Head:
    """Draw the map and return the head in its frame: the locked one, else the strongest; `otherwise` without a map."""
    if source == attention_roles.THIS_RUN:
        picture = view.picture(attention_roles.map_of_run, role, height)
    else:
        model = this_visit().model_of_run
        if model is None or model.engine is None:
            plain_text(attention_roles.NOT_LOADED)
            return otherwise
        job = roles_job(model.engine)
        if job.is_running:
            _show_progress(job)
            return otherwise
        if job.found is None:
            plain_text(job.error)
            return otherwise
        picture = attention_roles.role_map(job.found, role, height)
    head = otherwise if view.head == otherwise else head_at(view.trace, attention_roles.strongest_tile(picture))
    matrix(picture, key=view.key("roles"), selected=tile_of(view.trace, head), is_picked=head == view.head)
    return head


@st.fragment(run_every=SECONDS)
def _show_progress(job: RolesJob) -> None:
    """How far the measurement is; the page is drawn again when it has ended."""
    if not job.is_running:
        rerun()
    st.progress(job.done / job.total, f"{job.done} of {job.total} sequences of random tokens read")
