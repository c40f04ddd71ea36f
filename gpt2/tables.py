"""The embedding tables looked at as geometry: neighbours of tokens, likeness of positions. NumPy alone."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Tables:
    """Token and position embeddings of a checkpoint.

    Shapes: wte [vocab, d_model], wpe [n_positions, d_model].
    """

    wte: Array
    wpe: Array

    @cached_property
    def _unit_wte(self) -> Array:
        return unit(self.wte)

    def nearest(self, token: int, count: int) -> list[tuple[int, float]]:
        """The tokens whose embeddings point most nearly the same way, with their cosines, the token itself left out."""
        cosines = self._unit_wte @ self._unit_wte[token]
        cosines[token] = -np.inf
        best = np.argsort(-cosines, kind="stable")[:count]
        return [(int(other), float(cosines[other])) for other in best]


def unit(rows: Array) -> Array:
    """Each row divided by its length; a row of zeros stays zeros. Shapes: [row, d_model] -> [row, d_model]."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(norms, np.finfo(np.float32).tiny)
