"""What a graph shows: places in rows and columns, edges from one row to the next, and a note for each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pages.look.palette import Palette

Concept = Literal["attention", "mlp", "residual"]


@dataclass(frozen=True)
class Node:
    """One place.

    Attributes:
        id: what is sent back if it is picked.
        row, column: where it stands; row 0 is the lowest.
        share: how large it is drawn, from 0 to 1.
        note: what is shown and read aloud at it, a short line and a longer one.
        is_strong: whether the highlighted path goes through it.
    """

    id: str
    row: int
    column: int
    share: float
    note: tuple[str, str]
    is_strong: bool


@dataclass(frozen=True)
class Line:
    """One edge, in its concept's colour and as wide as its share; `source` and `target` are ids of nodes."""

    id: str
    source: str
    target: str
    concept: Concept
    share: float
    note: tuple[str, str]
    is_strong: bool


@dataclass(frozen=True)
class GraphPicture:
    """A whole graph.

    Attributes:
        title: its name, for who hears it.
        rows, columns: their labels, from the bottom and from the left.
        gaps: before which columns others are left out.
        nodes: every end of an edge.
        lines: the edges; those into one node begin with the widest.
        mark: the id of the node in a ring, where the keys begin.
        answer: what is written above it.
        legend: what each colour means.
        height: in pixels.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    gaps: Sequence[int]
    nodes: Sequence[Node]
    lines: Sequence[Line]
    mark: str
    answer: str
    legend: dict[Concept, str]
    height: int

    @property
    def ids(self) -> set[str]:
        """Everything that can be picked."""
        return {node.id for node in self.nodes} | {line.id for line in self.lines}

    def message(self, palette: Palette, selected: str, is_picked: bool) -> dict[str, Any]:
        """The picture as the browser takes it, with this theme's colours."""
        return {**asdict(self), "colours": asdict(palette), "selected": selected, "is_picked": is_picked}
