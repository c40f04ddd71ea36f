"""Geometry of the embedding tables: neighbours, similarity of positions, and a flat map. NumPy alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


# Recordings may store 16-bit numbers, whose relative error is below this; another model's weights differ far more.
SAME_WEIGHTS = 1e-3


@dataclass(frozen=True, eq=False)
class Tables:
    """Token and position embeddings of a checkpoint. Two are equal only if they are the same object.

    Shapes: wte [vocab, d_model], wpe [n_positions, d_model].
    """

    wte: Array
    wpe: Array

    def hold(self, tokens: Sequence[int], embedded: Array) -> bool:
        """Whether these vectors were looked up in this table, and not in another model's.

        Shapes: embedded [seq, d_model], one row for each token.
        """
        looked_up = self.wte[list(tokens)]  # [seq, d_model]
        return np.allclose(looked_up, embedded, rtol=SAME_WEIGHTS, atol=SAME_WEIGHTS / 10)

    @cached_property
    def _norms(self) -> Array:
        # Computes norms in one pass without a second table of the same size; a row of zeros gets the smallest float.
        return np.maximum(np.sqrt(np.einsum("vd,vd->v", self.wte, self.wte)), np.finfo(np.float32).tiny)  # [vocab]

    def cosines(self, vector: Array) -> Array:
        """Cosine similarity of every token's embedding with a vector. Shapes: [d_model] -> [vocab]."""
        return self.wte @ unit(vector[None])[0] / self._norms  # [vocab]

    def nearest(self, token: int, count: int) -> list[tuple[int, float]]:
        """Return the tokens with the most similar embeddings and their cosines, without the token itself."""
        cosines = self.cosines(self.wte[token])
        cosines[token] = -np.inf
        count = min(count, len(cosines) - 1)
        if count < 1:
            return []
        # Sort only the tokens at least as similar as the last: a vocabulary has tens of thousands.
        near = np.flatnonzero(cosines >= np.partition(cosines, -count)[-count])
        best = near[np.argsort(-cosines[near], kind="stable")][:count]
        return [(int(other), float(cosines[other])) for other in best]

    def neighbourhood(self, tokens: Iterable[int], count: int) -> list[int]:
        """Return these tokens, then the `count` nearest of each, without duplicates."""
        chosen = list(dict.fromkeys(tokens))
        return list(dict.fromkeys([*chosen, *(other for token in chosen for other, _ in self.nearest(token, count))]))

    @cached_property
    def position_cosines(self) -> Array:
        """Cosine similarity of every two positions' embeddings. Shapes: [n_positions, n_positions]."""
        rows = unit(self.wpe)
        cosines = rows @ rows.T  # [n_positions, n_positions]
        cosines.setflags(write=False)
        return cosines


@dataclass(frozen=True)
class Projection:
    """Rows projected on the two directions along which they differ most (principal components).

    Shapes: points [row, 2], shares [2]: each direction's share of the rows' variance.
    """

    points: Array
    shares: Array

    @classmethod
    def of(cls, rows: Array) -> "Projection":
        """Fit on exactly these rows, centred. A direction's sign is arbitrary, so its largest weight is made positive.

        Shapes: rows [row, d_model].
        """
        centred = np.asarray(rows, np.float64) - np.mean(rows, axis=0, dtype=np.float64)
        left, sizes, directions = np.linalg.svd(centred, full_matrices=False)  # [row, k], [k], [k, d_model]
        largest = np.abs(directions).argmax(axis=1)
        signs = np.where(directions[np.arange(len(directions)), largest] < 0, -1.0, 1.0)
        points, shares = np.zeros((len(centred), 2)), np.zeros(2)
        k = min(2, len(sizes))
        points[:, :k] = (left * sizes * signs)[:, :k]
        if (whole := float((sizes**2).sum())) > 0:
            shares[:k] = (sizes**2)[:k] / whole
        return cls(points.astype(np.float32), shares.astype(np.float32))


def unit(rows: Array) -> Array:
    """Divide each row by its length; a row of zeros stays zeros. Shapes: [row, d_model] -> [row, d_model]."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(norms, np.finfo(np.float32).tiny)
