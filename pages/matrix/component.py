"""Mount a matrix on the page, and give back the cell that the visitor chose."""

import streamlit as st

from pages.look.panels import PANELS

from .blob import Picture, pack
from .code import HTML, component_script, component_sheet

Cell = tuple[int, int]

_mount = st.components.v2.component("gpt2_matrix", html=HTML, css=component_sheet(), js=component_script())


def matrix(picture: Picture, *, key: str, selected: Cell | None = None, is_picked: bool = False) -> None:
    """Draw the picture under a fixed key; `selected` is in a frame, and `is_picked` if a visitor has picked it."""
    _draw(picture, key, selectable=False, selected=selected, is_picked=is_picked)


def selectable_matrix(
    picture: Picture, *, key: str, otherwise: Cell, watched: int | None = None, below: int = 0
) -> Cell:
    """Draw the picture under a fixed key and return the picked (row, column), a tile's in a mosaic.

    A pick is kept by its positions, so it stays with its tokens when the picture's window moves. A pick that the
    picture has no cell for any more gives way to `otherwise`, as does no pick at all. A picture whose columns alone are
    positions takes the `watched` one, as `picked_cell` does. With a pick `below` the picture no cell is in a
    frame; it is let go as any other.
    """
    shape = len(picture.rows), len(picture.columns)
    picked = picked_cell(key, shape, (picture.row_start or 0, picture.column_start or 0), watched, below)
    cell = picked or otherwise
    framed = cell if cell[0] < len(picture.rows) else None
    _draw(picture, key, selectable=True, selected=framed, is_picked=picked is not None, watched=watched)
    return cell


def picked_cell(
    key: str, shape: tuple[int, int], start: Cell = (0, 0), watched: int | None = None, below: int = 0
) -> Cell | None:
    """The cell picked under a key, before its picture is made; None if none is, or the picture has none like it.

    Args:
        key: the picture's.
        shape: how many rows and columns the picture will have.
        start: the positions that the first row and column stand for.
        watched: the position that the visitor looks at; if the picture is new on the page, row 0 there is picked.
        below: how many cells, counted as those of one row more, a chart can pick though the picture has none for them.
    """
    cell = (st.session_state.get(key) or first_pick(watched)).get("cell")
    if not (isinstance(cell, list | tuple) and len(cell) == 2 and all(isinstance(at, int) for at in cell)):
        return None
    row, column = cell[0] - start[0], cell[1] - start[1]
    columns = shape[1] if 0 <= row < shape[0] else below if row == shape[0] else 0
    return (row, column) if 0 <= column < columns else None


def first_pick(watched: int | None) -> dict[str, list[int] | None]:
    """What is picked in a picture that is new on the page, as the browser would tell it."""
    return {"cell": None if watched is None else [0, watched]}


def _draw(
    picture: Picture, key: str, selectable: bool, selected: Cell | None, is_picked: bool, watched: int | None = None
) -> None:
    data = pack(picture, key if key in PANELS else "", selectable, selected, is_picked, watched)
    _mount(key=key, data=data, default=first_pick(watched), on_cell_change=lambda: None)
