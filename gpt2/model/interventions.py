"""Interventions: what a person changes in the forward pass, as data with a neutral element.

They enter the graphs as inputs, so changing them never recompiles: a scale for every head's output `z`, a scale for
every MLP's output, and a vector added to the residual stream before each block.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gpt2.errors import SettingsError

from .config import GPT2Config
from .plain import freeze, members, number, quoted, reals, whole, wholes

# Far beyond any use, and far below where float32 would overflow in a layer norm.
LIMIT = 1e6


class LayerInputs(NamedTuple):
    """The interventions of one layer as the graph takes them (graph tensors or arrays).

    Shapes: head_scale [seq, head], mlp_scale [seq], resid_add [seq, d_model].
    """

    head_scale: Any
    mlp_scale: Any
    resid_add: Any


@dataclass(frozen=True)
class Scale:
    """Multiply one head's `hook_z`, or one MLP's output where `head` is None, by `factor`.

    `positions` limits it to some positions of the prompt; None means all of them.

    Raises:
        SettingsError: if a number is not one, or the factor is beyond `LIMIT`.
    """

    layer: int
    head: int | None
    factor: float
    positions: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Take numbers of any kind, NumPy's too, as plain ones."""
        factor = number(self.factor)
        if factor is None or not abs(factor) <= LIMIT:  # says no to NaN as well
            raise SettingsError(f"A scale must be a number from -{LIMIT:g} to {LIMIT:g}, not {quoted(self.factor)}.")
        freeze(
            self,
            layer=whole(self.layer, "A layer"),
            head=None if self.head is None else whole(self.head, "A head"),
            factor=float(factor),
            positions=_positions(self.positions),
        )


@dataclass(frozen=True)
class Addition:
    """Add `vector` [d_model] to `blocks.{layer}.hook_resid_pre`; an array is taken as a tuple of its numbers.

    Raises:
        SettingsError: if a number is not one, or one of the vector is beyond `LIMIT`.
    """

    layer: int
    vector: tuple[float, ...]
    positions: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Take numbers of any kind, NumPy's too, as plain ones."""
        vector = reals(self.vector, "A vector added to the residual stream")
        if any(abs(number) > LIMIT for number in vector):
            raise SettingsError(
                f"A vector added to the residual stream must have numbers from -{LIMIT:g} to {LIMIT:g} alone."
            )
        freeze(self, layer=whole(self.layer, "A layer"), vector=vector, positions=_positions(self.positions))


@dataclass(frozen=True)
class Interventions:
    """All changes that are on during a run; the default changes nothing.

    Raises:
        SettingsError: if one is no `Scale` or no `Addition`.
    """

    scales: tuple[Scale, ...] = ()
    additions: tuple[Addition, ...] = ()

    def __post_init__(self) -> None:
        """Take any sequences as tuples."""
        freeze(
            self,
            scales=members(self.scales, Scale, "The scales of a run"),
            additions=members(self.additions, Addition, "The additions of a run"),
        )

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return bool(self.scales or self.additions)

    def inputs(self, config: GPT2Config, start: int, stop: int) -> list[LayerInputs]:
        """Return the arrays for the positions from `start` up to `stop`, float32, one entry a layer.

        Raises:
            SettingsError: if a layer, a head or the length of a vector does not fit the model.
        """
        seq = stop - start
        layers = [
            LayerInputs(
                np.ones((seq, config.n_head), np.float32),
                np.ones(seq, np.float32),
                np.zeros((seq, config.n_embd), np.float32),
            )
            for _ in range(config.n_layer)
        ]
        for scale in self.scales:
            self._check(scale.layer, config.n_layer, "layer")
            self._check(scale.head or 0, config.n_head, "head")
            rows = self._rows(scale.positions, start, stop)
            with np.errstate(over="ignore"):  # many scales on one place: the forward pass says what comes of it
                if scale.head is None:
                    layers[scale.layer].mlp_scale[rows] *= scale.factor
                else:
                    layers[scale.layer].head_scale[rows, scale.head] *= scale.factor
        for addition in self.additions:
            self._check(addition.layer, config.n_layer, "layer")
            if len(addition.vector) != config.n_embd:
                raise SettingsError(
                    f"A vector added to this model's residual stream needs {config.n_embd} numbers, "
                    f"not {len(addition.vector)}."
                )
            vector = np.array(addition.vector, np.float32)
            layers[addition.layer].resid_add[self._rows(addition.positions, start, stop)] += vector
        return layers

    @staticmethod
    def _rows(positions: tuple[int, ...] | None, start: int, stop: int) -> slice | list[int]:
        if positions is None:
            return slice(None)
        return [position - start for position in positions if start <= position < stop]

    @staticmethod
    def _check(index: int, size: int, what: str) -> None:
        if not 0 <= index < size:
            raise SettingsError(f"There is no {what} {index}; this model's run from 0 to {size - 1}.")


def _positions(positions: Iterable[int] | None) -> tuple[int, ...] | None:
    return None if positions is None else wholes(positions, "The positions of an intervention")
