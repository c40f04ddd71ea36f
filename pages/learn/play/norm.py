"""Lesson 3: scale a vector and add a constant to it, and see that the norm gives back nearly the same."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gpt2.reading.lens import layer_norm
from gpt2.trace.norms import normalize
from gpt2.trace.trace import Trace
from pages.frame import layout
from pages.frame.layout import View
from pages.look.numbers import number, rounding_error
from pages.look.tokens import spoken_at
from pages.matrix.blob import Picture
from pages.matrix.component import matrix
from pages.matrix.scale import signed

FACTORS = (0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 10.0, 100.0)
ROWS = ["in the run", "yours"]
FELT = 1e-3  # a difference that epsilon makes, beyond rounding
MOST_COLUMNS = 256


@dataclass(frozen=True)
class Scaled:
    """The newest token's vector and a changed one, before and after the first norm of a layer.

    Shapes: entering, leaving [2, d_model], as in the run and as changed; means, scales [2].
    """

    entering: NDArray[np.float32]
    leaving: NDArray[np.float32]
    means: NDArray[np.float32]
    scales: NDArray[np.float32]

    @classmethod
    def of(cls, view: View, layer: int, factor: float, added: float) -> "Scaled":
        """Multiply the vector that enters the layer and add a number to all of it."""
        assert view.checkpoint is not None
        row = view.trace.row(f"blocks.{layer}.hook_resid_pre", view.newest)
        entering = np.stack([row, np.float32(factor) * row + np.float32(added)])
        scales, _ = normalize(entering, view.trace.config.layer_norm_epsilon)
        return cls(entering, layer_norm(view.checkpoint, entering, f"h.{layer}.ln_1"), entering.mean(axis=1), scales)

    @property
    def moved(self) -> float:
        """The largest difference that comes out."""
        return float(np.abs(self.leaving[1] - self.leaving[0]).max())

    def sentence(self, trace: Trace) -> str:
        """What was changed, and how little of it comes out."""
        if np.array_equal(*self.entering):
            return (
                f"{spoken_at(trace, -1)} enters with mean {number(float(self.means[0]))} and is divided by "
                f"{number(float(self.scales[0]))}. Move a slider, and look at what comes out."
            )
        means, scales = ([number(float(one)) for one in pair] for pair in (self.means, self.scales))
        begin = (
            f"The mean of {spoken_at(trace, -1)} goes from {means[0]} to {means[1]}, and the number it is divided by "
            f"from {scales[0]} to {scales[1]}. "
        )
        if self.moved <= FELT:
            return f"{begin}What comes out moves by {rounding_error(self.moved)} at most."
        return f"{begin}What comes out moves by up to {number(self.moved)}: so small a vector feels epsilon."


def rows_picture(values: NDArray[np.float32], title: str, caption: str) -> Picture:
    """Two vectors, one above the other, their first numbers only where they are long."""
    shown = values[:, :MOST_COLUMNS]
    cut = f" The first {MOST_COLUMNS} of {values.shape[1]} numbers." if shown.shape != values.shape else ""
    columns = [str(at) for at in range(shown.shape[1])]
    return Picture(
        shown,
        ROWS,
        columns,
        signed(title, shown),
        title,
        caption + cut,
        "{row}[{c}]",
        column_title="d_model",
        height=160,
    )


def show(view: View, layer: int) -> None:
    """Draw the controls, what goes in and what comes out, and what changed."""
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        factor = st.select_slider("Multiply the vector by", FACTORS, value=1.0, key=view.key("factor"))
        added = st.slider("Add to every number", -50.0, 50.0, 0.0, step=1.0, key=view.key("added"))
    scaled = Scaled.of(view, layer, factor, added)
    with picture:
        layout.plain_text(scaled.sentence(view.trace))
        matrix(rows_picture(scaled.entering, "What goes in", "Before the norm."), key=view.key("entering"))
        matrix(rows_picture(scaled.leaving, "What comes out", "After gain and shift."), key=view.key("leaving"))
