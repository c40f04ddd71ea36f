"""Packed steps, kept for all visitors: every step is packed once, and the least recently used are dropped."""

import itertools
import secrets
import threading
import weakref
from collections import OrderedDict

from gpt2.captures import BARE, WHOLE
from gpt2.step import Mark, Step
from gpt2.tables import Tables
from gpt2.trace import Trace

from .pack import pack_step

MAX_RECORDS, MAX_BYTES = 1024, 64_000_000


# What a record depends on beside its step: whether the embedding tables were there, and whether anything lacked.
Way = tuple[bool, bool]
PLAIN: Way = False, False


class Shelf:
    """A bounded store of records. A step is known by a stamp of its own: a step drawn again gets a new one.

    So does a step whose record can now say more, because the model that made it has been loaded since: a browser that
    has the poorer record is sent the other. A step that lacks nothing keeps its stamp, squeezed or not.

    Attributes: `epoch` names this process, since stamps start anew with it.
    """

    def __init__(self, max_records: int = MAX_RECORDS, max_bytes: int = MAX_BYTES) -> None:
        """Begin empty."""
        self.epoch = secrets.token_hex(4)
        self._max_records, self._max_bytes = max_records, max_bytes
        self._records: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._bytes = 0
        self._stamps: dict[int, tuple[weakref.ref[Mark], dict[Way, int]]] = {}
        self._next = itertools.count(1)
        self._lock = threading.RLock()

    def __len__(self) -> int:
        """How many records are kept."""
        return len(self._records)

    @property
    def nbytes(self) -> int:
        """Bytes that the kept records take."""
        return self._bytes

    def stamps(self, trace: Trace, tables: Tables | None) -> list[int]:
        """The stamps of all steps, as they can be packed now."""
        return [self.stamp(step, way(trace, step, tables)) for step in trace.steps]

    def stamp(self, step: Step, way: Way = PLAIN) -> int:
        """The number of this very step, for as long as it lives; squeezed, it is the same step."""
        mark = step.mark
        key = id(mark)
        with self._lock:
            known = self._stamps.get(key)
            if known is None or known[0]() is not mark:
                known = self._stamps[key] = weakref.ref(mark, lambda gone: self._forget(key, gone)), {}
            if way not in known[1]:
                known[1][way] = next(self._next)
            return known[1][way]

    def record(self, trace: Trace, index: int, tables: Tables | None) -> bytes:
        """The packed step, from the shelf or made now."""
        step = trace.steps[index]
        key = trace.model, self.stamp(step, way(trace, step, tables))
        with self._lock:
            if key in self._records:
                self._records.move_to_end(key)
                return self._records[key]
        packed = pack_step(trace, index, tables)
        with self._lock:
            if key not in self._records:
                self._records[key] = packed
                self._bytes += len(packed)
            while len(self._records) > self._max_records or (self._bytes > self._max_bytes and len(self._records) > 1):
                self._bytes -= len(self._records.popitem(last=False)[1])
        return packed

    def _forget(self, key: int, gone: "weakref.ref[Mark]") -> None:
        with self._lock:
            if key in self._stamps and self._stamps[key][0] is gone:
                del self._stamps[key]


def way(trace: Trace, step: Step, tables: Tables | None) -> Way:
    """How a step of this trace can be packed now; what was let go is no lack where it can be computed again."""
    level = WHOLE if trace.source is not None else step.kept.level
    return tables is not None, level == BARE or (level != WHOLE and "logits" not in step.captures)
