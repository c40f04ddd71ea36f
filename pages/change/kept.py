"""Changes that are kept under a name: the list of them on the page, and the one that the address brings."""

import streamlit as st

from gpt2.errors import SettingsError
from gpt2.experiments.plan import Planned
from gpt2.experiments.plan_text import MOST_NAME, NamedChange, change_text, check_change
from pages.change.controls import set_controls
from pages.charts.experiments import compared
from pages.frame.heading import heading
from pages.frame.layout import View, plain_text
from pages.stage.relink import relink
from pages.visit.experiment import Experiments
from pages.visit.visit import Visit


def take_up(view: View, visit: Visit, tried: Experiments) -> None:
    """Let the controls say the change of the address, once its run is on the stage, or say why it does not fit."""
    if tried.has_begun or visit.link.is_pending:
        return
    tried.has_begun = True
    if visit.change is None:
        return
    try:
        check_change(visit.change.plan, view.run)
        set_controls(view.name, visit.change.plan)
        tried.keep(visit.change.plan, visit.change.name)
    except SettingsError as error:
        tried.refusal = f"The link's change does not fit this run, so nothing is changed. {error}"


def note_change(visit: Visit, tried: Experiments, plan: Planned) -> None:
    """Let the address have the change that is on."""
    if not tried.has_begun:
        return
    visit.change = NamedChange(plan, tried.kept.get(plan, "")) if plan.says else None
    relink(visit.link.told(visit, visit.player.trace, visit.player.recipe))


def name_change(view: View, tried: Experiments, plan: Planned) -> None:
    """Draw the box in which the change that is on is named, so that it is kept."""
    key = view.key(f"name {change_text(plan)}")
    st.session_state[key] = tried.kept.get(plan, "")
    st.text_input(
        "Name of this change",
        key=key,
        max_chars=MOST_NAME,
        placeholder="Name it to keep it",
        label_visibility="collapsed",
        disabled=not plan.says,
        on_change=lambda: tried.keep(plan, st.session_state[key]),
    )


def show_kept(view: View, tried: Experiments, on: Planned) -> None:
    """Draw the kept changes: what each is, what came of it, and its buttons."""
    with st.container(border=True):
        heading(view.key("kept"), compared.TITLE, has_chart=False)
        for number, (plan, name) in enumerate(tried.kept.items()):
            what, came, put, drop = st.columns([4, 4, 1.3, 1], vertical_alignment="center")
            with what:
                st.text(f"{name}, on" if plan == on else name)
                st.caption(f"{plan.says}.")
            made = tried.made.get(plan)
            with came:
                plain_text(compared.effect_words(None if made is None else made.found, view.step_index))
            put.button(
                "Put on",
                key=view.key(f"put {number}"),
                on_click=put_on,
                args=(view.name, tried, plan),
                disabled=plan == on,
                width="stretch",
            )
            drop.button("Let go", key=view.key(f"drop {number}"), on_click=tried.keep, args=(plan, ""), width="stretch")


def put_on(page: str, tried: Experiments, plan: Planned) -> None:
    """Let the controls say a kept change, and show what came of it."""
    set_controls(page, plan)
    tried.plan = plan
