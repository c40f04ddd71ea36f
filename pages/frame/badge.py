"""The badge beside a list: it shows that a person has chosen, and lets the choice go, as Esc does."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from gpt2.errors import GPT2Error
from pages.look.scripts import bundle

from .heading import heading as draw_heading
from .layout import palette, plain_text

CSS = """
button { display: block; position: relative; margin: 0 0 0 auto; padding: 0 0.6em; border: 1px solid var(--mark);
  border-radius: 1em; background: var(--st-background-color); color: var(--st-text-color); cursor: pointer;
  white-space: nowrap; font: max(var(--least, 12px), calc(12px * var(--type, 1))) / 1.5 var(--st-font); }
button::after { content: ""; position: absolute; inset: -5px -2px; } /* room for a finger */
button[hidden] { display: block; visibility: hidden; }
"""
_mount = st.components.v2.component(
    "gpt2_badge",
    html='<button type="button" title="Let this choice go (Esc)" hidden>picked · Esc</button>',
    css=CSS,
    js=bundle(Path(__file__).parent / "badge.js"),
)


def pick_from(
    options: Sequence[int],
    title: str,
    *,
    format_func: Callable[[int], str],
    key: str,
    otherwise: int,
    of: str = "",
    typed: Callable[[str], int] | None = None,
    has_chart: bool = False,
) -> int:
    """Draw a titled list and return its choice; a badge shows that it is another than `otherwise`, and takes it back.

    Args:
        options: what can be chosen; the first is chosen at first.
        title: what is written above the list, and read aloud with it.
        format_func: the text of an option.
        key: the list's.
        otherwise: the choice if a person has made none.
        of: the run whose words the options have, if they are a run's: it has a list of its own, see positions.py.
        typed: the option that a typed text means, for a list in which one can type; a refusal is written below it.
        has_chart: whether the next chart below is the panel's.
    """
    heading = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    # The badge is drawn after the list: before, the session may hold a text that no option has any more.
    widget, start = (f"{key} of {of}", st.session_state.get(key, otherwise)) if of else (key, options[0])
    choice: int | str | None = st.selectbox(
        title,
        options,
        options.index(start) if start in options else 0,
        format_func=format_func,
        key=widget,
        persist_state=None if of else "session",
        label_visibility="collapsed",
        accept_new_options=typed is not None,
    )
    with heading:
        draw_heading(key, title, width="content", has_chart=has_chart)
        _mount(
            key=f"{key}.badge",
            data={"picked": choice != otherwise, "choice": choice, "mark": palette().sampling},
            on_release_change=partial(choose, {key, widget}, otherwise),
            width="content",
        )
    if isinstance(choice, int):
        if of:
            st.session_state[key] = choice
        return choice
    if choice is None or typed is None:
        return otherwise
    try:
        return typed(choice)
    except GPT2Error as error:
        plain_text(str(error))
        return otherwise


def choose(keys: Iterable[str], choice: int) -> None:
    """Set the choice of the list under these keys, before the list is drawn."""
    for key in keys:
        st.session_state[key] = choice
