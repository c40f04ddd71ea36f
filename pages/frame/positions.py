"""Lists of the run's tokens, from which a page takes one position or several.

The browser keeps what is chosen by its words, and does not hear of other words for the same choice. So each run has a
list of its own; what was chosen is kept beside them, and the list of the next run begins with it.
"""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from gpt2.trace.trace import Trace
from pages.charts.embeddings import NEWEST, chosen_position, option_label, option_labels

from .badge import pick_from


def pick_position(trace: Trace, title: str, *, key: str, has_chart: bool = False) -> int:
    """Draw the list. The newest token's position as long as nobody has chosen another, or if the run became shorter.

    Args:
        trace: the run at the shown step.
        title: what is written above the list.
        key: where the choice is kept.
        has_chart: whether the next chart below is the panel's.
    """
    places = option_labels(trace)
    label = partial(option_label, places)
    chosen = pick_from(
        list(places), title, format_func=label, key=key, otherwise=NEWEST, of=trace.run_id, has_chart=has_chart
    )
    return chosen_position(trace, chosen)


def pick_positions(
    positions: Sequence[int], title: str, *, format_func: Callable[[int], str], key: str, run_id: str, placeholder: str
) -> list[int]:
    """Draw a list from which several positions can be chosen; those that the run does not have are let go.

    Args:
        positions: what can be chosen.
        title: what is written above the list.
        format_func: the words of a position.
        key: where the choice is kept.
        run_id: the run whose words these are.
        placeholder: what the list says as long as nothing is chosen.
    """
    before: list[int] = st.session_state.get(key, [])
    kept = [at for at in before if at in positions]
    if kept != before:  # Streamlit would let go of all: a new list begins with the others
        st.session_state[f"{key}.lists"] = st.session_state.get(f"{key}.lists", 0) + 1
    chosen = st.multiselect(
        title,
        positions,
        kept,
        format_func=format_func,
        key=f"{key} of {run_id} {st.session_state.get(f'{key}.lists', 0)}",
        placeholder=placeholder,
    )
    st.session_state[key] = chosen
    return chosen
