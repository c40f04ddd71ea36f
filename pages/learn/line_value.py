"""A value that a line of a lesson's component made, as a map and in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pages.look.numbers import number
from pages.matrix.blob import Picture
from pages.matrix.scale import Concept, Scale, signed, size

Values = NDArray[Any]
MOST_ROWS, MOST_COLUMNS = 64, 512


@dataclass(frozen=True)
class LineValue:
    """What a line made.

    Attributes:
        name: the variable.
        axes: the names of its axes; as many as the shape has, or none.
        value: the numbers.
        tokens: the labels of the run's positions.
    """

    name: str
    axes: tuple[str, ...]
    value: Values
    tokens: Sequence[str]

    @property
    def shape_text(self) -> str:
        """The name with its axes and sizes: `centred [seq 9, d_model 256]`."""
        sizes = [str(size) for size in self.value.shape]
        named = [f"{axis} {size}" for axis, size in zip(self.axes, sizes, strict=True)] if self.axes else sizes
        return f"{self.name} [{', '.join(named)}]"

    @property
    def range_text(self) -> str:
        """The least, the mean and the largest number, those that are finite."""
        finite = self.value[np.isfinite(self.value)].astype(np.float64)
        if not finite.size:
            return "no finite number"
        least, mean, most = (number(float(part)) for part in (finite.min(), finite.mean(), finite.max()))
        return f"min {least}, mean {mean}, max {most}"

    def rows(self) -> tuple[Values, str, str]:
        """The value as rows and columns, and what both are; one head of it, if it has heads before positions."""
        value, axes = self.value, self.axes or tuple(f"axis {at}" for at in range(self.value.ndim))
        if value.ndim == 3 and axes[0] == "head":
            return value[0], f"{axes[1]} of head 0", axes[2]
        if value.ndim == 3:
            return value.reshape(len(value), -1), axes[0], f"{axes[1]} and {axes[2]}"
        if value.ndim == 1:
            return value[:, None], axes[0], ""
        return (value, axes[0], axes[1]) if value.ndim == 2 else (value.reshape(1, -1), "", "")

    def picture(self, title: str, concept: Concept, height: int, like: Values | None = None) -> Picture:
        """A map of the value, the newest rows first to stay; the colours are those of `like`, if it is given."""
        values, row_title, column_title = self.rows()
        whole, values = values.shape, values[-MOST_ROWS:, :MOST_COLUMNS].astype(np.float32)
        start = whole[0] - len(values)
        is_by_position = row_title.split(" ")[0] in ("seq", "query") and whole[0] == len(self.tokens)
        rows = self.tokens[start:] if is_by_position else [str(start + row) for row in range(len(values))]
        is_by_key = column_title == "key" and whole[1] == len(self.tokens)
        columns = self.tokens[: values.shape[1]] if is_by_key else [str(at) for at in range(values.shape[1])]
        cut = f" The map shows the last {MOST_ROWS} of {whole[0]} rows." if start else ""
        if whole[1] > MOST_COLUMNS:
            cut += f" The map shows the first {MOST_COLUMNS} of {whole[1]} columns."
        scaled = self.value if like is None else like
        scale = self._scale(concept, scaled)
        finite = np.abs(values[np.isfinite(values)])
        is_clipped = bool(finite.size and finite.max() > scale.limit)
        return Picture(
            values,
            rows,
            columns,
            replace(scale, is_clipped=is_clipped),
            title,
            f"{self.shape_text}: {self.range_text}.{cut}",
            f"{self.name}[{{r}}, {{c}}]",
            row_title=row_title,
            column_title=column_title,
            height=height,
        )

    def _scale(self, concept: Concept, values: Values) -> Scale:
        is_positive = bool((values[np.isfinite(values)] >= 0).all())
        return size(self.name, concept, values) if is_positive else signed(self.name, values)
