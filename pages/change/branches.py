"""Branches: another token at any past step, the run that goes on from there, and where the two part."""

import streamlit as st

from gpt2.model.sampling import Distribution, Sampling
from pages.change.branch_pair import show_pair
from pages.change.branch_tree import goes_on, holders, show_tree
from pages.charts.branches.tree import choice_sentence, marked_text
from pages.frame import layout
from pages.frame.excerpt import Excerpt
from pages.frame.heading import heading
from pages.look.numbers import percent
from pages.look.tokens import markdown, spoken
from pages.visit.branching import show_branch, start_branch, start_typed
from pages.visit.session import this_visit

FORMULA = (
    r"\mathrm{KL}(p \,\Vert\, q) = \sum_t p_t \log_2 \frac{p_t}{q_t}, \qquad "
    r"\text{elsewhere} = \tfrac{1}{2} \sum_k |a_k - b_k|"
)
LINES = (
    Excerpt("engine/run.py", ("Run.fork", "Run.choose")),
    Excerpt("engine/cache.py", ("KVCache.copied",)),
    Excerpt("experiments/effect.py", ("kl_bits",)),
)
OFFERED, MOST = 12, 200

view = layout.open_page("branches")
layout.headline("What if another token had come here?")
visit = this_visit()
if view.step is None:
    layout.plain_text("Type a prompt above and run it: then choose another token at any of its steps.")
    st.stop()

trace, step, vocabulary = view.trace, view.step, view.trace.vocabulary
place, drawn = len(trace.prompt_ids) + view.step_index, None if step.draw is None else step.draw.token
with st.container(border=True):
    heading(view.key("choose"), "Another token at this step", has_chart=False)
    layout.plain_text(choice_sentence(trace, view.step_index))
    layout.plain_text(marked_text(view.run.ids, place, vocabulary))
    offered = st.container(horizontal=True, gap="small")
    held = holders(visit.branches, view.step_index)
    typed_box, button, count = st.columns([3, 2, 2], vertical_alignment="bottom")
    tokens = count.number_input(
        "Go on for so many tokens", 1, MOST, 12, key=view.key("tokens"), persist_state="session"
    )
    with offered:
        if "logits" in step.captures:
            distribution = Distribution.of(step.logits, Sampling())
            for token in distribution.order[:OFFERED].tolist():
                label = f"{markdown(spoken(vocabulary.label(token)))} {percent(distribution.raw[token])}"
                key = view.key(f"token.{token}")
                if branch := held.get(token):
                    shown = visit, branch, view.step_index
                    st.button(label, key=key, on_click=show_branch, args=shown, help=markdown(goes_on(branch)))
                else:
                    made = visit, view.step_index, token, tokens
                    st.button(label, key=key, on_click=start_branch, args=made, disabled=token == drawn)
    layout.note_storage(view, "logits")
    typed = typed_box.text_input("Or type any token, with its blank", key=view.key("typed"), persist_state="session")
    button.button(
        "Branch with it",
        key=view.key("branch"),
        on_click=start_typed,
        args=(visit, view.step_index, typed, tokens),
        width="stretch",
    )
    if visit.branches.error:
        st.error("There is no new branch.")
        layout.plain_text(visit.branches.error)

with st.container(border=True):
    show_tree(view.name, view.step_index)
if len(visit.branches.all) > 1:
    show_pair(view)

layout.show_computation(view, "How it is computed", FORMULA, [], LINES)
