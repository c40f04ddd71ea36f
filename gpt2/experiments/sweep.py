"""Sweeps: one change after the other over a grid, a forward pass each; a sweep can be stopped between two passes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt2.model.interventions import Interventions
from gpt2.trace.trace import Trace

from .ablation import Kind, ablation
from .effect import Measure, effect_of
from .part import Part, head, mlp, stream
from .passes import read
from .patching import Pair

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sweep:
    """A grid of effects, as far as it is measured.

    Attributes:
        values: the effect of each change; NaN where it has not been measured yet.
        rows, columns: the layers; and the heads, or the positions. A last column of -1 is the MLP's.
        done: how many changes have been measured.
        token, against: the two tokens whose logits are compared.
        ids: the tokens of the run that was changed.
    Shapes: values [row, column].
    """

    values: Floats
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    done: int
    token: int
    against: int
    ids: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many changes there are."""
        return self.values.size

    @property
    def nbytes(self) -> int:
        """Bytes of its array."""
        return self.values.nbytes

    @property
    def strongest(self) -> tuple[int, int]:
        """The row and the column of the largest effect by size so far."""
        row, column = np.unravel_index(np.nanargmax(np.abs(self.values)), self.values.shape)
        return int(row), int(column)


Change = Callable[[int, int], Interventions]


def sweep_ablation(
    engine: "Engine",
    base: Trace,
    kind: Kind = "zero",
    measure: Measure = "logit difference",
    token: int | None = None,
    against: int | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Sweep]:
    """Ablate every head and every MLP of the model, each by itself, at all positions of a run that was observed.

    The last column is the MLPs'. A mean is over the run's own positions.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        EngineError: if a pass overflowed.
    """
    ids, config = base.computed_ids, engine.config
    before = read(engine, ids, stop=stop).logits
    named = effect_of(before, before, token, against)

    def change(layer: int, column: int) -> Interventions:
        return ablation([_head_or_mlp(layer, column)], kind, references=[base])

    def value(changes: Interventions) -> float:
        after = read(engine, ids, changes, stop).logits
        return effect_of(before, after, named.token, named.against).change(measure)

    columns = (*range(config.n_head), -1)
    yield from _sweep(tuple(range(config.n_layer)), columns, change, value, (named.token, named.against, ids))


def sweep_patching(
    engine: "Engine", pair: Pair, over: str = "stream", stop: threading.Event | None = None
) -> Iterator[Sweep]:
    """Patch the stream before every block at every position, or each head and MLP at all positions; see `Pair.share`.

    Args:
        engine: the model.
        pair: the two runs.
        over: "stream", or "parts".
        stop: ends the sweep.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        EngineError: if a pass overflowed.
    """
    ids, config = pair.destination.computed_ids, engine.config
    before = read(engine, ids, stop=stop).logits
    columns: Sequence[int] = pair.positions if over == "stream" else (*range(config.n_head), -1)

    def change(layer: int, column: int) -> Interventions:
        if over == "stream":
            return pair.changes(stream(layer), (column,))
        return pair.changes(_head_or_mlp(layer, column))

    def value(changes: Interventions) -> float:
        after = read(engine, ids, changes, stop).logits
        return pair.share(effect_of(before, after, pair.token, pair.against))

    rows = tuple(range(config.n_layer))
    yield from _sweep(rows, tuple(columns), change, value, (pair.token, pair.against, ids))


def _head_or_mlp(layer: int, column: int) -> Part:
    return mlp(layer) if column < 0 else head(layer, column)


def _sweep(
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    change: Change,
    value: Callable[[Interventions], float],
    tokens: tuple[int, int, tuple[int, ...]],
) -> Iterator[Sweep]:
    """Measure cell by cell, row by row from the last, which stands on top of a picture."""
    values = np.full((len(rows), len(columns)), np.nan)
    yield Sweep(values.copy(), rows, columns, 0, *tokens)
    done = 0
    for row in reversed(range(len(rows))):
        for at, column in enumerate(columns):
            values[row, at] = value(change(rows[row], column))
            done += 1
            yield Sweep(values.copy(), rows, columns, done, *tokens)
