"""The stage, mounted: a snapshot goes out as one message, and the visitor's actions come back."""

from typing import Literal

import streamlit as st

from .actions import Action
from .code import MOUNT, joined
from .message import BrowserState, TypeSize, encode_message
from .record_cache import RecordCache
from .snapshot import Snapshot

RECORDS = RecordCache()
CODE = st.components.v2.component("gpt2_stage_code", js=joined(), isolate_styles=False)
STAGE = st.components.v2.component("gpt2_stage", html="<div></div>", js=MOUNT)


def type_size(key: str = "stage") -> TypeSize:
    """How large the letters of this visitor's page are, as its browser has told last."""
    browser: BrowserState | None = st.session_state.get(f"{key}.browser")
    return TypeSize() if browser is None else browser.size


def stage(snapshot: Snapshot, *, view: Literal["live", "strip"], key: str = "stage") -> tuple[Action, ...]:
    """Show the snapshot and return what the visitor has done since the last time.

    The browser repeats an action until a message tells that it was taken, so none is lost and none comes twice.
    """
    browser: BrowserState = st.session_state.setdefault(f"{key}.browser", BrowserState())
    with st.container(gap=None):
        result = STAGE(key=key, data=encode_message(snapshot, view, browser, RECORDS), on_actions_change=lambda: None)
        actions = browser.take(result.actions)
        if not browser.has_code:
            CODE(key=f"{key}.code")
    return actions
