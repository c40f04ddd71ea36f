"""Each head and each MLP set to zero by itself: a logit, or the lead of one over another, with and without it."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt2.model.interventions import Interventions

from .ablation import ablation
from .part import Part, head, mlp
from .passes import read

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Muted:
    """What is measured so far.

    Attributes:
        before: the logit with all parts, less the other token's if there is one.
        after: the same without each part; NaN where it has not been measured.
    Shapes: after [layer, head + 1], of which the last column is the MLPs'.
    """

    before: float
    after: Floats

    @property
    def lost(self) -> Floats:
        """What goes with each part: with it minus without it. Shapes: [layer, head + 1]."""
        return self.before - self.after

    @property
    def nbytes(self) -> int:
        """Bytes of its array."""
        return self.after.nbytes

    def place(self, part: Part) -> tuple[int, int]:
        """The row and the column of a part."""
        return part.layer, self.after.shape[1] - 1 if part.head is None else part.head

    def knows(self, part: Part) -> bool:
        """Whether a part has been measured."""
        return bool(np.isfinite(self.after[self.place(part)]))


def every_part(n_layer: int, n_head: int) -> list[Part]:
    """Every head and every MLP, the last layer first."""
    layers = reversed(range(n_layer))
    return [part for layer in layers for part in (*(head(layer, at) for at in range(n_head)), mlp(layer))]


def mute_each(
    engine: "Engine",
    ids: Sequence[int],
    parts: Iterable[Part],
    token: int,
    against: int | None = None,
    known: Muted | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Muted]:
    """Set parts to zero at all positions, one at a time, and read the logit after the last of some tokens.

    A pass for each part that is not `known` already, and one for the logit with all of them.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        SettingsError: if the model has no such part.
        EngineError: if a pass overflowed.
    """

    def logit(changes: Interventions) -> float:
        logits = read(engine, ids, changes, stop).logits
        return float(logits[token]) - (0.0 if against is None else float(logits[against]))

    config = engine.config
    nothing = np.full((config.n_layer, config.n_head + 1), np.nan)
    made = known or Muted(logit(Interventions()), nothing)
    yield made
    for part in parts:
        part.check(config)
        if not made.knows(part):
            after = made.after.copy()
            after[made.place(part)] = logit(ablation([part]))
            made = Muted(made.before, after)
            yield made
