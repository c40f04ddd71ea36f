"""Interventions: what a person changes in the forward pass, as data with a neutral element.

At four places of every block a value may be scaled and added to: `value * scale + added`. Ablation is a scale of 0,
mean ablation and patching a scale of 0 and an addition, steering an addition alone. The graphs take all of it as
inputs, so that a change never compiles anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import SettingsError

from .config import GPT2Config
from .plain import freeze, integer, integers, members, number, quoted, reals

# Far beyond any use, and far below where float32 would overflow in a layer norm.
LIMIT = 1e6
# The places of a block that can be changed: three vectors of the residual stream, and each head's output.
RESID_PRE, MLP_OUT, RESID_POST, Z = PLACES = ("hook_resid_pre", "hook_mlp_out", "hook_resid_post", "attn.hook_z")

Positions = tuple[int, ...] | None


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
        return (self.stream_scale[at] != 1) | self.vectors[self.added[at]].any(axis=1)

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


@dataclass(frozen=True)
class Scale:
    """Multiply what passes at one place by `factor`.

    Attributes:
        layer: the block; -1 is the last one.
        head: the head whose `attn.hook_z` is meant; None for all of them, and for any other place.
        factor: 0 ablates, 1 changes nothing.
        positions: limits it to some positions of the run; None means all of them, and -1 is the prompt's last.
        hook: one of `PLACES`; unless given, `attn.hook_z` of a head, or `hook_mlp_out` where `head` is None.

    Raises:
        SettingsError: if a number is not one, the factor is beyond `LIMIT`, or nothing can be changed at `hook`.
    """

    layer: int
    head: int | None
    factor: float
    positions: Positions = None
    hook: str = ""

    def __post_init__(self) -> None:
        """Take numbers of any kind, NumPy's too, as plain ones."""
        factor = number(self.factor)
        if factor is None or not abs(factor) <= LIMIT:  # says no to NaN as well
            raise SettingsError(f"A scale must be a number from -{LIMIT:g} to {LIMIT:g}, not {quoted(self.factor)}.")
        default = MLP_OUT if self.head is None else Z
        freeze(self, factor=float(factor), **_place(self.layer, self.head, self.positions, self.hook or default))


@dataclass(frozen=True)
class Addition:
    """Add `vector` to what passes at one place, after any scale; an array is taken as a tuple of its numbers.

    Attributes:
        layer: the block; -1 is the last one.
        vector: as many numbers as the residual stream has; at a single head's `attn.hook_z`, `d_head` of them.
        positions: limits it to some positions of the run; None means all of them, and -1 is the prompt's last.
        hook: one of `PLACES`; unless given, `hook_resid_pre`, or `attn.hook_z` where `head` is not None.
        head: the head whose `attn.hook_z` is meant; None for all of them, and for any other place.

    Raises:
        SettingsError: if a number is not one, one of the vector is beyond `LIMIT`, or nothing can be changed at `hook`.
    """

    layer: int
    vector: tuple[float, ...]
    positions: Positions = None
    hook: str = ""
    head: int | None = None

    def __post_init__(self) -> None:
        """Take numbers of any kind, NumPy's too, as plain ones."""
        vector = reals(self.vector, "A vector to be added")
        if any(abs(number) > LIMIT for number in vector):
            raise SettingsError(f"A vector to be added must have numbers from -{LIMIT:g} to {LIMIT:g} alone.")
        default = RESID_PRE if self.head is None else Z
        freeze(self, vector=vector, **_place(self.layer, self.head, self.positions, self.hook or default))


