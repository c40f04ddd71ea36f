"""The address without the stage: a page that changes what it says after the stage was sent tells the browser so."""

from pathlib import Path

import streamlit as st

from pages.look.scripts import bundle

from .snapshot import Link

_mount = st.components.v2.component(
    "gpt2_link",
    js=bundle(Path(__file__).parent / "relink.js"),
)


def relink(link: Link, key: str = "stage.link") -> None:
    """Let the browser's address say this of the run on the stage, until the next message of the stage."""
    _mount(key=key, data={"query": link.query, "problem": link.problem})
