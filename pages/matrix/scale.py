"""How a matrix's numbers become colours: a share on [0, 1], a size on [0, max], or a sign about 0."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Concept = Literal["attention", "mlp", "token", "position", "residual", "sampling", "watched"]


@dataclass(frozen=True)
class Scale:
    """One colour scale.

    Attributes: `limit` is the value at the far end (and, negated, at the near end of a signed scale); larger values
    take the same colour, and the legend says so where `is_clipped`. `label` names the quantity.
    """

    kind: Literal["sequential", "signed"]
    limit: float
    label: str
    concept: Concept = "attention"
    square_root: bool = False
    percent: bool = False
    is_clipped: bool = False


def share(label: str, concept: Concept, square_root: bool = False) -> Scale:
    """From paper to the concept's colour on [0, 1], shown in per cent."""
    return Scale("sequential", 1.0, label, concept, square_root, percent=True)


def size(label: str, concept: Concept, values: NDArray[np.floating], square_root: bool = False) -> Scale:
    """From paper to the concept's colour on [0, largest finite value]."""
    return Scale("sequential", _largest(values), label, concept, square_root)


def signed(label: str, values: NDArray[np.floating]) -> Scale:
    """Blue, paper, orange, symmetric about 0 up to the largest finite magnitude."""
    return Scale("signed", _largest(values), label)


def _largest(values: NDArray[np.floating]) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0
