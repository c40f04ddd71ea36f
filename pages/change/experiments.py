"""Experiments: mute, scale, steer or patch a part of the model, and see what follows beside the run on the stage."""

import streamlit as st

from gpt2.experiments.ablation import Kind
from gpt2.experiments.plan import Mute, Patch
from pages.change.controls import WAYS, choose_plan, one_of, typed
from pages.change.kept import name_change, note_change, show_kept, take_up
from pages.change.results import show_results, show_sweep
from pages.charts.experiments import compared, heat, strip
from pages.frame import layout
from pages.frame.excerpt import Excerpt
from pages.frame.heading import heading
from pages.frame.rerun import rerun
from pages.visit.experiment import Experiments
from pages.visit.session import this_visit

FORMULA = (
    r"x \mapsto \text{scale} \cdot x + \text{added}, \qquad "
    r"\mathrm{KL}(p \,\Vert\, q) = \sum_t p_t \log_2 \frac{p_t}{q_t}"
)
LINES = (
    Excerpt("model/changes.py", ("Change.apply",)),
    Excerpt("experiments/ablation.py", ("ablation",)),
    Excerpt("experiments/steering.py", ("steering",)),
    Excerpt("experiments/patching.py", ("Pair.changes", "Pair.share")),
    Excerpt("experiments/effect.py", ("kl_bits",)),
)

view = layout.open_page("experiments")
layout.headline("What if a part of the model were different?")
visit = this_visit()
tried: Experiments = st.session_state.setdefault("experiments", Experiments())
tried.tend(view.run)
if view.step is None:
    layout.plain_text("Type a prompt above and run it: then change a part of the model and see what follows.")
    st.stop()

engine = visit.model_of_run.engine if visit.model_of_run else None
take_up(view, visit, tried)
with st.container(border=True):
    heading(view.key("plan"), "The change", has_chart=False)
    way = one_of("What to do", WAYS, view.key("way"), label_visibility="collapsed")
    plan = choose_plan(view, way)
    told, called, run, stop = st.columns([5, 2, 2, 1], vertical_alignment="center")
    with told:
        layout.plain_text(compared.on_sentence(plan, tried.kept.get(plan, "")))
    with called:
        name_change(view, tried, plan)
    if run.button("Run the changed model", key=view.key("run"), type="primary", width="stretch"):
        tried.try_change(visit.player, view.run, engine, plan)
    is_running = tried.changed is not None and tried.changed.is_running
    if stop.button("Stop", key=view.key("stop"), width="stretch", disabled=not is_running) and tried.changed:
        tried.changed.stop()
        rerun()

    if tried.refusal:
        st.error(tried.refusal)
    note_change(visit, tried, plan)
if tried.kept:
    show_kept(view, tried, plan)
if tried.plan is not None and tried.plan != plan:
    layout.plain_text("The results below are of the change that they name; press “Run the changed model” for this one.")
show_results(view, tried)

with st.container(border=True):
    heading(view.key("sweep"), "Which part matters most?", has_chart=False)
    is_patch = isinstance(plan, Patch)
    over, token, against, button = st.columns([5, 1.5, 1.5, 1.5], vertical_alignment="bottom")
    sweeps = heat.SWEEPS if is_patch else heat.SWEEPS[:1]
    with over:
        name = st.segmented_control(
            "One change at a time", sweeps, default=sweeps[0], required=True, key=view.key(f"over {is_patch}")
        )
    with token:
        watched = typed(view, "token", "Logit of (empty: likeliest)", "")
    with against:
        other = typed(view, "against", "minus that of", "")
    tokens = watched, other
    back = is_patch and st.toggle("The other way: from this run into the other prompt", key=view.key("back"))
    kind: Kind = "mean" if isinstance(plan, Mute) and plan.kind == "mean" else "zero"
    if button.button("Run the sweep", key=view.key("sweep_run"), width="stretch"):
        tried.swept = name
        if isinstance(plan, Patch) and name != heat.ABLATIONS:
            where = "stream" if name == heat.STREAM else "parts"
            tried.try_patches(visit.player, view.run, engine, plan, where, tokens, back)
        else:
            tried.try_ablations(visit.player, view.trace, engine, kind, tokens)
    show_sweep(view, tried)

changed = None if tried.changed is None else tried.changed.found
operands = [] if changed is None else strip.operands(changed, view.step_index)
layout.show_computation(view, "How it is computed", FORMULA, operands, LINES)
