"""Caches for all visitors: hooks that pages recompute for long runs, and pictures that take seconds to draw."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from gpt2.engine import recompute
from gpt2.engine.byte_lru import ByteLRU
from gpt2.engine.recompute import RecomputeCache
from gpt2.trace.captures import Level
from gpt2.trace.step import StepId
from gpt2.trace.trace import Trace
from pages.matrix.blob import Picture
from pages.stage.component import RECORDS

from .memory import machine_bytes
from .traces import TRACES

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

# A mosaic of gpt2-medium takes six megabytes.
MAX_PICTURES, MAX_PICTURE_BYTES = 16, 48_000_000
# On a small host the stores may take less: of its memory, at most these shares.
PICTURES_SHARE, HOOKS_SHARE = 0.03, 0.05


class PictureCache:
    """Pictures of whole runs, so that a click does not redraw them. Any thread may call it."""

    def __init__(self, max_pictures: int = MAX_PICTURES, max_bytes: int = MAX_PICTURE_BYTES) -> None:
        """Start empty."""
        self._pictures: ByteLRU[tuple[StepId, Hashable], Picture] = ByteLRU(
            max_pictures, max_bytes, lambda picture: picture.values.nbytes
        )

    def __len__(self) -> int:
        """How many pictures are stored."""
        return len(self._pictures)

    @property
    def nbytes(self) -> int:
        """Bytes that the stored pictures' values take."""
        return self._pictures.nbytes

    def shrink(self, nbytes: int) -> int:
        """Drop so many bytes of pictures, the least recently used first; return the bytes freed."""
        return self._pictures.shrink(nbytes)

    def picture(self, trace: Trace, what: Hashable, draw: Callable[[], Picture]) -> Picture:
        """The picture `what` of this run up to its newest step: the stored one, or drawn now."""
        key = trace.steps[-1].identity, what
        picture = self._pictures.get(key)
        if picture is None:
            picture = draw()
            self._pictures.put(key, picture)
        return picture


HOOKS = RecomputeCache(min(recompute.MAX_BYTES, int(HOOKS_SHARE * machine_bytes())))
PICTURES = PictureCache(max_bytes=min(MAX_PICTURE_BYTES, int(PICTURES_SHARE * machine_bytes())))
for store in (PICTURES, HOOKS, RECORDS):
    TRACES.add_store(store)


def with_recomputer(trace: Trace, engine: "Engine | None") -> Trace:
    """The same run, able to recompute what it dropped; unchanged if it dropped nothing, or without an engine."""
    if engine is None or all(step.captures.level == Level.FULL for step in trace.steps):
        return trace
    return replace(trace, recomputer=HOOKS.recomputer(engine, trace))