@dataclass(frozen=True)
class Interventions:
    """All changes that are on during a run; the default changes nothing.

    At one place all scales are multiplied and applied first; then all additions are added.

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

    def resolved(self, config: GPT2Config, prompt: int, stop: int) -> "Interventions":
        """The same for a prompt of so many tokens: layers, heads and positions that count from the end made plain.

        A position may lie after the prompt, but must lie before `stop`.

        Raises:
            SettingsError: if a layer, a head, a position or the length of a vector does not fit.
        """

        def fitting(change: Change) -> Change:
            layer = _index(change.layer, config.n_layer, "layer")
            head = None if change.head is None else _index(change.head, config.n_head, "head")
            if isinstance(change, Addition):
                _check_length(change, config)
            if change.positions is None:
                return replace(change, layer=layer, head=head)
            positions = tuple(_position(position, prompt, stop) for position in change.positions)
            return replace(change, layer=layer, head=head, positions=positions)

        return Interventions(tuple(map(fitting, self.scales)), tuple(map(fitting, self.additions)))

    def layers_changed(self, hook: str) -> frozenset[int]:
        """The layers in which anything is changed at this place, at some position; for interventions `resolved`."""
        changes: Iterable[Scale | Addition] = (*self.scales, *self.additions)
        return frozenset(change.layer for change in changes if change.hook == hook)

    def inputs(self, config: GPT2Config, start: int, stop: int) -> Inputs:
        """The arrays of a graph for the positions from `start` up to `stop`; for interventions `resolved`.

        Raises:
            SettingsError: if a layer, a head or the length of a vector does not fit the model.
        """
        n_layer, seq = config.n_layer, stop - start
        head_scale = np.ones((n_layer, seq, config.n_head), np.float32)
        stream_scale = np.ones((n_layer, len(PLACES) - 1, seq), np.float32)
        for scale in self.scales:
            _check(scale, config)
            rows = _rows(scale, start, stop)
            with np.errstate(over="ignore"):  # many scales on one place: the forward pass says what comes of it
                if scale.hook == Z:
                    heads = slice(None) if scale.head is None else slice(scale.head, scale.head + 1)
                    head_scale[scale.layer, rows, heads] *= scale.factor
                else:
                    stream_scale[scale.layer, PLACES.index(scale.hook), rows] *= scale.factor
        return Inputs(head_scale, stream_scale, *self._vectors(config, start, stop))

    def _vectors(self, config: GPT2Config, start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Each sum of vectors that is added anywhere, once, after one of zeros; and which is added where."""
        added = np.zeros((config.n_layer, len(PLACES), stop - start), np.int64)
        vectors = [np.zeros(config.n_embd, np.float32)]
        known: dict[tuple[int, int], int] = {}  # the sum so far and the addition's number, to the sum with it
        for addition_number, addition in enumerate(self.additions):
            _check(addition, config)
            _check_length(addition, config)
            vector, first = np.zeros(config.n_embd, np.float32), (addition.head or 0) * config.d_head
            vector[first : first + len(addition.vector)] = addition.vector
            place = added[addition.layer, PLACES.index(addition.hook)]  # [seq]
            for row in _rows(addition, start, stop):
                sum_so_far = int(place[row])
                if (sum_so_far, addition_number) not in known:
                    known[sum_so_far, addition_number] = len(vectors)
                    vectors.append(vectors[sum_so_far] + vector)
                place[row] = known[sum_so_far, addition_number]
        return np.stack(vectors), added


Change = TypeVar("Change", Scale, Addition)


def _place(layer: object, head: object, positions: Iterable[object] | None, hook: str) -> dict[str, Any]:
    """Where something is changed, in plain values."""
    if hook not in PLACES:
        raise SettingsError(f"A change can be made at {', '.join(PLACES)}, not at {quoted(hook)}.")
    if head is not None and hook != Z:
        raise SettingsError(f"{hook} has no heads; leave the head out, or change {Z}.")
    return {
        "layer": integer(layer, "A layer"),
        "head": None if head is None else integer(head, "A head"),
        "positions": None if positions is None else integers(positions, "The positions of an intervention"),
        "hook": hook,
    }


def _index(index: int, size: int, what: str) -> int:
    if not -size <= index < size:
        raise SettingsError(f"There is no {what} {index}; this model's run from 0 to {size - 1}.")
    return index % size


def _position(position: int, prompt: int, stop: int) -> int:
    if position < -prompt:
        raise SettingsError(f"There is no position {position}; the prompt has {prompt} tokens.")
    if position >= stop:
        raise SettingsError(f"There is no position {position} in this run; its last can be {stop - 1}.")
    return position % prompt if position < 0 else position


def _check(change: Scale | Addition, config: GPT2Config) -> None:
    for index, size, what in ((change.layer, config.n_layer, "layer"), (change.head or 0, config.n_head, "head")):
        _index(index, size, what)
        if index < 0 or any(position < 0 for position in change.positions or ()):
            raise SettingsError("A layer, head or position that counts from the end must be resolved for a prompt.")


def _check_length(addition: Addition, config: GPT2Config) -> None:
    wanted = config.n_embd if addition.head is None else config.d_head
    if len(addition.vector) != wanted:
        raise SettingsError(
            f"A vector added at this model's {addition.hook} needs {wanted} numbers, not {len(addition.vector)}."
        )


def _rows(change: Scale | Addition, start: int, stop: int) -> list[int]:
    if change.positions is None:
        return list(range(stop - start))
    return [position - start for position in dict.fromkeys(change.positions) if start <= position < stop]
