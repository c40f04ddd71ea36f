"""Two runs of the tree side by side: where they part in the next tokens, the lens, the norms and the attention."""

import streamlit as st

from pages.charts.branches import parting
from pages.frame.chart import show_chart
from pages.frame.heading import heading
from pages.frame.layout import View, explain_missing, plain_text
from pages.matrix.component import matrix
from pages.server.caches import with_recomputer
from pages.visit.session import this_visit


def show_pair(view: View) -> None:
    """Draw the lists of runs and the step, and the pictures of the two that are chosen."""
    visit = this_visit()
    tree, model = visit.branches, visit.model_of_run
    runs = {branch.number: branch for branch in tree.all}
    if len(runs) < 2 or tree.current is None:
        return
    newest = tree.all[-1]
    first, second, at = st.columns(3)
    chosen = []
    for column, title, start in ((first, "Compare", newest.parent or tree.all[0]), (second, "with", newest)):
        # Other lists for other runs: each begins with the newest and the one that it left.
        key, numbers = view.key(f"{title} {'-'.join(map(str, runs))}"), list(runs)
        with column:
            number = st.selectbox(
                title, numbers, numbers.index(start.number), format_func=lambda n: runs[n].title, key=key
            )
        chosen.append(runs[number])
    one, other = (with_recomputer(tree.trace(branch), model.engine if model else None) for branch in chosen)
    if not (one.steps and other.steps):
        plain_text("The numbers of one of them were freed; put it on the stage and press Play to make them again.")
        return
    pair = parting.Pair.of(one, other, (chosen[0].title, chosen[1].title))
    if pair is None:
        plain_text("These two do not part: one text is the beginning of the other. Choose two others.")
        return
    plain_text(parting.parting_sentence(pair))
    if not pair.steps:
        return
    with at:
        step = st.selectbox("at step", list(pair.steps), key=view.key(f"at {chosen[0].number} {chosen[1].number}"))
    with explain_missing():
        show_pictures(view, pair, step)


def show_pictures(view: View, pair: parting.Pair, step: int) -> None:
    """Draw the four pictures, each with its sentence."""
    left, right = st.columns(2, gap="medium")
    low_left, low_right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        values = pair.divergences(pair.steps)
        heading(view.key("kl"), parting.KL_TITLE)
        plain_text(parting.kl_sentence(pair, values))
        show_chart(parting.kl_chart(pair, values, step, view.palette), alt=parting.KL_TITLE, key=view.key("kl"))
    with right, st.container(border=True, height="stretch"):
        moved = pair.at(step).attention_moved()
        matrix(parting.attention_picture(pair, step, moved), key=view.key("attention"))
    with low_left, st.container(border=True, height="stretch"):
        heading(view.key("norms"), parting.NORMS_TITLE)
        norms = pair.at(step).stream_norms()
        plain_text(parting.norms_sentence(pair, step, norms))
        show_chart(parting.norms_chart(pair, norms, view.palette), alt=parting.NORMS_TITLE, key=view.key("norms"))
    with low_right, st.container(border=True, height="stretch"):
        heading(view.key("lens"), parting.LENS_TITLE)
        if view.read_lens is None:
            plain_text("Load the model that made these runs to read the lens.")
            return
        lens = parting.lens_divergence(pair, step, view.read_lens)
        plain_text(parting.lens_sentence(pair, step, lens))
        show_chart(parting.lens_chart(pair, lens, view.palette), alt=parting.LENS_TITLE, key=view.key("lens"))
