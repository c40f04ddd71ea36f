"""What an experiment has found: the changed run beside the base, and a sweep, each redrawn while it grows."""

import streamlit as st

from gpt2.experiments.twin import Twin
from pages.change.controls import take_place
from pages.charts.experiments import following, heat, strip, texts
from pages.frame.badge import pick_from
from pages.frame.chart import show_chart
from pages.frame.heading import heading
from pages.frame.layout import View, palette, plain_text
from pages.frame.rerun import rerun
from pages.matrix.component import matrix, selectable_matrix
from pages.visit.experiment import Experiments
from pages.visit.session import this_visit
from pages.visit.visit import Visit

SECONDS = 0.5
STRIP, HEAT = 150, 380  # pixels
NOT_RUN = "Press “Run the changed model”: its text, its probabilities and its distance from the base appear here."


def show_results(view: View, tried: Experiments) -> None:
    """Draw the changed run beside the base; while it is made, redraw it without the rest of the page."""
    visit, step, key = this_visit(), view.step_index, view.key
    was_running = tried.changed is not None and tried.changed.is_running
    del view  # Streamlit holds the function below for long; it must not hold the numbers of an evicted run

    @st.fragment(run_every=SECONDS if was_running else None)
    def draw() -> None:
        changed = tried.changed
        if was_running and (changed is None or not changed.is_running):
            rerun()  # it has ended: redraw the page, without a timer
        if changed is None:
            plain_text(NOT_RUN)
            return
        if changed.error:
            st.error("The changed model did not run to its end.")
            plain_text(changed.error)
        found = changed.found
        if changed.is_running:
            drawn, total = (0, 0) if found is None else (len(found.changed_ids), len(found.base_ids))
            st.progress(drawn / max(1, total), f"{drawn} of {total} tokens" if total else "Reading the prompt")
        if found is not None and found.is_of(visit.player.trace):
            plain_text(f"Changed: {changed.says}.")
            show_twin(visit, found, step, key("texts"), key("kl"))
            show_next(visit, found, step, key("next"), key("watched"))

    draw()


def show_twin(visit: Visit, found: Twin, step: int, texts_key: str, kl_key: str) -> None:
    """Both texts from where they part, and the divergence of every step."""
    vocabulary = visit.player.trace.vocabulary
    shown = texts.texts_of(found, vocabulary)
    with st.container(border=True):
        heading(texts_key, texts.TITLE, has_chart=False)
        plain_text(texts.texts_sentence(found, vocabulary))
        st.text(shown.common)
        if shown.base or shown.changed:
            base, changed = st.columns(2, gap="medium")
            for column, name, text in ((base, "The base goes on", shown.base), (changed, "Changed", shown.changed)):
                with column:
                    st.caption(name)
                    st.text(text or "(its text has ended)")
    with st.container(border=True):
        matrix(strip.kl_strip(found, vocabulary, step, STRIP), key=kl_key)


def show_next(visit: Visit, found: Twin, step: int, next_key: str, watched_key: str) -> None:
    """The next token at the shown step, and the watched token at all of them; the model reads its logits again."""
    model, vocabulary, colours = visit.model_of_run, visit.player.trace.vocabulary, palette()
    if model is None or model.engine is None:
        plain_text("Load the model that made this run to see its next tokens again.")
        return
    at = min(step, len(found.kl) - 1)
    effect = found.effect(model.engine, at)
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        heading(next_key, following.BARS_TITLE)
        plain_text(following.next_sentence(effect, vocabulary))
        chart = following.next_bars(effect, vocabulary, colours)
        show_chart(chart, alt=following.BARS_TITLE, key=next_key)
    with right, st.container(border=True, height="stretch"):
        tokens = following.shown_tokens(effect)
        token = pick_from(
            tokens,
            following.LINE_TITLE,
            format_func=vocabulary.label,
            key=watched_key,
            otherwise=tokens[0],
            has_chart=True,
        )
        base, changed = found.probabilities(model.engine, token)
        plain_text(following.watched_sentence(token, base, changed, vocabulary))
        chart = following.watched_lines(base, changed, at, colours)
        show_chart(chart, alt=following.LINE_TITLE, key=f"{watched_key}.line")


def show_sweep(view: View, tried: Experiments) -> None:
    """Draw the newest sweep as a heat map; while it is made, redraw it without the rest of the page."""
    visit, key, page = this_visit(), view.key("heat"), view.name
    was_running = tried.sweep is not None and tried.sweep.is_running
    del view

    @st.fragment(run_every=SECONDS if was_running else None)
    def draw() -> None:
        sweep = tried.sweep
        if was_running and (sweep is None or not sweep.is_running):
            rerun()
        if sweep is None:
            return
        if sweep.is_running:
            found = sweep.found
            share = 0.0 if found is None else found.done / found.total
            words = "Reading the prompts" if found is None else f"{found.done} of {found.total} passes"
            bar, button = st.columns([4, 1], vertical_alignment="center")
            bar.progress(share, words)
            if button.button("Stop", key=f"{key}.stop", width="stretch"):
                sweep.stop()
                rerun()
        if sweep.error:
            st.error("The sweep did not run to its end.")
            plain_text(sweep.error)
        if sweep.found is not None and sweep.run_id == visit.player.trace.run_id:
            found, name, vocabulary = sweep.found, tried.swept, visit.player.trace.vocabulary
            picture, top = heat.heat_map(found, name, vocabulary, HEAT), len(found.rows) - 1
            row, column = selectable_matrix(picture, key=key, otherwise=(top - found.strongest[0], found.strongest[1]))
            said, button = st.columns([4, 1], vertical_alignment="center")
            with said:
                plain_text(heat.picked_sentence(found, name, (top - row, column), vocabulary))
            place = name, found.rows[top - row], found.columns[column]
            button.button(
                "Change this above", key=f"{key}.take", on_click=take_place, args=(page, place), width="stretch"
            )
            st.caption(f"{sweep.says[0].upper()}{sweep.says[1:]}.")
        if st.session_state.pop(f"{page}.taken", False):
            rerun()

    draw()
