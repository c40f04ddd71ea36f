"""Every head's attention pattern as one mosaic, and its means over heads, layers and the whole model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.trace.trace import Trace
from pages.matrix.blob import Picture
from pages.matrix.scale import share

from .attention_shares import Reading, Subject, all_layers, newest_rows, pool, pooled_heads, shares
from .style import percent, spoken

Array = NDArray[np.float32]
VIEWS = EVERY_HEAD, EVERY_LAYER, MEAN_OF_ALL = ("Every head", "Mean of each layer", "Mean of all")
BY_VALUE = "Weigh by the size of what is read (× ‖v‖)"
WITHOUT_FIRST = "Leave out the first token, rescale the rest"
TILE = 64
LAYER_TILE = 128


def looks(trace: Trace, row: Array) -> str:
    """The key that one query looks at most, in words. Shapes: row [key]."""
    if np.isnan(row).all():
        return "has nothing left to look at"
    key = int(np.nanargmax(row))
    back = len(row) - 1 - key
    away = "one token" if back == 1 else f"{back} tokens"
    where = f"{spoken(trace.labels[key])} ({away} back)" if back else "itself"
    return f"looks most at {where}, {percent(float(row[key]))}"


@dataclass(frozen=True)
class Mosaic:
    """Patterns side by side: one tile for each head, or for each layer.

    Attributes:
        tiles: the patterns, pooled.
        factor: how many queries and keys one cell of a tile stands for.
        newest: the newest query's row of each pattern, not pooled.
        names: what each tile shows, such as `L2·H4`.
        rows, columns: labels of the rows and columns of tiles.
        row_names: names of the rows of tiles, for `{row}` in `hook`.
        text: a label on each tile.

    Shapes: tiles [tile row, tile column, side, side], newest [tile row, tile column, key].
    """

    tiles: Array
    factor: int
    newest: Array
    names: list[list[str]]
    rows: Sequence[str]
    columns: Sequence[str]
    title: str
    hook: str
    row_names: Sequence[str] | None = None
    text: list[list[str]] | None = None

    def picture(self, trace: Trace, reading: Reading, height: int) -> Picture:
        """The mosaic with a note for each tile; the caption quotes the tile with the largest weight."""
        token = spoken(trace.labels[-1])
        notes = [
            [f"{name}: {token} {looks(trace, self.newest[r, c])}" for c, name in enumerate(line)]
            for r, line in enumerate(self.names)
        ]
        row, column = sharpest_tile(self.newest)
        sharpest = f"{notes[row][column]}: the sharpest look of {self.newest.shape[0] * self.newest.shape[1]}."
        if np.isnan(self.newest).all():
            sharpest = f"{token} has nothing left to look at."
        pooled = f"Each cell is the largest of {self.factor} × {self.factor} weights." if self.factor > 1 else ""
        return Picture(
            self.tiles,
            self.rows,
            self.columns,
            share(reading.label, "attention", square_root=True),
            self.title,
            " ".join(part for part in (sharpest, "Click one to follow it.", reading.sentence, pooled) if part),
            self.hook,
            row_names=self.row_names,
            mark_row=(trace.seq - 1) // self.factor,
            text=self.text,
            notes=notes,
            height=height,
        )


def mosaic_of_heads(trace: Trace, reading: Reading, height: int) -> Picture:
    """Every head of every layer, one tile each; the stack grows upwards, its first layer at the bottom."""
    upwards, heads = range(trace.config.n_layer)[::-1], range(trace.config.n_head)
    factor = -(-trace.seq // TILE)
    tiles = np.stack([pooled_heads(trace, layer, reading, factor) for layer in upwards])
    names = [[Subject((layer,), head).name for head in heads] for layer in upwards]
    mosaic = Mosaic(
        tiles,
        factor,
        newest_rows(trace, reading)[::-1],
        names,
        rows=[f"L{layer}" for layer in upwards],
        columns=[f"H{head}" for head in heads],
        title="Every head",
        hook="{row}.attn.hook_pattern[{c}]",
        row_names=[f"blocks.{layer}" for layer in upwards],
    )
    return mosaic.picture(trace, reading, height)


def sharpest_tile(newest: Array) -> tuple[int, int]:
    """The tile with the largest weight of all. Shapes: newest [tile row, tile column, key]."""
    largest = np.nan_to_num(newest, nan=-1.0).max(axis=2)
    row, column = np.unravel_index(int(largest.argmax()), largest.shape)
    return int(row), int(column)


def tile_of(trace: Trace, head: tuple[int, int]) -> tuple[int, int]:
    """The (row, column) at which `mosaic_of_heads` shows a (layer, head)."""
    return trace.config.n_layer - 1 - head[0], head[1]


def head_at(trace: Trace, tile: tuple[int, int]) -> tuple[int, int]:
    """The (layer, head) that a (row, column) of `mosaic_of_heads` shows."""
    return trace.config.n_layer - 1 - tile[0], tile[1]


def mosaic_of_layers(trace: Trace, reading: Reading, height: int) -> Picture:
    """The mean over the heads of every layer, one tile each, read like a line of text."""
    n_layer = trace.config.n_layer
    across = layers_across(n_layer)
    factor = -(-trace.seq // LAYER_TILE)
    weights = [shares(trace, Subject((layer,)), reading) for layer in range(n_layer)]
    tiles = np.stack([pool(one, factor) for one in weights])  # [layer, side, side]
    names = [[f"Mean of L{layer}" for layer in range(at, at + across)] for at in range(0, n_layer, across)]
    mosaic = Mosaic(
        tiles.reshape(-1, across, *tiles.shape[1:]),
        factor,
        np.stack([one[-1] for one in weights]).reshape(-1, across, trace.seq),
        names,
        rows=[""] * (n_layer // across),
        columns=[""] * across,
        title="Every layer, mean over its heads",
        hook="hook_pattern, mean over the heads of a layer",
        text=[[f"L{layer}" for layer in range(at, at + across)] for at in range(0, n_layer, across)],
    )
    return mosaic.picture(trace, reading, height)


def layers_across(n_layer: int) -> int:
    """How many tiles are side by side: the smallest divisor that makes the mosaic at least as wide as high."""
    return next(across for across in range(1, n_layer + 1) if n_layer % across == 0 and across * across >= n_layer)


def mean_of_all(trace: Trace, reading: Reading, height: int) -> Picture:
    """The mean over all heads of all layers, as one large pattern."""
    weights = shares(trace, all_layers(trace), reading)
    labels = trace.labels
    return Picture(
        weights,
        labels,
        labels,
        share(reading.label, "attention", square_root=True),
        f"All {trace.config.n_layer * trace.config.n_head} heads, mean",
        f"On average {spoken(labels[-1])} {looks(trace, weights[-1])}. {reading.sentence}".strip(),
        "hook_pattern, mean over layers and heads [{r}, {c}]",
        row_start=0,
        column_start=0,
        mark_row=trace.seq - 1,
        square=True,
        height=height,
    )


def first_head(trace: Trace, reading: Reading, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """The head to begin with, as (layer, head): the wanted one, else the one that the mosaic's sentence names."""
    if wanted is not None and wanted[0] < trace.config.n_layer and wanted[1] < trace.config.n_head:
        return wanted
    return head_at(trace, sharpest_tile(newest_rows(trace, reading)[::-1]))


def layer_at(trace: Trace, tile: tuple[int, int]) -> Subject:
    """The mean of the layer that a tile of `mosaic_of_layers` shows."""
    return Subject((tile[0] * layers_across(trace.config.n_layer) + tile[1],))
