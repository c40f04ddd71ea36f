"""What a page keeps for a visitor: what it computed last, one value for each name, and what was chosen in a list."""

from collections.abc import Callable, Container, Hashable
from typing import TypeVar

import streamlit as st

# More is computed anew: these bytes are one visitor's, and no budget counts them.
MOST_BYTES = 32 * 2**20
Value = TypeVar("Value")


def remembered(
    name: str, key: Hashable, make: Callable[[], Value], nbytes: Callable[[Value], int] = lambda _: 0
) -> Value:
    """The value that was last made under this name, if its key is the same; else a new one, which replaces it."""
    at = f"remembered.{name}"
    before = st.session_state.get(at)
    if before is not None and before[0] == key:
        return before[1]
    made = make()
    if nbytes(made) <= MOST_BYTES:
        st.session_state[at] = key, made
    else:
        st.session_state.pop(at, None)
    return made


def keep_choice(key: str, options: Container[object]) -> None:
    """Keep of a list's choice what is still among its options, which are another run's or model's since.

    Streamlit would let go of all of it. Call this before the list is drawn, with `persist_state="session"`.
    """
    before: list[object] = st.session_state.setdefault(key, [])
    if any(option not in options for option in before):  # else what a visitor chooses right now could be taken back
        st.session_state[key] = [option for option in before if option in options]
