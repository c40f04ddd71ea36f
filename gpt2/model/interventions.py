"""Interventions: what a person changes in the forward pass, as data with a neutral element.

At four places of every block a value may be scaled and added to: `value * scale + added`. Ablation is a scale of 0,
mean ablation and patching a scale of 0 and an addition, steering an addition alone. The graphs take all of it as
inputs, so that a change never compiles anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from gpt2.errors import SettingsError

from .config import GPT2Config
from .inputs import MLP_OUT, PLACES, RESID_PRE, Inputs, LayerInputs, Term, Z, distinct_sums
from .plain import freeze, integer, integers, members, number, quoted, reals

# Far beyond any use, and far below where float32 would overflow in a layer norm.
LIMIT = 1e6
# Far more than all heads of the largest GPT-2, and than all positions for hundreds of them; every pass reads them all.
MOST_CHANGES, MOST_POSITIONS = 10_000, 500_000

Positions = tuple[int, ...] | None


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
        SettingsError: if one is no `Scale` or no `Addition`, or there are more than `MOST_CHANGES`, or they name
            more than `MOST_POSITIONS`.
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
        positions = [len(change.positions or ()) for change in self._changes]
        if len(positions) > MOST_CHANGES or sum(positions) > MOST_POSITIONS:
            raise SettingsError(
                f"A run can have at most {MOST_CHANGES:,} changes that name at most {MOST_POSITIONS:,} positions in "
                f"all, not {len(positions):,} changes that name {sum(positions):,}."
            )

    @property
    def _changes(self) -> tuple[Scale | Addition, ...]:
        return (*self.scales, *self.additions)

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

    def check(self, config: GPT2Config) -> None:
        """Refuse what does not fit a model; for interventions `resolved`.

        Raises:
            SettingsError: if a layer, a head or the length of a vector does not fit, or a position is negative.
        """
        for change in self._changes:
            _index(change.layer, config.n_layer, "layer")
            _index(change.head or 0, config.n_head, "head")
            if min(change.layer, change.head or 0, *(change.positions or ())) < 0:
                raise SettingsError("A layer, head or position that counts from the end must be resolved for a prompt.")
        for addition in self.additions:
            _check_length(addition, config)

    @cached_property
    def _by_place(self) -> dict[tuple[int, str], tuple[list[Scale], list[Addition]]]:
        """The changes at each place of each layer that has any, in their order."""
        places: dict[tuple[int, str], tuple[list[Scale], list[Addition]]] = {}
        for scale in self.scales:
            places.setdefault((scale.layer, scale.hook), ([], []))[0].append(scale)
        for addition in self.additions:
            places.setdefault((addition.layer, addition.hook), ([], []))[1].append(addition)
        return places

    def layers_changed(self, hook: str) -> frozenset[int]:
        """The layers in which anything is changed at this place, at some position; for interventions `resolved`."""
        return frozenset(layer for layer, place in self._by_place if place == hook)

    def inputs(self, config: GPT2Config, start: int, stop: int) -> Inputs:
        """The arrays of a graph for the positions from `start` up to `stop`; for interventions `resolved`.

        Raises:
            SettingsError: if they do not fit the model.
        """
        return self._inputs(config, range(config.n_layer), PLACES, start, stop)

    def layer_inputs(
        self, config: GPT2Config, layer: int, start: int, stop: int, places: Sequence[str] = PLACES
    ) -> LayerInputs:
        """The arrays of one layer alone, as in `inputs`; `places` limits them to the changes at some of its places.

        Raises:
            SettingsError: if the interventions, even those of other layers, do not fit the model.
        """
        return self._inputs(config, range(layer, layer + 1), places, start, stop).layer(0)

    def _inputs(self, config: GPT2Config, layers: range, places: Sequence[str], start: int, stop: int) -> Inputs:
        self.check(config)
        seq = stop - start
        head_scale = np.ones((len(layers), seq, config.n_head), np.float32)
        stream_scale = np.ones((len(layers), len(PLACES) - 1, seq), np.float32)
        vectors, n_vectors = [np.zeros((1, config.n_embd), np.float32)], 1
        added = np.zeros((len(layers), len(PLACES), seq), np.int64)
        for (layer, place), (scales, additions) in self._by_place.items():
            if layer in layers and place in places:
                at = layers.index(layer), PLACES.index(place)
                scale = head_scale[at[0]] if place == Z else stream_scale[at][:, None]  # [seq, head or 1]
                for change in scales:
                    heads = slice(None) if change.head is None else slice(change.head, change.head + 1)
                    with np.errstate(over="ignore"):  # many scales at one place: the forward pass says what comes of it
                        scale[_rows(change, start, stop), heads] *= change.factor
                if terms := _terms(additions, config, start, stop):
                    sums, number = distinct_sums(terms, seq, config.n_embd)
                    added[at] = np.where(number > 0, n_vectors - 1 + number, 0)
                    vectors.append(sums)
                    n_vectors += len(sums)
        return Inputs(head_scale, stream_scale, np.concatenate(vectors), added)


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


def _check_length(addition: Addition, config: GPT2Config) -> None:
    wanted = config.n_embd if addition.head is None else config.d_head
    if len(addition.vector) != wanted:
        raise SettingsError(
            f"A vector added at this model's {addition.hook} needs {wanted} numbers, not {len(addition.vector)}."
        )


def _rows(change: Scale | Addition, start: int, stop: int) -> slice | list[int]:
    """The positions from `start` up to `stop` that a change is made at, counted from `start`; a slice if it is all."""
    if change.positions is None:
        return slice(None)
    rows = [position - start for position in dict.fromkeys(change.positions) if start <= position < stop]
    return rows if len(rows) < stop - start else slice(None)


def _terms(additions: Iterable[Addition], config: GPT2Config, start: int, stop: int) -> list[Term]:
    """The additions that are made anywhere from `start` up to `stop`."""
    return [
        Term(rows, (addition.head or 0) * config.d_head, np.array(addition.vector, np.float32))
        for addition in additions
        if (rows := _rows(addition, start, stop)) != []
    ]
