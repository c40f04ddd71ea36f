"""Mount a graph on the page, and give back the node or edge that the visitor chose."""

from pathlib import Path

import streamlit as st

from pages.look.palette import Palette
from pages.look.scripts import bundle

from .picture import GraphPicture

HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "gpt2_graph",
    html='<div class="graph"></div>',
    css=(HERE / "graph.css").read_text(encoding="utf-8"),
    js=bundle(HERE / "graph.js"),
)


def graph(picture: GraphPicture, palette: Palette, *, key: str, otherwise: str) -> str:
    """Draw the graph under a fixed key and return the id of what is picked.

    A pick that the graph does not have any more gives way to `otherwise`, as does no pick at all.
    """
    before = st.session_state.get(key)
    picked = None if before is None else before.get("picked")
    selected = picked if isinstance(picked, str) and picked in picture.ids else None
    data = picture.message(palette, selected or otherwise, selected is not None)
    _mount(key=key, data=data, default={"picked": None}, on_picked_change=lambda: None)
    return selected or otherwise
