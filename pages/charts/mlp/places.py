"""Where else in the run the neurons fire: their activation at every position."""

from collections.abc import Sequence

import numpy as np

from pages.look.numbers import number
from pages.look.tokens import spoken_at
from pages.matrix.blob import Picture
from pages.matrix.scale import signed

from .measures import Measured

TITLE = "Where else do these neurons fire?"
ROWS = 8


def shown_neurons(order: Sequence[int], neuron: int) -> list[int]:
    """The chosen neuron, then the first of the list."""
    return [neuron, *(at for at in order[:ROWS] if at != neuron)][:ROWS]


def places_picture(measured: Measured, order: Sequence[int], neuron: int, height: int) -> Picture:
    """Activations by neuron and position, the chosen neuron on top. Shapes: values [neuron, seq]."""
    trace, shown = measured.trace, shown_neurons(order, neuron)
    hook = f"blocks.{measured.neurons.layer}.mlp.hook_post"
    values = np.ascontiguousarray(trace[hook][:, shown].T)
    return Picture(
        values,
        [f"N{at}" for at in shown],
        trace.labels,
        signed("activation", values),
        TITLE,
        places_sentence(measured, neuron, values[0]),
        f"{hook}[{{c}}]",
        row_names=[measured.name(at) for at in shown],
        column_start=0,
        mark_column=trace.seq - 1,
        height=height,
    )


def places_sentence(measured: Measured, neuron: int, values: np.ndarray) -> str:
    """At how many positions the chosen neuron is above 0, and where it is highest. Shapes: values [seq]."""
    trace, most = measured.trace, int(values.argmax())
    return (
        f"{measured.name(neuron)} is above 0 at {int((values > 0).sum())} of {trace.seq} positions, and highest at "
        f"{spoken_at(trace, most)}, position {most} ({number(float(values[most]))}). The other rows are the first "
        "neurons of the list."
    )
