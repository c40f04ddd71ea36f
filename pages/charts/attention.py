"""Who looks at whom: every head's pattern as one mosaic, the mean of every layer, and a selection of heads as one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpt2.trace.trace import Trace
from pages.look.names import head_name, layer_name
from pages.look.numbers import PER_CENT, percent
from pages.look.tokens import spoken_at
from pages.matrix.blob import Picture
from pages.matrix.scale import share

from .attention_shares import Join, Reading, Subject, all_layers, newest_rows, pool, pooled_heads, shares

Array = NDArray[np.float32]
VIEWS = EVERY_HEAD, EVERY_LAYER, SELECTION, ROLES = ("Every head", "Mean of each layer", "A selection", "Roles")
BY_VALUE = "Weight by the length of what the head writes (× ‖v W_O‖)"
WITHOUT_FIRST = "Leave out the first token, rescale the rest"
TILE = 64
LAYER_TILE = 128


def look_phrase(trace: Trace, row: Array, query: int = -1) -> str:
    """The key with the largest weight in one query's row, as the predicate of a sentence. Shapes: row [key]."""
    if not np.nan_to_num(row).any():
        return "has nothing left to look at"
    key = int(np.nanargmax(row))
    back = range(trace.seq)[query] - key
    distance = "one token" if back == 1 else f"{back} tokens"
    target = f"{spoken_at(trace, key)} ({distance} back)" if back else "itself"
    return f"looks most at {target}, {percent(float(row[key]))}"


@dataclass(frozen=True)
class Tiles:
    """The patterns of a mosaic, one tile each.

    Attributes:
        values: each cell the largest of `factor` × `factor` weights.
        newest: the newest token's row of every pattern, at full size.
        names: the name of every tile.
        factor: how many positions share a cell, in both directions.

    Shapes: values [tile row, tile column, side, side], newest [tile row, tile column, key].
    """

    values: Array
    newest: Array
    names: list[list[str]]
    factor: int

    def newest_row(self, trace: Trace) -> int:
        """The row of every tile that shows the newest token."""
        return (trace.seq - 1) // self.factor

    def notes(self, trace: Trace) -> list[list[str]]:
        """One sentence for each tile: where its newest token looks most."""
        token = spoken_at(trace, -1)
        return [
            [f"{name}: {token} {look_phrase(trace, row)}" for name, row in zip(names, rows, strict=True)]
            for names, rows in zip(self.names, self.newest, strict=True)
        ]

    def caption(self, trace: Trace, reading: Reading) -> str:
        """The tile with the largest weight, and how the weights were changed and pooled."""
        row, column = sharpest_tile(self.newest)
        sentence = f"{self.notes(trace)[row][column]}, the largest weight of all {sum(map(len, self.names))} tiles."
        if np.isnan(self.newest).all():
            sentence = f"{spoken_at(trace, -1)} has nothing left to look at."
        pooled = f"Each cell is the largest of {self.factor} × {self.factor} weights." if self.factor > 1 else ""
        return " ".join(filter(None, (sentence, "Click a tile to see it in detail.", reading.sentence, pooled)))


