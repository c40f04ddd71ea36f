"""Compare: two runs in lockstep, step by step; the second is another prompt, a branch, or a changed or other model."""

import streamlit as st

from pages.change.comparison import SOURCES, Comparison
from pages.change.pair_pictures import show_pair
from pages.change.second import second_run
from pages.frame import layout
from pages.frame.excerpt import Excerpt
from pages.frame.heading import heading
from pages.visit.session import this_visit

FORMULA = (
    r"\mathrm{KL}(p \,\Vert\, q) = \sum_t p_t \log_2 \frac{p_t}{q_t}, \qquad "
    r"\text{elsewhere} = \tfrac{1}{2} \sum_k |a_k - b_k|"
)
LINES = (
    Excerpt("experiments/second_run.py", ("alongside", "reread")),
    Excerpt("experiments/trace_pair.py", ("TracePair.divergences", "TracePair.patterns", "TracePair.attention_moved")),
    Excerpt("experiments/effect.py", ("kl_bits",)),
)

view = layout.open_page("compare")
layout.headline("How do two runs differ, step by step?")
visit = this_visit()
if "comparison" not in st.session_state:
    st.session_state["comparison"] = Comparison(visit)
comparison: Comparison = st.session_state["comparison"]
comparison.tend()
if view.step is None:
    layout.plain_text("Type a prompt above and run it: that is the first run. Then choose a second one here.")
    st.stop()

with st.container(border=True):
    heading(view.key("second"), "The second run", has_chart=False)
    source = st.segmented_control(
        "Where it comes from",
        SOURCES,
        default=SOURCES[0],
        required=True,
        key=view.key("source"),
        persist_state="session",
        label_visibility="collapsed",
    )
    second = second_run(view, comparison, source)

operands: list[str] = []
if second is not None:
    with layout.explain_missing():
        operands = show_pair(view, comparison, *second)
layout.show_computation(view, "How it is computed", FORMULA, operands, LINES)
