"""How one step's captures are stored: all of them as the graph gave them, or squeezed when a run outgrows its budget.

A squeezed step keeps the residual stream, from which a layer can be recomputed. `Level` says what each level keeps.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .block import in_one_block

Array = NDArray[np.float32]


class Level(IntEnum):
    """How far a step's captures are squeezed. A higher level keeps less.

    | level | stream before and after each block, embeddings | stream between attention and MLP | patterns | logits |
    |---|---|---|---|---|
    | FULL, with every other capture too | float32 | float32 | float32 | float32 |
    | STREAM | float32 | float32 | lower triangle, float16 | float32 |
    | NO_LOGITS | float32 | float32 | lower triangle, float16 | - |
    | NO_PATTERNS | float32 | - | - | - |
    """

    FULL = 0
    STREAM = 1
    NO_LOGITS = 2
    NO_PATTERNS = 3


class Storage(IntEnum):
    """How one capture is stored, from exactly the graph's output to nothing."""

    FLOAT32 = 0
    DIFFERENCE = 1  # of two stored points of the residual stream, unless an intervention came in between
    FLOAT16 = 2
    DROPPED = 3  # to be recomputed from the stream


STREAM_HOOKS = ("hook_embed", "hook_pos_embed", "hook_resid_pre", "hook_resid_post")
# The hooks that each squeezed level stores in float32, by the end of their names.
FLOAT32_HOOKS = {
    Level.STREAM: (*STREAM_HOOKS, "hook_resid_mid", "logits"),
    Level.NO_LOGITS: (*STREAM_HOOKS, "hook_resid_mid"),
    Level.NO_PATTERNS: STREAM_HOOKS,
}
PATTERN = "attn.hook_pattern"
MLP_OUT = "hook_mlp_out"
# Each addition to the stream is the difference of two points.
DIFFERENCES = {
    "hook_attn_out": ("hook_resid_mid", "hook_resid_pre"),
    MLP_OUT: ("hook_resid_post", "hook_resid_mid"),
}
BAND = 16


