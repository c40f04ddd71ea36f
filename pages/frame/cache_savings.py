"""The savings of the KV cache, on the Cost page: the chart, and the button that measures passes without the cache."""

import streamlit as st

from pages.charts import cost_cache
from pages.visit.session import this_visit

from .chart import show_chart
from .heading import heading
from .layout import View, plain_text
from .rerun import rerun

SECONDS = 0.5


def show_saving(view: View) -> None:
    """Draw the chart and the button; while passes are timed, redraw them without the rest of the page."""
    visit, palette = this_visit(), view.palette
    chart_key, measure_key, stop_key = (view.key(name) for name in ("saving", "measure", "stop"))
    is_measuring = visit.measurement is not None and visit.measurement.is_running
    del view  # Streamlit holds the function below for long; it must not hold the numbers of an evicted run

    @st.fragment(run_every=SECONDS if is_measuring else None)
    def draw() -> None:
        run, measurement = visit.player.trace, visit.measurement
        if is_measuring and (measurement is None or not measurement.is_running):
            rerun()  # the measurement has ended: redraw the page, without a timer
        if not run.steps:
            return
        own = measurement if measurement is not None and measurement.run_id == run.run_id else None
        reruns = own.reruns if own is not None else ()
        heading(chart_key, cost_cache.TITLE)
        left, right = st.columns([5, 2.2])
        with left:
            plain_text(cost_cache.cache_sentence(run, reruns))
            chart = cost_cache.cache_chart(run, reruns, palette)
            show_chart(chart, alt=cost_cache.TITLE, key=chart_key)
        with right:
            if own is not None and own.is_running:
                st.progress(len(reruns) / own.total, f"{len(reruns)} of {own.total} passes timed")
                if st.button("Stop measuring", key=stop_key, width="stretch"):
                    own.stop()
                    rerun()
            elif st.button(
                "Measure without the cache", key=measure_key, width="stretch", disabled=visit.player.is_recorded
            ):
                visit.measure()
                rerun()
            if visit.player.is_recorded:
                plain_text(cost_cache.RECORDED)
            elif own is not None and own.error:
                plain_text(own.error)
            st.caption(cost_cache.cache_caption(run))

    with st.container(border=True):
        draw()
