"""The stage, mounted: a snapshot goes out as one message, and the visitor's actions come back."""

from typing import Literal

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from .actions import Action
from .code import MOUNT, joined
from .message import BrowserState, TypeSize, encode_message
from .record_cache import RecordCache
from .snapshot import Snapshot

BROWSER = "stage.browser"  # where a visitor's session keeps the state
RECORDS = RecordCache()
CODE = st.components.v2.component("gpt2_stage_code", js=joined(), isolate_styles=False)
STAGE = st.components.v2.component("gpt2_stage", html="<div></div>", js=MOUNT)


def type_size() -> TypeSize:
    """How large the letters of this visitor's page are, as its browser has told last."""
    browser: BrowserState | None = st.session_state.get(BROWSER)
    return TypeSize() if browser is None else browser.size


def has_code() -> bool:
    """Whether this visitor's browser has said that it holds the stage's code; it does once it shows a stage."""
    browser: BrowserState | None = st.session_state.get(BROWSER)
    return browser is not None and browser.has_code


def send_code() -> None:
    """Send the stage's code to a browser that has not said that it holds it; every page shows a stage.

    Sent before anything else of a page, so that the browser fetches what runs a component, and reads the code, while
    Python still makes the page.
    """
    with st.container(gap=None, key="stage-code"):
        if not has_code():
            CODE(key="stage.code")


def stage(snapshot: Snapshot, *, view: Literal["live", "strip"]) -> tuple[Action, ...]:
    """Show the snapshot and return what the visitor has done since the last time.

    The browser repeats an action until a message tells that it was taken, so none is lost and none comes twice.
    """
    browser: BrowserState = st.session_state.setdefault(BROWSER, BrowserState())
    context = get_script_run_ctx()
    page = "" if context is None else context.page_script_hash
    data = encode_message(snapshot, view, browser, RECORDS, page)
    return browser.take(STAGE(key="stage", data=data, on_actions_change=lambda: None).actions)
