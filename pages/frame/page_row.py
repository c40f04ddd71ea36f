"""The row of pages on a narrow screen, where Streamlit puts its own links away behind a sign."""

import time
from collections.abc import Sequence

import streamlit as st
from streamlit.navigation.page import StreamlitPage

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
</style>"""
OPEN_PAGE = """<style>
.st-key-{key} > div:nth-child({place}) a {{ border-bottom-color: {colour} !important; }}
.st-key-{key} > div:nth-child({place}) a p {{ font-weight: 600; }}
</style>"""
# Streamlit does not say which link is the open page's, and may draw the links late, and again. The open page is brought
# into sight, wherever it is in the row. Calls overtake each other on a busy machine: the page opened last counts.
MARKS = f"""export default ({{ data: {{ open, since }} }}) => {{
    if (since < (globalThis.gpt2OpenSince ?? 0)) return;
    globalThis.gpt2OpenSince = since;
    const center = (row, link) => {{
        const here = link.getBoundingClientRect(), all = row.getBoundingClientRect();
        row.scrollLeft += here.left + here.width / 2 - all.left - all.width / 2;
    }};
    const sizes = new ResizeObserver(([{{ target }}]) => center(target.closest('.st-key-{KEY}'), target));
    const mark = () => {{
        if (since < globalThis.gpt2OpenSince) return;
        const row = document.querySelector('.st-key-{KEY}'), links = [...(row?.querySelectorAll('a') ?? [])];
        const link = links.find((one) => one.textContent.trim() === open);
        if (!link || link.hasAttribute('aria-current')) return;
        for (const one of links) one.removeAttribute('aria-current');
        link.setAttribute('aria-current', 'page');
        sizes.disconnect();
        sizes.observe(link); // it has its size once the style sheets and the letters are here
    }};
    const nodes = new MutationObserver(mark);
    nodes.observe(document.querySelector('.stMain') ?? document.body, {{ childList: true, subtree: true }});
    mark();
    return () => {{ nodes.disconnect(); sizes.disconnect(); }};
}}"""
IN_SIGHT = st.components.v2.component("gpt2_page_in_sight", js=MARKS)


def show_page_row(pages: Sequence[StreamlitPage], shown: StreamlitPage, colour: str) -> None:
    """Draw a link to every page, that of the shown one underlined in this colour; wide screens do not have the row."""
    st.html(CSS + OPEN_PAGE.format(key=KEY, place=1 + list(pages).index(shown), colour=colour))
    with st.container(horizontal=True, key=KEY):
        for page in pages:
            st.page_link(page, label=page.title)
        opened = st.session_state.setdefault("open-page-since", {})
        if shown.title not in opened:
            opened.clear()
            opened[shown.title] = time.time()
        IN_SIGHT(key="open-page", data={"open": shown.title, "since": opened[shown.title]}, height=1)
