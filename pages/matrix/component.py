"""Mount a matrix on the page, and give back the cell that the visitor chose."""

from pathlib import Path

import streamlit as st

from pages.look.panels import PANELS
from pages.look.scripts import heading_sheet, shared_script

from .blob import Picture, pack

Cell = tuple[int, int]
HERE = Path(__file__).parent
SCRIPTS = ("read", "paint", "panel", "keys", "matrix")


def lean(source: str) -> str:
    """The script without indentation and comment lines: it travels with every message."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def component_script() -> str:
    """All of the component's code."""
    own = ((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return lean("\n".join([shared_script(), *own]))


_mount = st.components.v2.component(
    "gpt2_matrix",
    html='<div class="matrix"></div>',
    css=(HERE / "matrix.css").read_text(encoding="utf-8") + heading_sheet(),
    js=component_script(),
)


def matrix(picture: Picture, *, key: str, selected: Cell | None = None, is_picked: bool = False) -> None:
    """Draw the picture under a fixed key; `selected` is in a frame, and `is_picked` if a visitor has picked it."""
    _draw(picture, key, selectable=False, selected=selected, is_picked=is_picked)


def selectable_matrix(picture: Picture, *, key: str, otherwise: Cell) -> Cell:
    """Draw the picture under a fixed key and return the picked (row, column), a tile's in a mosaic.

    A pick is kept by its positions, so it stays with its tokens when the picture's window moves. A pick that the
    picture has no cell for any more gives way to `otherwise`, as does no pick at all.
    """
    shape = len(picture.rows), len(picture.columns)
    picked = picked_cell(key, shape, start=(picture.row_start or 0, picture.column_start or 0))
    _draw(picture, key, selectable=True, selected=picked or otherwise, is_picked=picked is not None)
    return picked or otherwise


def picked_cell(key: str, shape: tuple[int, int], start: Cell = (0, 0)) -> Cell | None:
    """The cell picked under a key, before its picture is made; None if none is, or the picture has none like it.

    Args:
        key: the picture's.
        shape: how many rows and columns the picture will have.
        start: the positions that the first row and column stand for.
    """
    before = st.session_state.get(key)
    cell = None if before is None else before.get("cell")
    if not (isinstance(cell, list | tuple) and len(cell) == 2 and all(isinstance(at, int) for at in cell)):
        return None
    row, column = cell[0] - start[0], cell[1] - start[1]
    return (row, column) if 0 <= row < shape[0] and 0 <= column < shape[1] else None


def _draw(picture: Picture, key: str, selectable: bool, selected: Cell | None, is_picked: bool) -> None:
    data = pack(picture, key if key in PANELS else "", selectable, selected, is_picked)
    _mount(key=key, data=data, default={"cell": None}, on_cell_change=lambda: None)
