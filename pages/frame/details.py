"""Details one click away, which are made once they are open: a page carries no more than it shows."""

import streamlit as st
from streamlit.elements.lib.mutable_expander_container import ExpanderContainer


def details(label: str, *, key: str, icon: str, opens: bool = False) -> ExpanderContainer:
    """A box with a label that opens it; whoever draws into it asks first whether it is `open`.

    Args:
        label: what is in it.
        key: of its state, which is the visitor's from the first click on.
        icon: the sign before the label.
        opens: whether it opens by itself; it does so again, or closes, whenever this changes.
    """
    before = f"{key}.opens"
    if st.session_state.get(before, opens) != opens:
        st.session_state[key] = opens
    st.session_state[before] = opens
    return st.expander(label, expanded=opens, key=key, icon=icon, on_change="rerun")
