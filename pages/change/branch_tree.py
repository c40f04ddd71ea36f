"""The tree of a visit's branches, and a row for each: its text, its name, and what can be done with it."""

import streamlit as st

from pages.charts.branches import tree as chart
from pages.frame.chart import show_chart
from pages.frame.heading import heading
from pages.frame.layout import palette, plain_text
from pages.frame.rerun import rerun
from pages.visit.branches import Branches
from pages.visit.branching import let_go, show_branch
from pages.visit.session import this_visit
from pages.visit.states import Branch

SECONDS = 0.5  # how often the tree follows a branch that is being made


def lanes_of(tree: Branches) -> list[chart.Lane]:
    """The runs as the chart draws them."""
    place = {branch: at for at, branch in enumerate(tree.all)}
    return [
        chart.Lane(
            branch.title,
            tree.trace(branch),
            tree.ids(branch),
            None if branch.parent is None else place[branch.parent],
            branch.step,
            branch.token,
            branch.chance,
            branch.instead,
            branch.instead_chance,
            branch.is_chosen,
            branch is tree.current,
        )
        for branch in tree.all
    ]


def holders(tree: Branches, step: int) -> dict[int, Branch]:
    """Tokens that cannot be branched with at a step of the run on the stage: the run that it would leave has them."""
    numbered = {branch.number: branch for branch in tree.all}
    return {one.token: numbered[one.number] for one in tree.elsewhere() if one.step == step and one.is_parent}


def goes_on(branch: Branch) -> str:
    """Why a token is not branched with, and what a press of it does instead."""
    return f"{branch.title} goes on so: this puts it on the stage."


def show_tree(name: str, step: int) -> None:
    """Draw the tree and its rows; while a branch is being made, redraw the tree without the rest of the page."""
    visit = this_visit()
    was_running = visit.player.is_running

    @st.fragment(run_every=SECONDS if was_running else None)
    def draw() -> None:
        if was_running and not visit.player.is_running:
            rerun()  # it has ended: redraw the page, without a timer
        tree, vocabulary = visit.branches, visit.player.trace.vocabulary
        n_prompt, lanes = len(visit.player.prompt_ids), lanes_of(visit.branches)
        heading(f"{name}.tree", chart.TITLE)
        plain_text(chart.tree_sentence(lanes, vocabulary))
        if tree.note:
            plain_text(tree.note)
        if lanes:
            drawn = chart.tree_chart(lanes, vocabulary, n_prompt, step, palette(), visit.seen.is_narrow)
            show_chart(drawn, alt=chart.TITLE, key=f"{name}.tree")

    draw()
    # Outside: what is pressed here redraws the whole page, the stage too.
    for branch in visit.branches.all:
        show_row(name, branch, len(visit.player.prompt_ids))


def show_row(name: str, branch: Branch, n_prompt: int) -> None:
    """Draw one branch's text and its buttons."""
    visit = this_visit()
    tree, number = visit.branches, branch.number
    ids, vocabulary = tree.ids(branch), visit.player.trace.vocabulary
    text, called, show, drop = st.columns([6, 2, 1.6, 1], vertical_alignment="bottom")
    with text:
        st.caption(f"{branch.title}, on the stage" if branch is tree.current else branch.title)
        place = n_prompt + branch.step if branch.parent else len(ids)
        plain_text(chart.marked_text(ids, place, vocabulary) or "(no text yet)")
    key = f"{name}.name.{number}"
    called.text_input(
        f"Name of {branch.title}",
        value=branch.name,
        key=key,
        placeholder="Name it to keep it" if branch.parent else "Name it",
        label_visibility="collapsed",
        on_change=lambda: tree.rename(branch, st.session_state[key]),
    )
    is_here = branch is tree.current
    show.button(
        "Put on the stage",
        key=f"{name}.show.{number}",
        on_click=show_branch,
        args=(visit, branch),
        disabled=is_here,
        width="stretch",
    )
    drop.button(
        "Let go",
        key=f"{name}.drop.{number}",
        on_click=let_go,
        args=(visit, branch),
        disabled=is_here or branch.parent is None,
        width="stretch",
    )
