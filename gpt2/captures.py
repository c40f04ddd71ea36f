"""How one step's captures are kept: all of them as the graph gave them, or squeezed where a run outgrows its budget.

There are four levels. WHOLE: every capture in float32. STREAM: the residual stream at every point, the embeddings and
the logits in float32, attention patterns in half precision without the half above the diagonal; what attention and MLP
add is the difference of two points of the stream, and everything else is let go, because a layer can be computed again
from the stream that enters it. UNREAD: the logits go too; they can be read again from the last point of the stream.
BARE: the patterns go, and the points between attention and MLP.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Kept = Literal["float32", "difference", "float16", "recomputed"]

WHOLE, STREAM, UNREAD, BARE = LEVELS = range(4)
# From the closest to what the graph gave to the farthest from it.
KEPT: tuple[Kept, ...] = ("float32", "difference", "float16", "recomputed")

# What each squeezed level keeps in float32, by the end of its name; all but BARE keep the patterns too.
ENDS = ("hook_embed", "hook_pos_embed", "hook_resid_pre", "hook_resid_post")
KEPT_WHOLE = {STREAM: (*ENDS, "hook_resid_mid", "logits"), UNREAD: (*ENDS, "hook_resid_mid"), BARE: ENDS}
PATTERN = "attn.hook_pattern"
# What is added to the stream is the difference of these two points.
DIFFERENCES = {
    "hook_attn_out": ("hook_resid_mid", "hook_resid_pre"),
    "hook_mlp_out": ("hook_resid_post", "hook_resid_mid"),
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

    def into(self, room: Array) -> None:
        """Write the pattern into the zeros of `room` [head, query, key]."""
        first = 0
        for band in self.bands:
            room[:, first : first + band.shape[1], : band.shape[2]] = band
            first += band.shape[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """The pattern's shape: [head, query, key]."""
        return len(self.bands[-1]), sum(band.shape[1] for band in self.bands), self.bands[-1].shape[2]

    def rows(self, start: int, stop: int) -> Array:
        """Some of its queries in float32. Shapes: [head, query, key]."""
        room = np.zeros((self.shape[0], stop - start, self.shape[2]), np.float32)
        for number in range(start // BAND, -(-stop // BAND)):
            first, band = number * BAND, self.bands[number]
            low, high = max(start, first), min(stop, first + band.shape[1])
            room[:, low - start : high - start, : band.shape[2]] = band[:, low - first : high - first]
        return room


class Distant(Protocol):
    """A capture that still lies in an accelerator's memory."""

    nbytes: int

    def fetch(self) -> Array:
        """Copy it to this machine's memory."""


Part = Array | Triangle | Distant


class Captures(Mapping[str, Array]):
    """One step's captures by name, read-only; it has those that are kept, and those that are a difference of two kept.

    What lies in an accelerator's memory is copied from there when it is first looked at.

    Attributes: `level` is how far they have been squeezed, `n_layer` how many blocks they are of.
    """

    def __init__(self, stored: Mapping[str, Part], level: int = WHOLE) -> None:
        """Lock the arrays: a step that is on a screen must not change."""
        self._stored, self.level = dict(stored), level
        for part in stored.values():
            _lock(part)
        self.n_layer = sum(name.endswith("hook_resid_pre") for name in stored)

    def __getitem__(self, name: str) -> Array:
        """One capture; a KeyError if it was let go."""
        part = self.part(name)
        if isinstance(part, Triangle):
            part = part.rows(0, part.shape[1])
        elif part is None:
            after, before = _ends(name)
            part = self[after] - self[before]
        part.setflags(write=False)
        return part

    def __contains__(self, name: object) -> bool:
        """Whether this capture is there."""
        return self.kept(str(name)) != "recomputed"

    def __iter__(self) -> Iterator[str]:
        """The names of what is kept, and of what is a difference of two kept."""
        yield from self._stored
        for name in self._stored:
            for difference, (after, _) in DIFFERENCES.items():
                if name.endswith(after) and self.kept(other := name.removesuffix(after) + difference) == "difference":
                    yield other

    def __len__(self) -> int:
        """How many captures there are."""
        return sum(1 for _ in self)

    @property
    def nbytes(self) -> int:
        """Bytes held; an array that stands under two names counts once."""
        return sum({id(part): part.nbytes for part in self._stored.values()}.values())

    def kept(self, name: str) -> Kept:
        """How a capture is kept; `recomputed` where it was let go and must be computed again."""
        if name in self._stored:
            return "float16" if isinstance(self._stored[name], Triangle) else "float32"
        if name.endswith(tuple(DIFFERENCES)) and all(end in self._stored for end in _ends(name)):
            return "difference"
        return "recomputed"

    def part(self, name: str) -> Array | Triangle | None:
        """What is stored under a name, as it is stored; None if nothing is."""
        part = self._stored.get(name)
        if part is None or isinstance(part, (np.ndarray, Triangle)):
            return part
        fetched = self._stored[name] = part.fetch()
        return fetched

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Some queries of a pattern or of scores, counted from the step's first. Shapes: [head, query, key]."""
        part = self.part(name)
        return part.rows(start, stop) if isinstance(part, Triangle) else self[name][:, start:stop]

    def having(self, name: str, array: Array) -> "Captures":
        """The same captures and one more."""
        return Captures({**self._stored, name: array}, self.level)

    def squeezed(self, level: int) -> "Captures":
        """The same captures, kept as `level` keeps them; what is there already in fewer bytes stays so."""
        if level <= self.level and (level < UNREAD or "logits" not in self._stored):
            return self
        level = max(level, self.level)
        stored: dict[str, Part] = {}
        for name in self._stored:
            if name.endswith(KEPT_WHOLE[level]):
                stored[name] = self[name]
            elif name.endswith(PATTERN) and level < BARE:
                part = self.part(name)
                stored[name] = part if isinstance(part, Triangle) else Triangle.of(self[name])
        for layer in range(self.n_layer - 1):
            # The same vector unless an intervention adds to the stream in between: kept once, under both names.
            above, below = f"blocks.{layer + 1}.hook_resid_pre", f"blocks.{layer}.hook_resid_post"
            if above in stored and below in stored and np.array_equal(self[above], self[below]):
                stored[below] = stored[above]
        return Captures(stored, level)


def _ends(name: str) -> tuple[str, str]:
    """The two points of the stream, after and before, whose difference a capture is; a KeyError if it is none."""
    for difference, ends in DIFFERENCES.items():
        if name.endswith(difference):
            after, before = (name.removesuffix(difference) + end for end in ends)
            return after, before
    raise KeyError(name)


def _lock(part: Part) -> None:
    for array in part.bands if isinstance(part, Triangle) else (part,):
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
