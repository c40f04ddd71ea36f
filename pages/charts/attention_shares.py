"""Shares of attention: of one head or many joined, of all queries or some, whole or pooled.

A long run's patterns are large, so they are read a few queries at a time and never held whole in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.reading.attention_rows import written_norms
from gpt2.trace.trace import Trace
from pages.look.names import head_name, layer_name
from pages.look.numbers import PER_CENT

Array = NDArray[np.float32]
Join = Literal["mean", "max"]
JOINED: dict[Join, str] = {"mean": "Mean", "max": "Largest"}
JOIN_LABELS: dict[Join, str] = {"mean": "Their mean", "max": "The largest"}
# How many parts of a selection are named.
NAMED = 4
# How many queries of all heads are read at a time.
AT_ONCE = 64


@dataclass(frozen=True)
class Reading:
    """How patterns are read.

    Attributes:
        by_value: weigh each key by the length of what the head writes of its value, v W_O (Kobayashi et al., 2020),
            rescaled to sum to 1. Lengths do not add up, so these are no contributions.
        without_first: leave out the first token, a sink for attention that heads do not need (Xiao et al., 2023),
            and rescale the other weights to sum to 1.
        norms: these lengths, of the run that is read; only needed `by_value`.

    Shapes: norms [layer, key, head].
    """

    by_value: bool = False
    without_first: bool = False
    norms: Array | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, trace: Trace, checkpoint: Checkpoint | None, by_value: bool, without_first: bool) -> "Reading":
        """Read so, as far as the weights of the model are there."""
        if checkpoint is None or not by_value:
            return cls(False, without_first)
        return cls(True, without_first, written_norms(trace, checkpoint))

    @property
    def sentence(self) -> str:
        """How the patterns were changed; empty if they are shown as captured."""
        changes = []
        if self.by_value:
            changes.append("weights are multiplied by the length of what the head writes of the key, v · W_O")
        if self.without_first:
            changes.append("the first token is left out (hatched)")
        text = " and ".join(changes)
        return f"{text[0].upper()}{text[1:]}; rows are rescaled to 100{PER_CENT}." if text else ""

    @property
    def label(self) -> str:
        """The title of the colour scale."""
        return "share of attention × ‖v W_O‖" if self.by_value else "attention weight"


@dataclass(frozen=True)
class Subject:
    """Some heads, joined into one pattern.

    Attributes:
        parts: (layer, head) each; a head of None is all heads of the layer.
        join: how they, and several queries, are joined: the mean of their weights, or the largest.
    """

    parts: tuple[tuple[int, int | None], ...]
    join: Join = "mean"

    @property
    def name(self) -> str:
        """A short name, such as `L2·H4`, or what is joined, such as `Mean of L0 to L5`."""
        names = [layer_name(layer) if head is None else head_name(layer, head) for layer, head in self.parts]
        if self.is_one_head:
            return names[0]
        if len(names) > 1 and self.parts == tuple((self.parts[0][0] + at, None) for at in range(len(names))):
            names = [f"{names[0]} to {names[-1]}"]
        more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
        return f"{JOINED[self.join]} of {listed([*names[:NAMED], *more])}"

    @property
    def hook(self) -> str:
        """The hook that the weights are from, and how it is joined."""
        (layer, head), *_ = self.parts
        return f"blocks.{layer}.attn.hook_pattern[{head}]" if self.is_one_head else f"hook_pattern, {self.name}"

    @property
    def is_one_head(self) -> bool:
        """Whether there is nothing to join."""
        return len(self.parts) == 1 and self.parts[0][1] is not None

    def heads(self, n_head: int) -> dict[int, list[int]]:
        """The heads of each layer, each of them once."""
        found: dict[int, set[int]] = {}
        for layer, head in self.parts:
            found.setdefault(layer, set()).update(range(n_head) if head is None else (head,))
        return {layer: sorted(heads) for layer, heads in sorted(found.items())}


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: 'a, b and c'."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def shares(trace: Trace, subject: Subject, reading: Reading) -> Array:
    """A subject's attention. Shapes: -> [query, key]."""
    return query_rows(trace, subject, reading, 0, trace.seq)


def joined_row(trace: Trace, subject: Subject, reading: Reading, queries: Sequence[int]) -> Array:
    """A subject's attention from some queries, joined as its heads are. Shapes: -> [key]."""
    first = min(queries)
    rows = query_rows(trace, subject, reading, first, max(queries) + 1)[np.array(queries) - first]  # [query, key]
    if subject.join == "max":
        return np.fmax.reduce(rows)
    count = (~np.isnan(rows)).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return (np.nansum(rows, axis=0) / count).astype(np.float32)


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


def all_layers(trace: Trace, join: Join = "mean") -> Subject:
    """All heads of all layers."""
    return Subject(tuple((layer, None) for layer in range(trace.config.n_layer)), join)


def query_rows(trace: Trace, subject: Subject, reading: Reading, start: int, stop: int) -> Array:
    """A subject's attention from the queries from `start` to `stop`.

    A mean is taken before rows are rescaled, the largest weight after.

    Shapes: -> [query, key].
    """
    is_mean, heads = subject.join == "mean", subject.heads(trace.config.n_head)
    joined = np.full((stop - start, trace.seq), 0 if is_mean else np.nan, np.float32)
    # Layer by layer: what is recomputed for a layer serves all its queries.
    for layer, at in product(heads, range(start, stop, AT_ONCE)):
        until = min(at + AT_ONCE, stop)
        weights = _weights(trace, layer, reading, at, until)[heads[layer]]  # [head, query, key]
        part = joined[at - start : until - start]
        if is_mean:
            part += weights.sum(axis=0)
        else:
            np.fmax(part, np.fmax.reduce(_rescaled(weights, reading)), out=part)
    return _rescaled(joined / np.float32(sum(map(len, heads.values()))), reading) if is_mean else joined


def _weights(trace: Trace, layer: int, reading: Reading, start: int, stop: int) -> Array:
    """The patterns of some queries, before rescaling. Shapes: -> [head, query, key]."""
    pattern = trace.queries(f"blocks.{layer}.attn.hook_pattern", start, stop)
    return pattern if reading.norms is None else pattern * reading.norms[layer].T[:, None, :]


def _rescaled(weights: Array, reading: Reading) -> Array:
    if not (reading.by_value or reading.without_first):
        return weights
    kept = weights.copy()
    if reading.without_first:
        kept[..., 0] = np.nan
    total = np.nansum(kept, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, kept / total, np.nan).astype(np.float32)
