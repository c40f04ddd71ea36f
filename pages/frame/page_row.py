"""The row of pages on a narrow screen, where Streamlit puts its own links away behind a sign."""

import time
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.visit.visit import Visit

KEY = "page-row"
# Streamlit puts its links away at this width. The fade at the end says that the row goes on.
CSS = f"""<style>
.st-key-{KEY}, .stElementContainer:has(.st-key-{KEY}) {{ display: none; }}
@media (max-width: 768px) {{
  .st-key-{KEY} {{ display: flex; flex-wrap: nowrap; gap: 0; overflow-x: auto; scrollbar-width: none;
    min-height: 46px; margin: 0 0 -0.75rem; padding-right: 1.5rem; overscroll-behavior-x: contain;
    mask-image: linear-gradient(to right, #000 calc(100% - 2rem), transparent); }}
  .st-key-{KEY} > div {{ flex: none; width: auto; }}
  .st-key-{KEY} a, .st-key-{KEY} a:is(:hover, :active) {{ min-height: 44px; padding: 0 0.6rem; align-items: center;
    border-radius: 0; border-bottom: 2px solid transparent; background: none; }}
  .st-key-{KEY} a p {{ font-size: 0.95rem; white-space: nowrap; }}
}}
[data-testid="stHeader"] [data-testid^="stTopNav"][aria-current] {{
  background: color-mix(in srgb, currentColor 10%, transparent); /* no bolder letters: their room was measured before */
}}
</style>"""
OPEN_PAGE = """<style>
.st-key-{key} > div:nth-child({place}) a {{ border-bottom-color: {colour} !important; }}
.st-key-{key} > div:nth-child({place}) a p {{ font-weight: 600; }}
</style>"""
OPEN_JS = (Path(__file__).parent / "open_page.js").read_text(encoding="utf-8")
OPEN = st.components.v2.component("gpt2_open_page", js=OPEN_JS)


def has_page_row(visit: Visit) -> bool:
    """Whether the visitor's window may be narrow: it has said so, or is a phone's and has not said anything yet.

    In a wide one the links would be seen for a moment, until the browser has the style sheet that puts them away.
    """
    return visit.seen.is_narrow or "Mobi" in st.context.headers.get("User-Agent", "")


def show_page_row(
    pages: Sequence[StreamlitPage], shown: StreamlitPage, group: str, colour: str, *, has_links: bool
) -> None:
    """Draw a link to every page, that of the shown one underlined in this colour; wide screens do not have the row.

    Args:
        has_links: False if the window is wide: the open page is marked at the top alone.
        pages: to be linked.
        shown: the one that is open, or stands for it.
        group: whose menu it is in on a wide screen; empty if it has a link of its own.
        colour: of the line.
    """
    st.html(CSS + OPEN_PAGE.format(key=KEY, place=1 + list(pages).index(shown), colour=colour))
    with st.container(horizontal=True, key=KEY):
        for page in pages if has_links else ():
            st.page_link(page, label=page.title)
        opened = st.session_state.setdefault("open-page-since", {})
        if shown.title not in opened:
            opened.clear()
            opened[shown.title] = time.time()
        data = {"open": shown.title, "group": group, "since": opened[shown.title]}
        OPEN(key="open-page", data=data, height=1)
