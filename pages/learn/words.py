"""The words of a lesson: what the glossary says of each that its text uses."""

import re

import streamlit as st

from pages.frame import layout
from pages.look.glossary import TERMS


def words_in(text: str) -> list[str]:
    """The glossary's terms that a text uses, in its order; none of a single letter, which may be any formula's."""
    plain, terms = re.sub(r"[*`$]", "", text), [term for term in TERMS if len(term) > 1]
    return [term for term in terms if re.search(rf"(?<!\w){re.escape(term)}s?(?!\w)", plain, re.IGNORECASE)]


def show_words(text: str) -> None:
    """Draw what the glossary says of the words of a text, to be opened."""
    if found := words_in(text):
        with st.expander(f"Words: {', '.join(found)}", icon=":material/dictionary:"):
            for term in found:
                layout.plain_text(f"{term}: {TERMS[term]}")
