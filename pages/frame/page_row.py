"""The row of pages on a narrow screen, where Streamlit puts its own links away behind a sign."""

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
  .st-key-{KEY} a {{ min-height: 44px; padding: 0 0.6rem; align-items: center; border-radius: 0;
    border-bottom: 2px solid transparent; }}
  .st-key-{KEY} a p {{ font-size: 0.95rem; white-space: nowrap; }}
  .st-key-{KEY} a, .st-key-{KEY} a:is(:hover, :active) {{ background: none; }}
  .st-key-{KEY} a[aria-current="page"] {{ border-bottom-color: var(--open); }}
}}
</style>"""
# Streamlit does not mark the link of the page that is open, and may draw the links after this. The page's own link is
# brought into sight, wherever it is in the row.
OPEN_PAGE = st.components.v2.component(
    "gpt2_open_page",
    js=f"""export default ({{ data: {{ open }} }}) => {{
        const mark = (tries) => {{
            const row = document.querySelector('.st-key-{KEY}'), links = [...(row?.querySelectorAll('a') ?? [])];
            const link = links.find((one) => one.textContent.trim() === open);
            if (!link) return tries && setTimeout(() => mark(tries - 1), 50);
            for (const one of links) if (one !== link) one.removeAttribute('aria-current');
            link.setAttribute('aria-current', 'page');
            const here = link.getBoundingClientRect(), all = row.getBoundingClientRect();
            row.scrollLeft += here.left + here.width / 2 - all.left - all.width / 2;
        }};
        mark(40);
    }}""",
)


def show_page_row(pages: Sequence[StreamlitPage], shown: StreamlitPage, colour: str) -> None:
    """Draw a link to every page, that of the shown one underlined in this colour; wide screens do not have the row."""
    st.html(CSS + f"<style>.st-key-{KEY} {{ --open: {colour}; }}</style>")
    with st.container(horizontal=True, key=KEY):
        for page in pages:
            st.page_link(page, label=page.title)
        OPEN_PAGE(key="open-page", data={"open": shown.title}, height=1)
