"""The parts that an experiment changes: a head's output, an MLP's, or the residual stream before a block."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import SettingsError
from gpt2.model.config import GPT2Config
from gpt2.model.inputs import MLP_OUT, RESID_PRE, Z
from gpt2.model.interventions import Addition, Scale
from gpt2.model.plain import integer, quoted
from gpt2.trace.trace import Trace

Array = NDArray[np.float32]
Positions = Sequence[int] | None


@dataclass(frozen=True)
class Part:
    """One place at which an experiment changes a value.

    Attributes:
        layer: the block.
        hook: `attn.hook_z`, `hook_mlp_out` or `hook_resid_pre`.
        head: the head whose `attn.hook_z` is meant; None for the two others.
    """

    layer: int
    hook: str
    head: int | None = None

    @property
    def name(self) -> str:
        """In short: 'L2·H4', 'the MLP of L2', 'the stream before L2'."""
        if self.head is not None:
            return f"L{self.layer}·H{self.head}"
        return f"the MLP of L{self.layer}" if self.hook == MLP_OUT else f"the stream before L{self.layer}"

    def check(self, config: GPT2Config) -> None:
        """Refuse a part that the model does not have.

        Raises:
            SettingsError: if there is no such layer or head.
        """
        for what, index, size in (("layer", self.layer, config.n_layer), ("head", self.head or 0, config.n_head)):
            if not 0 <= index < size:
                raise SettingsError(f"There is no {what} {index}; this model's run from 0 to {size - 1}.")

    def values(self, trace: Trace) -> Array:
        """What passes here in a run. Shapes: [seq, width], d_head wide for a head, else d_model.

        Raises:
            SettingsError: if the run's model has no such part.
            TraceError: if it was dropped and cannot be recomputed.
        """
        self.check(trace.config)
        whole = trace[f"blocks.{self.layer}.{self.hook}"]
        return whole if self.head is None else whole[:, self.head]

    def scaled(self, factor: float, positions: Positions = None) -> Scale:
        """The change that multiplies it."""
        return Scale(self.layer, self.head, factor, None if positions is None else tuple(positions), self.hook)

    def added(self, vector: Array, positions: Positions = None) -> Addition:
        """The change that adds a vector [width] to it."""
        at = None if positions is None else tuple(positions)
        return Addition(self.layer, vector, at, self.hook, self.head)  # type: ignore[arg-type]


def head(layer: int, number: int) -> Part:
    """A head's output, before its share of the output matrix."""
    return Part(integer(layer, "A layer"), Z, integer(number, "A head"))


def mlp(layer: int) -> Part:
    """An MLP's output, its bias included."""
    return Part(integer(layer, "A layer"), MLP_OUT)


def stream(layer: int) -> Part:
    """The residual stream as it enters a block."""
    return Part(integer(layer, "A layer"), RESID_PRE)


def parts_of(heads: Iterable[Sequence[int]], mlps: Iterable[int]) -> tuple[Part, ...]:
    """Heads as pairs of layer and head, and the MLPs of some layers.

    Raises:
        SettingsError: if a pair is none, or nothing is named.
    """
    found = []
    for pair in heads:
        if len(pair) != 2:
            raise SettingsError(f"A head is a pair of its layer and its number, not {quoted(pair)}.")
        found.append(head(*pair))
    found += [mlp(layer) for layer in mlps]
    if not found:
        raise SettingsError("Nothing is to be changed; name at least one head or MLP.")
    return tuple(dict.fromkeys(found))


def written(value: float) -> str:
    """A number for a label, with a minus instead of a hyphen."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def share_in_words(share: float) -> str:
    """A share in per cent, for a label."""
    return f"{written(round(100 * share, 1))}\N{NARROW NO-BREAK SPACE}%"


def where(positions: Positions) -> str:
    """The positions in words, for a label."""
    if positions is None:
        return "at all positions"
    at = ", ".join(map(written, positions))
    return f"at position {at}" if len(positions) == 1 else f"at positions {at or '(none chosen)'}"
