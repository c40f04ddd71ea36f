"""Mount a matrix on the page, and give back the cell that the visitor chose."""

from pathlib import Path

import streamlit as st

from pages.look.scripts import shared_script

from .blob import Picture, pack

Cell = tuple[int, int]
HERE = Path(__file__).parent
SCRIPTS = ("paint", "panel", "matrix")


def lean(source: str) -> str:
    """The script without indentation and comment lines: it travels with every message."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


_mount = st.components.v2.component(
    "gpt2_matrix",
    html='<div class="matrix"></div>',
    css=(HERE / "matrix.css").read_text(encoding="utf-8"),
    js=lean("\n".join([shared_script(), *((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)])),
)


def matrix(picture: Picture, *, key: str, selected: Cell | None = None) -> None:
    """Draw the picture under a fixed key; `selected` is outlined."""
    _draw(picture, key, selectable=False, selected=selected)


def selectable_matrix(picture: Picture, *, key: str, otherwise: Cell) -> Cell:
    """Draw the picture under a fixed key and return the chosen (row, column), a tile's in a mosaic.

    A choice is kept by its positions, so it stays with its tokens when the picture's window moves. A choice that the
    picture has no cell for any more gives way to `otherwise`, as does no choice at all.
    """
    shape = len(picture.rows), len(picture.columns)
    cell = chosen_cell(key, shape, otherwise, start=(picture.row_start or 0, picture.column_start or 0))
    _draw(picture, key, selectable=True, selected=cell)
    return cell


def chosen_cell(key: str, shape: tuple[int, int], otherwise: Cell, start: Cell = (0, 0)) -> Cell:
    """The cell chosen under a key, before its picture is made.

    Args:
        key: the picture's.
        shape: how many rows and columns the picture will have.
        otherwise: the cell to return if none has been chosen, or the chosen one is no longer in the picture.
        start: the positions that the first row and column stand for.
    """
    before = st.session_state.get(key)
    cell = None if before is None else before.get("cell")
    if not (isinstance(cell, list | tuple) and len(cell) == 2 and all(isinstance(at, int) for at in cell)):
        return otherwise
    row, column = cell[0] - start[0], cell[1] - start[1]
    return (row, column) if 0 <= row < shape[0] and 0 <= column < shape[1] else otherwise


def _draw(picture: Picture, key: str, selectable: bool, selected: Cell | None) -> None:
    _mount(key=key, data=pack(picture, selectable, selected), default={"cell": None}, on_cell_change=lambda: None)
