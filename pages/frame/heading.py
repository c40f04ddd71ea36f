"""A panel's heading on a lens page: its title, what its words mean, the whole window, and its picture as a file."""

from html import escape
from typing import Literal

import streamlit as st

from pages.look.scripts import heading_sheet

CSS = f"""<style>
.gpt2-heading {{ display: flex; align-items: center; min-height: 1.7rem; }}
.gpt2-heading h3 {{ margin: 0; padding: 0; font-size: 1rem; font-weight: 600; line-height: 1.4; letter-spacing: 0; }}
.stHtml:has(> .gpt2-heading) {{ margin-bottom: -0.7rem; }}
{heading_sheet()}
</style>"""


TAKES = (
    '<button type="button" class="takes" data-panel="{panel}" aria-haspopup="menu" aria-expanded="false" '
    'aria-label="Take away" title="Take away (PNG, SVG, CSV)"></button>'
)


def heading(panel: str, title: str, width: Literal["stretch", "content"] = "stretch", has_chart: bool = True) -> None:
    """Draw the title of a panel. The stage's script answers its buttons.

    Args:
        panel: its name in `pages.look.panels`.
        title: what is written.
        width: of the heading.
        has_chart: whether the next chart below is the panel's, and can be taken away.
    """
    takes = TAKES.format(panel=panel) if has_chart else ""
    st.html(
        f'<div class="gpt2-heading" data-panel="{panel}"><h3>{escape(title)}</h3><span class="tools">'
        f'<button type="button" class="explains" data-panel="{panel}" aria-expanded="false" '
        'aria-label="What this panel shows">i</button>'
        f'<button type="button" class="fills" data-panel="{panel}" aria-label="Fill the window" '
        'title="Fill the window (F)"></button>'
        f"{takes}</span></div>",
        width=width,
    )
