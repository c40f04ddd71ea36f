"""Running a page again, so that no click on another page is lost and no page is left empty."""

from collections.abc import Sequence
from typing import Literal, NoReturn

import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.scriptrunner import RerunData, RerunException, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext

PRESSES = {"trigger_value", "string_trigger_value", "json_trigger_value"}  # what is said once

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


def hear_others() -> None:
    """Run the page if the message that asked for this run of a fragment is also of a widget outside the fragment.

    The browser sends what is done at one moment in one message, which asks for one fragment, if anything was done in
    one. So a press of a button of the page would be lost if it fell together with something that the stage says.

    Raises:
        RerunException: which Streamlit takes; the page's run is told the presses, whose callbacks have been called.
    """
    context = get_script_run_ctx()
    if context is None or not context.fragment_ids_this_run:
        return
    inside, about = set(context.fragment_ids_this_run), context.session_state._state._new_widget_state.widget_metadata
    others = {name for name in said(context) if about[name].fragment_id not in inside}
    if others:
        raise run_again(context, others)


def said(context: ScriptRunContext) -> set[str]:
    """The widgets that the messages which asked for this run are of, by their ids."""
    state = context.session_state._state
    about = state._new_widget_state.widget_metadata
    return {name for name in state._new_widget_state if name in about and state._widget_changed(name)}


def run_again(context: ScriptRunContext, told: set[str], fragments: Sequence[str] = ()) -> RerunException:
    """What ends this run and begins one of the page, or of these fragments, which is told these widgets' presses."""
    pressed = [one for one in context.session_state.get_widget_states() if one.id in told and is_pressed(one)]
    return RerunException(
        RerunData(
            query_string=context.query_string,
            page_script_hash=shown_page(context),
            fragment_id_queue=list(fragments),
            is_fragment_scoped_rerun=bool(fragments),
            replay_trigger_states=WidgetStates(widgets=pressed),
            cached_message_hashes=context.cached_message_hashes,
            context_info=context.context_info,
        )
    )


def is_pressed(widget: WidgetState) -> bool:
    """Whether a widget says something once, as a button does: it has to be told again."""
    return widget.WhichOneof("value") in PRESSES


def rerun(scope: Literal["app", "fragment"] = "app") -> NoReturn:
    """Run the page that is shown again, or this fragment of it; a request of the visitor that waits goes first.

    `st.rerun` joins a request that waits and names the page of the running script, not that of the request: a click on
    another page would be lost. And so would a press of a button that this run has not come to: while a page is drawn,
    the browser's requests for several fragments become one, and the first fragment may run again before the others.

    Raises:
        RerunException: which Streamlit takes; the next run is told the presses that this one has not come to.
    """
    if (context := get_script_run_ctx()) is None:
        st.stop()
    context.yield_check()  # begins the request that waits, under the page that it names
    unheard = {name for name in said(context) if name not in context.shared.widget_ids_this_run}
    raise run_again(context, unheard, context.fragment_ids_this_run or () if scope == "fragment" else ())
