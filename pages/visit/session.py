"""The visit of this browser session, begun when its first page is opened."""

import streamlit as st

from pages.server.memory import collect_garbage

from .connection import comes_from_this_machine, this_query, this_session
from .link import Link
from .model_choice import ModelChoice
from .player import Player
from .visit import Visit

COLLECT_SECONDS = 60  # how often, at most, a new visit waits for the others' to be swept


def this_visit() -> Visit:
    """The visit of this browser session, begun with a recorded run on the stage; its address may name another run."""
    if "visit" not in st.session_state:
        collect_garbage(after=COLLECT_SECONDS)  # of visits that are over: the new one may need their memory
        link, choice = Link(this_query()), ModelChoice(is_local=comes_from_this_machine())
        recorded, prompt = link.recorded
        player, last = Player(recorded, prompt), len(recorded.steps) - 1
        st.session_state["visit"] = Visit(player, choice, link, cursor=last, session=this_session())
    visit: Visit = st.session_state["visit"]
    return visit
