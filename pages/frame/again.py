"""What is not done twice, for all visitors together: hooks that long runs let go, and pictures that take seconds."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from gpt2.captures import WHOLE
from gpt2.recompute import Recomputed
from gpt2.step import Mark
from gpt2.trace import Trace
from pages.matrix.blob import Picture

if TYPE_CHECKING:
    from gpt2.engine import Engine

# A mosaic of gpt2-medium takes six megabytes.
MAX_PICTURES, MAX_PICTURE_BYTES = 8, 48_000_000


class Drawn:
    """Pictures of whole runs, the least recently shown dropped; a visitor who clicks in one need not wait for it again.

    Calls come from any thread.
    """

    def __init__(self, most: int = MAX_PICTURES, max_bytes: int = MAX_PICTURE_BYTES) -> None:
        """Begin empty."""
        self._most, self._max_bytes = most, max_bytes
        self._pictures: OrderedDict[tuple[Mark, Hashable], Picture] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many pictures are kept."""
        return len(self._pictures)

    @property
    def nbytes(self) -> int:
        """Bytes that the kept pictures' values take."""
        return sum(picture.values.nbytes for picture in self._pictures.values())

    def picture(self, trace: Trace, what: Hashable, draw: Callable[[], Picture]) -> Picture:
        """The picture `what` of this run up to its newest step: the one that is kept, or drawn now."""
        key = trace.steps[-1].mark, what
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
                return self._pictures[key]
        picture = draw()
        with self._lock:
            self._pictures[key] = picture
            while len(self._pictures) > self._most or self.nbytes > self._max_bytes:
                self._pictures.popitem(last=False)
        return picture


RECOMPUTED, DRAWN = Recomputed(), Drawn()


def with_source(trace: Trace, engine: "Engine | None") -> Trace:
    """The same run, able to compute again what it let go; as it is where nothing was, or no engine is loaded."""
    if engine is None or all(step.kept.level == WHOLE for step in trace.steps):
        return trace
    return replace(trace, source=RECOMPUTED.source(engine, trace))
