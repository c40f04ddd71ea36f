"""How much every layer's MLP writes at every token: the map from which a layer and a token are chosen."""

from gpt2.trace.step import NORMS
from gpt2.trace.trace import Trace
from pages.look.names import layer_name, part_name
from pages.look.numbers import fixed
from pages.look.tokens import spoken_at
from pages.matrix.blob import Picture
from pages.matrix.scale import Scale

TITLE = "How much does each MLP write?"


def shape(trace: Trace) -> tuple[int, int]:
    """How many rows and columns the map has."""
    return trace.config.n_layer, trace.seq


def layer_map(trace: Trace, layer: int, position: int, height: int) -> Picture:
    """Norms of what the MLPs add, the top of the stack on top; the colours are scaled without the first token.

    Args:
        trace: the run.
        layer: the layer that the caption describes.
        position: the token that it describes.
        height: in pixels.

    Shapes: values [layer, seq].
    """
    norms = trace.norms[NORMS.index("hook_mlp_out")]  # [layer, seq]
    names = [layer_name(at) for at in range(trace.config.n_layer)]
    limit = float((norms[:, 1:] if trace.seq > 1 else norms).max())
    first, own = float(norms[:, 0].max()), norms[:, position]
    most = int(own.argmax())
    caption = (
        f"At {spoken_at(trace, position)}, position {position}, the {part_name('MLP', layer)} writes a vector of norm "
        f"{fixed(float(own[layer]), 1)}; "
        + ("no layer's is longer." if most == layer else f"the longest is that of {names[most]}, {own[most]:.1f}.")
        + " Click a cell to see below the neurons of that layer at that token."
    )
    if first > limit:
        caption += f" The first token, up to {first:,.1f}, is beyond the colour scale."
    return Picture(
        norms[::-1],
        names[::-1],
        trace.labels,
        Scale("sequential", limit or 1.0, "norm", "mlp", is_clipped=first > limit),
        TITLE,
        caption,
        "‖{row}[{c}]‖",
        row_names=[f"blocks.{at}.hook_mlp_out" for at in range(trace.config.n_layer)][::-1],
        column_start=0,
        mark_column=trace.seq - 1,
        height=height,
    )
