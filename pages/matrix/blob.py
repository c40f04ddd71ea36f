"""A matrix as one byte string: the length of a JSON header, the header, and the values as float32, row by row."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import TraceError
from pages.look.numbers import bold_percents
from pages.look.palette import DARK, LIGHT, Palette

from .scale import Scale

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Picture:
    """One dense array and all that is written about it.

    Shapes: values [row, column], or [tile row, tile column, row, column] for a mosaic. Minus infinity and NaN are
    cells without a value; they are hatched.

    Attributes:
        rows, columns: one label each (of the tiles, in a mosaic).
        caption: a sentence or two; its per cents are set bold.
        hook: where the values come from; `{r}` and `{c}` become the indices, `{row}` and `{column}` the names.
        row_names, column_names: longer names for the tooltip; the labels where left out.
        row_start, column_start: the position that the first row or column stands for, where they are positions.
        row_title, column_title: what rows and columns are.
        mark_row, mark_column: the current step's row and column.
        text: a label to write into each cell (the corner of each tile); `bold` says which of them are set bold.
        notes: one sentence for each tile or cell, shown in the tooltip; a mosaic needs them.
        is_text: the cells hold a text in lines; those without a value are its blank end, and are not hatched.
        square: cells as high as wide.
        group: pictures with the same group show the same cell.
        locks: the tiles are heads, layers upwards; a click on one locks it on the stage.

    Raises:
        TraceError: if labels, texts or notes do not fit the values.
    """

    values: Values
    rows: Sequence[str]
    columns: Sequence[str]
    scale: Scale
    title: str
    caption: str
    hook: str
    row_names: Sequence[str] | None = None
    column_names: Sequence[str] | None = None
    row_start: int | None = None
    column_start: int | None = None
    row_title: str = ""
    column_title: str = ""
    mark_row: int | None = None
    mark_column: int | None = None
    text: Sequence[Sequence[str]] | None = None
    bold: NDArray[np.bool_] | None = None
    notes: Sequence[Sequence[str]] | None = None
    square: bool = False
    group: str = ""
    is_text: bool = False
    locks: bool = False
    height: int = field(default=320)

    def __post_init__(self) -> None:
        """Refuse what would be drawn wrongly."""
        if self.values.ndim not in (2, 4) or self.values.shape[:2] != (len(self.rows), len(self.columns)):
            raise TraceError(
                f"A matrix of shape {list(self.values.shape)} does not fit {len(self.rows)} row and "
                f"{len(self.columns)} column labels."
            )
        if (self.values.ndim == 4 and self.notes is None) or any(
            cells is not None and [len(row) for row in cells] != [len(self.columns)] * len(self.rows)
            for cells in (self.text, self.notes)
        ):
            raise TraceError("A matrix needs one text for each of its cells, and a mosaic one note for each tile.")

    @property
    def is_mosaic(self) -> bool:
        """Whether the values are a grid of tiles."""
        return self.values.ndim == 4


def pack(
    picture: Picture,
    panel: str = "",
    selectable: bool = False,
    selected: Sequence[int] | None = None,
    is_picked: bool = False,
    watched: int | None = None,
) -> bytes:
    """The picture as the browser takes it; the values start at a multiple of four bytes.

    Args:
        picture: what to draw.
        panel: its name in `pages.look.panels`.
        selectable: whether the cell that a visitor picks is sent back.
        selected: the cell in a frame; on a text, the tokens that look.
        is_picked: whether a visitor has picked that cell, and can let it go.
        watched: the position that was picked with the picture, as the visitor looks at it.

    Shapes: a mosaic's values go as [tile row * row, tile column * column].
    """
    values, tile = picture.values, None
    if picture.is_mosaic:
        across, down, height, width = values.shape
        values = values.transpose(0, 2, 1, 3).reshape(across * height, down * width)
        tile = [height, width]
    header: dict[str, Any] = {
        **{name: value for name, value in vars(picture).items() if name not in ("values", "scale", "bold")},
        "caption": bold_percents(picture.caption),
        "bold": None if picture.bold is None else picture.bold.astype(int).tolist(),
        "scale": asdict(picture.scale),
        "panel": panel,
        "shape": list(values.shape),
        "tile": tile,
        "selectable": selectable,
        "selected": selected,
        "is_picked": is_picked,
        "follows": watched,
        "light": _colours(LIGHT, picture.scale),
        "dark": _colours(DARK, picture.scale),
    }
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + np.ascontiguousarray(values, "<f4").tobytes()


def _colours(palette: Palette, scale: Scale) -> dict[str, str]:
    """What a theme's CSS variables do not hold; the script takes paper, panel, text and lines from those."""
    return {
        "high": getattr(palette, scale.concept),
        "negative": palette.negative,
        "positive": palette.positive,
        "mark": palette.sampling,
        "watched": palette.watched,
        "muted": palette.muted,
    }
