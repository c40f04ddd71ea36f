"""The similarity of positions: every two rows of wpe compared, and the newest position against all others."""

import io
from weakref import WeakKeyDictionary

import altair as alt
import numpy as np
from PIL import Image

from gpt2.reading.tables import Tables
from pages.look.numbers import fixed
from pages.look.palette import Palette

from . import style
from .style import ChartData

SHADES = 255  # an odd number: one of them is that of cosine 0
IMAGE_PIXELS = 1024
# The image of each model in memory, by the palette.
_painted: "WeakKeyDictionary[Tables, dict[Palette, bytes]]" = WeakKeyDictionary()


def rgb(colour: str) -> np.ndarray:
    """A CSS hex colour as three numbers. Shapes: -> [3]."""
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], np.float64)


def position_png(tables: Tables, palette: Palette) -> bytes:
    """The cosines of all positions with one another as a PNG: one image for all steps, painted once.

    Shapes: position_cosines [n_positions, n_positions].
    """
    images = _painted.setdefault(tables, {})
    if palette not in images:
        images[palette] = _paint(tables, palette)
    return images[palette]


def _paint(tables: Tables, palette: Palette) -> bytes:
    cosines = tables.position_cosines
    low, middle, high = rgb(palette.negative), rgb(palette.paper), rgb(palette.positive)
    share = np.linspace(-1, 1, SHADES)[:, None]  # [shade, 1]
    shades = middle + np.where(share < 0, low - middle, high - middle) * np.abs(share)  # [shade, 3]
    index = np.rint((np.clip(cosines, -1, 1) + 1) / 2 * (SHADES - 1)).astype(np.uint8)
    image = Image.frombytes("P", index.shape[::-1], index.tobytes())
    image.putpalette(np.rint(shades).astype(np.uint8).tobytes())
    factor = max(1, IMAGE_PIXELS // len(cosines))
    image = image.resize((len(cosines) * factor, len(cosines) * factor), Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=6)
    return file.getvalue()


def cosines_csv(tables: Tables) -> bytes:
    """All the cosines, a row and a column for each position."""
    cosines, file = tables.position_cosines, io.StringIO()
    places = np.arange(len(cosines))
    first = ",".join(["position", *map(str, places)])
    np.savetxt(file, np.column_stack([places, cosines]), "%.9g", ",", "\r\n", first, comments="")
    return file.getvalue().encode()


def mean_cosine(tables: Tables, distance: int) -> float:
    """The mean cosine of all pairs of positions this far apart."""
    return float(np.diagonal(tables.position_cosines, distance).mean())


def positions_caption(tables: Tables) -> str:
    """The axes and the colours of the picture."""
    size = len(tables.wpe)
    return (
        f"The rows and columns are those of wpe, positions 0 to {size - 1} from the top left. Blue is cosine −1, the "
        "background's colour 0, orange 1. The pink lines mark the newest position."
    )


def positions_sentence(tables: Tables) -> str:
    """The mean cosine of adjacent positions, and of positions far apart."""
    far = len(tables.wpe) // 4
    if not far:
        return "This model has too few positions to compare near and far ones."
    return (
        f"Adjacent positions have a mean cosine of {fixed(mean_cosine(tables, 1), 3)}, positions {far} apart "
        f"{fixed(mean_cosine(tables, far), 3)}."
    )


def position_rows(tables: Tables, position: int) -> ChartData:
    """One position's cosine with every position."""
    return [{"position": at, "cosine": float(cosine)} for at, cosine in enumerate(tables.position_cosines[position])]


def position_chart(tables: Tables, position: int, palette: Palette) -> style.Figure:
    """The newest position's cosine with every position, on a fixed axis; its own place, with cosine 1, is marked."""
    rows = position_rows(tables, position)
    return style.Figure(_look(palette), {"cosines": rows, "newest": [rows[position]]})


@style.look
def _look(palette: Palette) -> style.AltairChart:
    x = alt.X("position:Q", title="position", scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, format="d"))
    y = alt.Y("cosine:Q", title="cosine", scale=alt.Scale(domain=[-1, 1]), axis=alt.Axis(values=[-1, -0.5, 0, 0.5, 1]))
    tip = [alt.Tooltip("position:Q", title="position"), alt.Tooltip("cosine:Q", title="cosine", format=".4f")]
    line, newest = style.named("cosines"), style.named("newest")
    layers = [
        newest.mark_rule(color=palette.sampling, strokeWidth=10, opacity=0.18).encode(x=x),
        line.mark_line(color=palette.position, strokeWidth=1.5).encode(x=x, y=y),
        line.mark_point(filled=True, size=30, opacity=0, color=palette.position).encode(x=x, y=y, tooltip=tip),
        newest.mark_point(filled=True, size=80, opacity=1, color=palette.sampling).encode(x=x, y=y, tooltip=tip),
    ]
    return style.dressed(alt.layer(*layers), palette, 330)


def position_sentence(tables: Tables, position: int) -> str:
    """The position most like the newest one, and the one least like it."""
    cosines = tables.position_cosines[position].copy()
    cosines[position] = np.nan
    most, least = int(np.nanargmax(cosines)), int(np.nanargmin(cosines))
    return (
        f"Position {position} is most like position {most} (cosine {fixed(cosines[most], 3)}) "
        f"and least like position {least} ({fixed(cosines[least], 3)})."
    )
