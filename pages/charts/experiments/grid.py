"""The grid in which parts are muted: every head of every layer, and the MLPs; what is changed says so in its cell."""

from collections.abc import Collection

import numpy as np

from gpt2.experiments.part import Part, head, mlp
from gpt2.model.config import GPT2Config
from pages.look.names import head_name, layer_name, part_name
from pages.look.numbers import fixed
from pages.matrix.blob import Picture
from pages.matrix.scale import Scale

TITLE = "Which parts are changed"
KINDS = {"zero": "Set to zero", "mean": "Set to its mean", "scale": "Multiply"}
# As far as a factor has a colour of its own; the cell's text tells any other.
FULL = 2.0


def part_label(part: Part) -> str:
    """A part as it is called on the pages."""
    return part_name("MLP", part.layer) if part.head is None else head_name(part.layer, part.head)


def parts_by_label(config: GPT2Config) -> dict[str, Part]:
    """Every head and every MLP of a model by its label, layer by layer."""
    layers = range(config.n_layer)
    parts = [part for layer in layers for part in (*(head(layer, n) for n in range(config.n_head)), mlp(layer))]
    return {part_label(part): part for part in parts}


def part_at(config: GPT2Config, cell: tuple[int, int]) -> Part:
    """The part in a cell of the grid: the top row is the last layer, the last column the MLPs."""
    layer, column = config.n_layer - 1 - cell[0], cell[1]
    return head(layer, column) if column < config.n_head else mlp(layer)


def part_grid(config: GPT2Config, changed: Collection[Part], kind: str, factor: float, height: int) -> Picture:
    """What remains of each part: 1 of those left alone; a muted one is dark, and its cell says how it is changed."""
    rows, columns = config.n_layer, config.n_head + 1
    values, text = np.ones((rows, columns)), [[""] * columns for _ in range(rows)]
    written = {"zero": "off", "mean": "mean", "scale": f"×{fixed(factor, 2).rstrip('0').rstrip('.')}"}[kind]
    for row in range(rows):
        for column in range(columns):
            if part_at(config, (row, column)) in changed:
                values[row, column], text[row][column] = factor if kind == "scale" else 0.0, written
    names = [f"H{head}" for head in range(config.n_head)]
    return Picture(
        values,
        [layer_name(layer) for layer in reversed(range(rows))],
        [*names, "MLP"],
        Scale("sequential", FULL, "kept: 0 is off, 1 is as it was", "attention", is_clipped=True),
        TITLE,
        grid_sentence(config, changed),
        "",
        row_title="layer",
        text=text,
        height=height,
    )


def grid_sentence(config: GPT2Config, changed: Collection[Part]) -> str:
    """How many parts are changed, and how to change one."""
    total = config.n_layer * (config.n_head + 1)
    told = "No part is changed" if not changed else f"{len(changed)} of {total} parts changed"
    return f"{told}. Click a cell to change a head or an MLP; click it again to leave it as it was."
