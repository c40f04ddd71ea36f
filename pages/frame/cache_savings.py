"""The KV cache's savings on the Cost page: the picture, and the button that times a token without the cache."""

import streamlit as st

from pages.charts import cost_cache
from pages.visit.visit import this_visit

from .layout import View, plain_text

SECONDS = 0.5


def show_saving(view: View) -> None:
    """Draw the savings; while passes are being timed, redraw them without the rest of the page."""
    visit, palette, keys = this_visit(), view.palette, [view.key(name) for name in ("saving", "measure", "stop")]
    at_work = visit.measurement is not None and visit.measurement.is_running
    del view  # Streamlit keeps the function below after the run changed; it must not keep an evicted run

    @st.fragment(run_every=SECONDS if at_work else None)
    def draw() -> None:
        run, measurement = visit.player.trace, visit.measurement
        if at_work and (measurement is None or not measurement.is_running):
            st.rerun()  # the measurement is over: no timer any more
        if not run.steps:
            return
        own = measurement if measurement is not None and measurement.run_id == run.run_id else None
        reruns = own.reruns if own is not None else ()
        st.markdown(f"**{cost_cache.TITLE}**")
        picture, beside = st.columns([5, 2.2])
        with picture:
            plain_text(cost_cache.cache_sentence(run, reruns))
            chart = cost_cache.cache_chart(run, reruns, palette)
            st.altair_chart(chart, theme=None, alt=cost_cache.TITLE, key=keys[0])
        with beside:
            if own is not None and own.is_running:
                st.progress(len(reruns) / own.total, f"{len(reruns)} of {own.total} passes timed")
                if st.button("Stop measuring", key=keys[2], width="stretch"):
                    own.stop()
                    st.rerun()
            elif st.button(
                "Measure without the cache", key=keys[1], width="stretch", disabled=visit.player.is_recorded
            ):
                visit.measure()
                st.rerun()
            if visit.player.is_recorded:
                plain_text(cost_cache.RECORDED)
            elif own is not None and own.error:
                plain_text(own.error)
            st.caption(cost_cache.cache_caption(run))

    with st.container(border=True):
        draw()
