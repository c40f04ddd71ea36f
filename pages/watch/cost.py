"""Cost: the time and the memory of this run, and the savings of the KV cache."""

import streamlit as st

from pages.charts import cost, cost_table
from pages.frame import layout
from pages.frame.cache_savings import show_saving
from pages.frame.chart import show_chart
from pages.frame.cost_facts import cost_facts_of
from pages.frame.excerpt import Excerpt
from pages.frame.heading import heading
from pages.visit.session import this_visit

LINES = (
    Excerpt("engine/run.py", ("Run._advance",)),
    Excerpt("engine/cache.py", ("KVCache.extend", "KVCache.past", "full_bytes")),
    Excerpt("trace/timing.py", ("Clock.switch",)),
)

view = layout.open_page("cost")
layout.headline("What does a token cost?")
facts = cost_facts_of(this_visit())
if view.step is None:
    layout.plain_text(cost_table.why_nothing(facts))
    st.stop()

run, shown = view.run, view.step_index
left, right = st.columns([5, 2.2])
with left, st.container(border=True, height="stretch"):
    heading(view.key("steps"), cost.TITLE)
    layout.plain_text(cost.cost_sentence(run, shown))
    chart = cost.cost_chart(run, shown, view.palette)
    show_chart(chart, alt="Stacked bars: milliseconds of every step", key=view.key("steps"))
    st.caption(cost.cost_caption(run))
with right, st.container(border=True, height="stretch"):
    heading(view.key("table"), cost_table.TITLE)
    table = cost_table.cost_table(run, facts)
    chart = cost_table.cost_table_chart(table, view.palette)
    show_chart(chart, alt=cost_table.in_words(table), key=view.key("table"))

show_saving(view)
layout.show_computation(view, "How it is computed", cost_table.FORMULA, cost_table.kv_operands(run), LINES)
