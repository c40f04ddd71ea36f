"""Running a page again, so that no click on another page is lost and no page is left empty."""

from typing import Literal, NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext

# The name that Streamlit gives to the page on the screen, in the state of a visit.
SHOWN = "shown_page"


def note_shown_page() -> None:
    """Keep which page is drawn from now on."""
    if (context := get_script_run_ctx()) is not None:
        st.session_state[SHOWN] = context.page_script_hash


def shown_page(context: ScriptRunContext) -> str:
    """The page that is shown: the running one, if none was noted."""
    return str(st.session_state.get(SHOWN, context.page_script_hash))


def is_asked_by_a_page_that_was_left() -> bool:
    """Whether a page that is no longer shown has asked for this run of a fragment.

    After "Back" the page that is left can say something more before the other one arrives in the browser. A fragment
    that both have then runs as the old page's, and the browser, told of another page than it shows, empties it.
    """
    context = get_script_run_ctx()
    return context is not None and context.page_script_hash != shown_page(context)


def rerun(scope: Literal["app", "fragment"] = "app") -> NoReturn:
    """Run the page that is shown again, or this fragment of it; a request of the visitor that waits goes first.

    `st.rerun` joins a request that waits and names the page of the running script, not that of the request: a click on
    another page would be lost.
    """
    if (context := get_script_run_ctx()) is not None:
        context.yield_check()  # begins the request that waits, under the page that it names
        context.pages_manager.set_current_page_script_hash(shown_page(context))
    st.rerun(scope=scope)  # noqa: TID251
