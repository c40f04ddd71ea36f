"""Play with it: the control of each lesson, over the numbers of the run on the stage."""

from collections.abc import Callable

import streamlit as st

from gpt2.learn.lesson import Lesson
from pages.frame import layout
from pages.frame.layout import View

from .play import blend, depth, dice, gelu, mask, mute, norm, push, shape, swap

PLAYS: dict[str, Callable[[View, int], None]] = {
    "configuration": shape.show,
    "causal_mask": mask.show,
    "layer_norm": norm.show,
    "mlp": gelu.show,
    "token_embeddings": blend.show,
    "position_embeddings": swap.show,
    "attention": mute.show_heads,
    "residual": mute.show_parts,
    "block": mute.show_block,
    "stack": depth.show,
    "lm_head": push.show,
    "generation": dice.show,
}


def show_play(lesson: Lesson, view: View, layer: int) -> None:
    """Draw a lesson's control and its picture, if a run of a loaded model is on the stage."""
    if view.step is None or view.checkpoint is None:
        return
    with st.container(border=True), layout.explain_missing():
        st.markdown("**Play with it**")
        PLAYS[lesson.name](view, layer)
