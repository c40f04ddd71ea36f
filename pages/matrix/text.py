"""A picture on the text itself, in lines that wrap: who a token looks at, as tints and arcs."""

from collections.abc import Sequence

import streamlit as st

from pages.look.scripts import bundle

from .blob import Picture, pack
from .code import HERE, lean

_mount = st.components.v2.component(
    "gpt2_text",
    html='<div class="text"></div>',
    css=(HERE / "text.css").read_text(encoding="utf-8"),
    js=lean(bundle(HERE / "text.js")),
)


def text_view(picture: Picture, *, key: str, looking: Sequence[int]) -> None:
    """Draw the picture under a fixed key; its last row joins those of the tokens `looking`, and is shown at first."""
    _mount(key=key, data=pack(picture, selected=looking))