def mosaic_of_heads(trace: Trace, reading: Reading, height: int) -> Picture:
    """Every head of every layer, one tile each; the stack grows upwards, its first layer at the bottom."""
    layers, heads = range(trace.config.n_layer)[::-1], range(trace.config.n_head)
    factor = -(-trace.seq // TILE)
    tiles = Tiles(
        np.stack([pooled_heads(trace, layer, reading, factor) for layer in layers]),
        newest_rows(trace, reading)[::-1],
        [[Subject(((layer, head),)).name for head in heads] for layer in layers],
        factor,
    )
    return Picture(
        tiles.values,
        rows=[layer_name(layer) for layer in layers],
        columns=[f"H{head}" for head in heads],
        scale=share(reading.label, "attention", square_root=True),
        title="Every head",
        caption=tiles.caption(trace, reading),
        locks=True,
        hook="{row}.attn.hook_pattern[{c}]",
        row_names=[f"blocks.{layer}" for layer in layers],
        mark_row=tiles.newest_row(trace),
        notes=tiles.notes(trace),
        height=height,
    )


def sharpest_tile(newest: Array) -> tuple[int, int]:
    """The (row, column) of the tile with the largest weight. Shapes: newest [tile row, tile column, key]."""
    largest = np.nan_to_num(newest, nan=-1.0).max(axis=2)
    row, column = np.unravel_index(int(largest.argmax()), largest.shape)
    return int(row), int(column)


def tile_of(trace: Trace, head: tuple[int, int]) -> tuple[int, int]:
    """Where `mosaic_of_heads` shows a (layer, head), as (row, column)."""
    return trace.config.n_layer - 1 - head[0], head[1]


def head_at(trace: Trace, tile: tuple[int, int]) -> tuple[int, int]:
    """The (layer, head) that a (row, column) of `mosaic_of_heads` shows."""
    return trace.config.n_layer - 1 - tile[0], tile[1]


def mosaic_of_layers(trace: Trace, reading: Reading, height: int) -> Picture:
    """The mean over the heads of every layer, one tile each, ordered like the words of a text."""
    n_layer = trace.config.n_layer
    across = layers_across(n_layer)
    factor = -(-trace.seq // LAYER_TILE)
    lines = [range(first, first + across) for first in range(0, n_layer, across)]
    means = [shares(trace, Subject(((layer, None),)), reading) for layer in range(n_layer)]
    pooled = np.stack([pool(mean, factor) for mean in means])  # [layer, side, side]
    tiles = Tiles(
        pooled.reshape(-1, across, *pooled.shape[1:]),
        np.stack([mean[-1] for mean in means]).reshape(-1, across, trace.seq),
        [[Subject(((layer, None),)).name for layer in line] for line in lines],
        factor,
    )
    return Picture(
        tiles.values,
        rows=[""] * (n_layer // across),
        columns=[""] * across,
        scale=share(reading.label, "attention", square_root=True),
        title="Every layer, mean over its heads",
        caption=tiles.caption(trace, reading),
        hook="hook_pattern, mean over the heads of a layer",
        mark_row=tiles.newest_row(trace),
        text=[[layer_name(layer) for layer in line] for line in lines],
        notes=tiles.notes(trace),
        height=height,
    )


def layers_across(n_layer: int) -> int:
    """How many tiles share a row of the mosaic: the smallest divisor that makes the mosaic at least as wide as high."""
    return next(across for across in range(1, n_layer + 1) if n_layer % across == 0 and across * across >= n_layer)


def joined_heads(trace: Trace, reading: Reading, subject: Subject, height: int) -> Picture:
    """Some heads joined, as one large pattern."""
    joined, labels = shares(trace, subject, reading), trace.labels
    count = sum(map(len, subject.heads(trace.config.n_head).values()))
    said = f"{spoken_at(trace, -1)} {look_phrase(trace, joined[-1])}."
    if subject.join == "max":
        said += f" Each cell is the largest of {count} heads, so a row may add up to more than 100{PER_CENT}."
    return Picture(
        joined,
        labels,
        labels,
        share(reading.label, "attention", square_root=True),
        f"{subject.name}, {count} {'head' if count == 1 else 'heads'}",
        f"{said} {reading.sentence}".strip(),
        f"{subject.hook}[{{r}}, {{c}}]",
        row_start=0,
        column_start=0,
        mark_row=trace.seq - 1,
        square=True,
        height=height,
    )


def part_options(trace: Trace) -> dict[str, tuple[int, int | None]]:
    """Every layer, and every head, by its name, as parts of a `Subject`."""
    layers, heads = range(trace.config.n_layer), range(trace.config.n_head)
    parts = [(layer, head) for layer in layers for head in (None, *heads)]
    return {layer_name(layer) if head is None else head_name(layer, head): (layer, head) for layer, head in parts}


def selected(trace: Trace, names: Sequence[str], join: Join) -> Subject:
    """The parts of these names, joined; all heads if none of them is a part of this model."""
    options = part_options(trace)
    parts = tuple(options[name] for name in names if name in options)
    return Subject(parts, join) if parts else all_layers(trace, join)


def framing(mosaic: Picture, tile: tuple[int, int]) -> Picture:
    """The mosaic with a caption that speaks first of the tile in the frame."""
    assert mosaic.notes is not None  # every mosaic has them
    note = mosaic.notes[tile[0]][tile[1]]
    return mosaic if mosaic.caption.startswith(note) else replace(mosaic, caption=f"{note}. {mosaic.caption}")


def first_head(trace: Trace, reading: Reading, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """The (layer, head) to show first: the wanted one if the model has it, else the one that the caption names."""
    if wanted is not None and wanted[0] < trace.config.n_layer and wanted[1] < trace.config.n_head:
        return wanted
    return head_at(trace, sharpest_tile(newest_rows(trace, reading)[::-1]))


def layer_at(trace: Trace, tile: tuple[int, int], join: Join = "mean") -> Subject:
    """The layer that a tile of `mosaic_of_layers` shows."""
    return Subject(((tile[0] * layers_across(trace.config.n_layer) + tile[1], None),), join)
