"""Interventions: what a person changes in the forward pass, as data with a neutral element.

They enter the graphs as inputs, so changing them never recompiles: a scale for every head's output `z`, a scale for
every MLP's output, and a vector added to the residual stream before each block.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gpt2.errors import SettingsError

from .config import GPT2Config

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
    """

    layer: int
    head: int | None
    factor: float
    positions: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Addition:
    """Add `vector` [d_model] to `blocks.{layer}.hook_resid_pre`."""

    layer: int
    vector: tuple[float, ...]
    positions: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Interventions:
    """All changes that are on during a run; the default changes nothing."""

    scales: tuple[Scale, ...] = ()
    additions: tuple[Addition, ...] = field(default=())

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return bool(self.scales or self.additions)

    def inputs(self, config: GPT2Config, start: int, stop: int) -> list[LayerInputs]:
        """Return the arrays for the positions from `start` up to `stop`, float32, one entry a layer.

        Raises:
            SettingsError: if a layer, head or vector does not fit the model, or a number is beyond `LIMIT`.
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
            if not abs(scale.factor) <= LIMIT:  # says no to NaN as well
                raise SettingsError(f"A scale must be a number from -{LIMIT:g} to {LIMIT:g}, not {scale.factor}.")
            rows = self._rows(scale.positions, start, stop)
            if scale.head is None:
                layers[scale.layer].mlp_scale[rows] *= scale.factor
            else:
                layers[scale.layer].head_scale[rows, scale.head] *= scale.factor
        for addition in self.additions:
            self._check(addition.layer, config.n_layer, "layer")
            vector = np.asarray(addition.vector, np.float64)
            if vector.shape != (config.n_embd,) or not np.abs(vector).max() <= LIMIT:
                raise SettingsError(
                    f"A vector added to the residual stream needs {config.n_embd} numbers from -{LIMIT:g} to {LIMIT:g}."
                )
            layers[addition.layer].resid_add[self._rows(addition.positions, start, stop)] += vector.astype(np.float32)
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