@dataclass(frozen=True)
class Triangle:
    """A pattern without the half above the diagonal, in half precision: relative error at most 2^-11.

    Shapes: bands of at most `BAND` queries, each [head, query, key] with the keys up to the band's last query. A single
    query, as every generated token has, is one band.
    """

    bands: tuple[NDArray[np.float16], ...]

    @classmethod
    def of(cls, pattern: Array) -> "Triangle":
        """Pack a pattern [head, query, key] whose last query is the last key."""
        queries, keys = pattern.shape[1:]
        stops = [min(first + BAND, queries) for first in range(0, queries, BAND)]
        return cls(
            tuple(
                pattern[:, first:stop, : keys - queries + stop].astype(np.float16)
                for first, stop in zip(range(0, queries, BAND), stops, strict=True)
            )
        )

    @classmethod
    def from_rows(cls, rows: NDArray[np.floating], start: int, stop: int) -> "Triangle":
        """The queries from `start` to `stop` of a lower triangle, given row after row; no square is made of them.

        Shapes: rows [head, stop * (stop + 1) / 2 - start * (start + 1) / 2].
        """
        bands, at = [], 0
        for first in range(start, stop, BAND):
            last = min(first + BAND, stop)
            band = np.zeros((len(rows), last - first, last), np.float16)  # [head, query, key]
            size = (last * (last + 1) - first * (first + 1)) // 2
            band[:, np.tri(last - first, last, first, dtype=bool)] = rows[:, at : at + size]
            bands.append(band)
            at += size
        return cls(tuple(bands))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(band.nbytes for band in self.bands)

    def write_into(self, target: Array) -> None:
        """Write the pattern into the zeros of `target` [head, query, key]."""
        first = 0
        for band in self.bands:
            target[:, first : first + band.shape[1], : band.shape[2]] = band
            first += band.shape[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """The pattern's shape: [head, query, key]."""
        return len(self.bands[-1]), sum(band.shape[1] for band in self.bands), self.bands[-1].shape[2]

    def rows(self, start: int, stop: int) -> Array:
        """Some of its queries in float32. Shapes: [head, query, key]."""
        queries = np.zeros((self.shape[0], stop - start, self.shape[2]), np.float32)
        for number in range(start // BAND, -(-stop // BAND)):
            first, band = number * BAND, self.bands[number]
            low, high = max(start, first), min(stop, first + band.shape[1])
            queries[:, low - start : high - start, : band.shape[2]] = band[:, low - first : high - first]
        return queries


class DeviceArray(Protocol):
    """A capture that is still in an accelerator's memory."""

    nbytes: int

    def fetch(self) -> Array:
        """Copy it to this machine's memory."""


Stored = Array | Triangle | DeviceArray


class Captures(Mapping[str, Array]):
    """One step's captures by name, read-only: the stored ones, and those that are a difference of two stored ones.

    A capture in an accelerator's memory is copied from there when it is first read.

    Attributes: `level` is how far they have been squeezed.
    """

    def __init__(self, stored: Mapping[str, Stored], level: Level = Level.FULL) -> None:
        """Lock the arrays: a step that is on a screen must not change."""
        self._stored, self.level = dict(stored), level
        for part in stored.values():
            for array in part.bands if isinstance(part, Triangle) else (part,):
                if isinstance(array, np.ndarray):
                    array.setflags(write=False)

    @cached_property
    def n_layer(self) -> int:
        """The number of blocks."""
        return sum(name.endswith("hook_resid_pre") for name in self._stored)

    def __getitem__(self, name: str) -> Array:
        """One capture.

        Raises:
            KeyError: if it was dropped.
        """
        part = self.part(name)
        if isinstance(part, Triangle):
            part = part.rows(0, part.shape[1])
        elif part is None:
            after, before = _ends(name)
            part = self[after] - self[before]
        part.setflags(write=False)
        return part

    def __contains__(self, name: object) -> bool:
        """Whether this capture is stored, or a difference of two that are."""
        return self.storage_of(str(name)) != Storage.DROPPED

    def __iter__(self) -> Iterator[str]:
        """The names of the stored captures, and of those that are a difference of two stored ones."""
        yield from self._stored
        for name in self._stored:
            for difference, (after, _) in DIFFERENCES.items():
                other = name.removesuffix(after) + difference
                if name.endswith(after) and self.storage_of(other) == Storage.DIFFERENCE:
                    yield other

    def __len__(self) -> int:
        """Number of captures, stored or a difference."""
        return sum(1 for _ in self)

    @property
    def nbytes(self) -> int:
        """Bytes held; an array stored under two names counts once."""
        return sum(part.nbytes for part in {id(part): part for part in self._stored.values()}.values())

    def storage_of(self, name: str) -> Storage:
        """How a capture is stored."""
        if name in self._stored:
            return Storage.FLOAT16 if isinstance(self._stored[name], Triangle) else Storage.FLOAT32
        if name.endswith(tuple(DIFFERENCES)) and all(end in self._stored for end in _ends(name)):
            return Storage.DIFFERENCE
        return Storage.DROPPED

    def part(self, name: str) -> Array | Triangle | None:
        """A capture in its stored form; None if it is not stored."""
        part = self._stored.get(name)
        if part is None or isinstance(part, (np.ndarray, Triangle)):
            return part
        fetched = self._stored[name] = part.fetch()
        return fetched

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Some queries of a pattern or of scores, counted from the step's first. Shapes: [head, query, key]."""
        part = self.part(name)
        return part.rows(start, stop) if isinstance(part, Triangle) else self[name][:, start:stop]

    def with_logits(self, logits: Array) -> "Captures":
        """The same captures and these logits. Shapes: [1, vocab]."""
        return Captures({**self._stored, "logits": logits}, self.level)

    def squeezed(self, level: Level, mlp_out_layers: Collection[int] = ()) -> "Captures":
        """The same captures, stored as `level` stores them; those that take fewer bytes already stay as they are.

        In `mlp_out_layers` what the MLP added is stored too: it is no difference there (`step.mlp_out_layers`).
        """
        if level <= self.level and (level < Level.NO_LOGITS or "logits" not in self._stored):
            return self
        level = max(level, self.level)
        stored: dict[str, Array | Triangle] = {}
        wanted = {f"blocks.{layer}.{MLP_OUT}" for layer in mlp_out_layers}
        for name in self._stored:
            if name.endswith(FLOAT32_HOOKS[level]) or name in wanted:
                stored[name] = self[name]
            elif name.endswith(PATTERN) and level < Level.NO_PATTERNS:
                part = self.part(name)
                stored[name] = part if isinstance(part, Triangle) else Triangle.of(self[name])
        for layer in range(self.n_layer - 1):
            # The same vector unless an intervention adds to the stream in between: stored once, under both names.
            above, below = f"blocks.{layer + 1}.hook_resid_pre", f"blocks.{layer}.hook_resid_post"
            if above in stored and below in stored and np.array_equal(self[above], self[below]):
                stored[below] = stored[above]
        return Captures(_compact(stored), level)


def _compact(stored: Mapping[str, Array | Triangle]) -> dict[str, Array | Triangle]:
    """The same parts in memory of their own: a view would hold all that lay in one block with it."""
    parts: dict[str, tuple[NDArray[Any], ...]] = {
        name: part.bands if isinstance(part, Triangle) else (part,) for name, part in stored.items()
    }
    copies = iter(in_one_block([array for arrays in parts.values() for array in arrays]))
    compact: dict[str, Array | Triangle] = {}
    for name, arrays in parts.items():
        own = tuple(islice(copies, len(arrays)))
        compact[name] = Triangle(own) if isinstance(stored[name], Triangle) else own[0]
    return compact


def _ends(name: str) -> tuple[str, str]:
    """The two points of the stream, after and before, whose difference a capture is; a KeyError if it is none."""
    for difference, ends in DIFFERENCES.items():
        if name.endswith(difference):
            after, before = (name.removesuffix(difference) + end for end in ends)
            return after, before
    raise KeyError(name)
