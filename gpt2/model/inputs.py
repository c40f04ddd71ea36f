"""Interventions as a graph takes them: arrays with a scale and an addition for every position, neutral where unchanged.

Positions at which the same vectors are added share one sum: a vector that steers 500 positions is there once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# The places of a block that can be changed: three vectors of the residual stream, and each head's output.
RESID_PRE, MLP_OUT, RESID_POST, Z = PLACES = ("hook_resid_pre", "hook_mlp_out", "hook_resid_post", "attn.hook_z")


class LayerInputs(NamedTuple):
    """The interventions of one layer as a graph takes them (graph tensors or arrays).

    Shapes: head_scale [seq, head]; stream_scale [place, seq], in the order of `PLACES` without the last; vectors
    [vector, d_model], of which the first is zero; added [place, seq], the index of the vector added at each place.
    """

    head_scale: Any
    stream_scale: Any
    vectors: Any
    added: Any

    def after_resid_pre(self) -> "LayerInputs":
        """The same for a stream that already is as `hook_resid_pre` sees it."""
        stream_scale, added = self.stream_scale.copy(), self.added.copy()
        stream_scale[PLACES.index(RESID_PRE)], added[PLACES.index(RESID_PRE)] = 1, 0
        return self._replace(stream_scale=stream_scale, added=added)

    def changed(self, place: str) -> NDArray[np.bool_]:
        """At which positions a place of the residual stream is changed. Shapes: [seq]."""
        at = PLACES.index(place)
        return (self.stream_scale[at] != 1) | self.vectors.any(axis=1)[self.added[at]]

    @classmethod
    def joined(cls, parts: Sequence["LayerInputs"]) -> "LayerInputs":
        """The same layer's inputs of one stretch of positions after the other."""
        first = np.cumsum([0, *(len(part.vectors) for part in parts)])
        return cls(
            np.concatenate([part.head_scale for part in parts]),
            np.concatenate([part.stream_scale for part in parts], axis=1),
            np.concatenate([part.vectors for part in parts]),
            np.concatenate([part.added + start for part, start in zip(parts, first, strict=False)], axis=1),
        )


class Inputs(NamedTuple):
    """The interventions of all layers. Shapes: as `LayerInputs`, with `layer` first except for the vectors."""

    head_scale: Any
    stream_scale: Any
    vectors: Any
    added: Any

    def layer(self, layer: int) -> LayerInputs:
        """The inputs of one layer."""
        return LayerInputs(self.head_scale[layer], self.stream_scale[layer], self.vectors, self.added[layer])


class Term(NamedTuple):
    """A vector that is added at some positions of one place.

    Shapes: rows index [seq]; vector [width], added to the columns from `column` on.
    """

    rows: slice | list[int]
    column: int
    vector: NDArray[np.float32]


def distinct_sums(terms: Sequence[Term], seq: int, d_model: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Add up the vectors at one place: each distinct sum, and its number at each position, from 1; 0 means no vector.

    Positions are grouped by their terms before anything is added: no sum takes memory unless it is returned.

    Shapes: [sum, d_model], at most one for each position; [seq].
    """
    positions, number = _grouped([term.rows for term in terms], seq)
    sums = np.zeros((len(positions), d_model), np.float32)
    for rows, column, vector in terms:
        now = sums[:, column : column + len(vector)]
        if isinstance(rows, slice):
            now += vector
        else:
            has_term = np.zeros(seq, np.bool_)
            has_term[rows] = True
            now[has_term[positions]] += vector
    return sums, number


def _grouped(parts: Sequence[slice | list[int]], seq: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group the positions that are in the same parts.

    Shapes: [group], one position of each; [seq], the number of each position's group from 1, or 0 if it is in no part.
    """
    if all(isinstance(rows, slice) for rows in parts):
        return np.zeros(1, np.int64), np.ones(seq, np.int64)
    group, n_groups = np.zeros(seq, np.int64), 1  # the same number for the same parts so far, 0 for none of them
    for rows in parts:
        before, which = np.unique(group[rows], return_inverse=True)
        group[rows] = n_groups + which
        n_groups += len(before)
    # The 0 in front stays group 0, even where every position is in some part.
    _, first, number = np.unique(np.append(0, group), return_index=True, return_inverse=True)
    return first[1:] - 1, number[1:]
