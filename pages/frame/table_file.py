"""A file of more numbers than a page holds: it is made at the press of its button, and not before."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from gpt2.errors import GPT2Error
from gpt2.reading.tables import Tables
from pages.visit.measurement import NOT_LOADED
from pages.visit.session import this_visit
from pages.visit.visit import Visit


def offer_table(name: str, write: Callable[[Tables], bytes], *, key: str) -> None:
    """Draw the button of a CSV file that `write` makes of the embedding tables of the run on the stage."""
    st.download_button(
        "Numbers (CSV)",
        data=partial(_made, this_visit(), write),  # not the tables: Streamlit holds it for long
        file_name=f"{name}.csv",
        mime="text/csv",
        key=key,
        on_click="ignore",
    )


def _made(visit: Visit, write: Callable[[Tables], bytes]) -> bytes:
    if (model := visit.model_of_run) is None or model.tables is None:
        raise GPT2Error(NOT_LOADED)
    return write(model.tables)
