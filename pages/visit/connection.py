"""The connection of a visit: its session, address, whether it is still connected, and where the browser runs."""

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

# What proxies add to a request that they pass on; each has its own habit.
PASSED_ON = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip")


def this_session() -> str | None:
    """The name of the browser session that this script runs for, which it keeps when it connects again."""
    context = get_script_run_ctx()
    return None if context is None else context.session_id


def this_query() -> str:
    """The query of the browser's address, as it was when this script was asked for."""
    context = get_script_run_ctx()
    return "" if context is None else context.query_string


def is_connected(session: str | None) -> bool:
    """Whether the browser of a session is connected. Assumed so outside a server (tests). Call it from any thread."""
    return session is None or not runtime.exists() or runtime.get_instance().is_active_session(session)


def comes_from_this_machine() -> bool:
    """Whether the visitor's browser is on the machine that the app runs on, with no proxy between."""
    return st.context.ip_address is None and not any(name in st.context.headers for name in PASSED_ON)
