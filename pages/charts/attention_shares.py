"""Shares of attention: of one head or a mean of many, of all queries or the newest, whole or pooled.

A long run's patterns are large, so they are read a few queries at a time and never held whole in memory.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from gpt2.trace.trace import Trace
from pages.look.names import head_name, layer_name
from pages.look.numbers import PER_CENT

Array = NDArray[np.float32]
# How many queries of all heads are read at a time.
AT_ONCE = 64


@dataclass(frozen=True)
class Reading:
    """How patterns are read.

    Attributes:
        by_value: weigh each key by the norm of its value vector (Kobayashi et al., 2020), rescaled to sum to 1.
        without_first: leave out the first token, a sink for attention that heads do not need (Xiao et al., 2023),
            and rescale the other weights to sum to 1.
    """

    by_value: bool = False
    without_first: bool = False

    @property
    def sentence(self) -> str:
        """How the patterns were changed; empty if they are shown as captured."""
        changes = []
        if self.by_value:
            changes.append("weights are multiplied by the norm of the key's value vector")
        if self.without_first:
            changes.append("the first token is left out (hatched)")
        text = " and ".join(changes)
        return f"{text[0].upper()}{text[1:]}; rows are rescaled to 100{PER_CENT}." if text else ""

    @property
    def label(self) -> str:
        """The title of the colour scale."""
        return "share of attention × ‖v‖" if self.by_value else "attention weight"


@dataclass(frozen=True)
class Subject:
    """One head, or the mean over all heads of some layers if `head` is None."""

    layers: tuple[int, ...]
    head: int | None = None

    @property
    def name(self) -> str:
        """A short name, such as `L2·H4`."""
        if self.head is not None:
            return head_name(self.layers[0], self.head)
        last = "" if len(self.layers) == 1 else f" to {layer_name(self.layers[-1])}"
        return f"Mean of {layer_name(self.layers[0])}{last}"


def shares(trace: Trace, subject: Subject, reading: Reading) -> Array:
    """A subject's attention; heads are averaged before rows are rescaled. Shapes: -> [query, key]."""
    return _mean(trace, subject, reading, 0, trace.seq)


def newest_row(trace: Trace, subject: Subject, reading: Reading) -> Array:
    """A subject's attention from the newest token: the last row of `shares`. Shapes: -> [key]."""
    return _mean(trace, subject, reading, trace.seq - 1, trace.seq)[0]


def newest_rows(trace: Trace, reading: Reading) -> Array:
    """The newest token's attention in every head. Shapes: -> [layer, head, key]."""
    layers = range(trace.config.n_layer)
    rows = [_weights(trace, layer, reading, trace.seq - 1, trace.seq) for layer in layers]  # each [head, 1, key]
    return np.stack([_rescaled(row, reading)[:, 0] for row in rows])


def pooled_heads(trace: Trace, layer: int, reading: Reading, factor: int) -> Array:
    """One layer's patterns, each cell the largest of `factor` × `factor` weights.

    Shapes: -> [head, side, side].
    """
    firsts = range(0, trace.seq, factor)
    tiles = []
    for first in firsts:
        weights = _weights(trace, layer, reading, first, min(first + factor, trace.seq))  # [head, query, key]
        rows = np.fmax.reduce(_rescaled(weights, reading), axis=1)  # [head, key]
        tiles.append(np.fmax.reduceat(rows, firsts, axis=1))  # [head, side]
    return np.stack(tiles, axis=1)


def pool(weights: Array, factor: int) -> Array:
    """The pattern with each cell the largest of `factor` × `factor` weights. Shapes: [query, key] -> [side, side]."""
    firsts = np.arange(0, len(weights), factor)
    return np.fmax.reduceat(np.fmax.reduceat(weights, firsts, axis=0), firsts, axis=1)


def all_layers(trace: Trace) -> Subject:
    """The mean over all heads of all layers."""
    return Subject(tuple(range(trace.config.n_layer)))


def _mean(trace: Trace, subject: Subject, reading: Reading, start: int, stop: int) -> Array:
    """The queries from `start` to `stop` of a subject's shares. Shapes: -> [query, key]."""
    total = np.zeros((stop - start, trace.seq), np.float32)
    # Layer by layer: what is recomputed for a layer serves all its queries.
    for layer, at in product(subject.layers, range(start, stop, AT_ONCE)):
        until = min(at + AT_ONCE, stop)
        weights = _weights(trace, layer, reading, at, until)
        total[at - start : until - start] += weights.mean(axis=0) if subject.head is None else weights[subject.head]
    return _rescaled(total / np.float32(len(subject.layers)), reading)


def _weights(trace: Trace, layer: int, reading: Reading, start: int, stop: int) -> Array:
    """The patterns of some queries, before rescaling. Shapes: -> [head, query, key]."""
    pattern = trace.queries(f"blocks.{layer}.attn.hook_pattern", start, stop)
    return pattern * trace.value_norms[layer].T[:, None, :] if reading.by_value else pattern


def _rescaled(weights: Array, reading: Reading) -> Array:
    if not (reading.by_value or reading.without_first):
        return weights
    kept = weights.copy()
    if reading.without_first:
        kept[..., 0] = np.nan
    total = np.nansum(kept, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, kept / total, np.nan).astype(np.float32)
