"""Packed steps, stored for all visitors: every step is packed once."""

import itertools
import secrets
import threading
import weakref

from gpt2.engine.byte_lru import ByteLRU
from gpt2.reading.tables import Tables
from gpt2.trace.captures import Level
from gpt2.trace.step import Step, StepId
from gpt2.trace.trace import Trace

from .pack import pack_step

MAX_RECORDS, MAX_BYTES = 1024, 64_000_000


# What a record depends on beside its step: whether the embedding tables were loaded, and whether anything is missing.
Variant = tuple[bool, bool]
PLAIN: Variant = False, False


class RecordCache:
    """A bounded store of records. A step is known by a stamp of its own: a resampled step gets a new one.

    So does a step whose record can now say more, because the model that made it has been loaded since: a browser that
    has the poorer record is sent the other. A step that lacks nothing keeps its stamp, squeezed or not.

    Attributes: `epoch` names this process, since stamps start anew with it.
    """

    def __init__(self, max_records: int = MAX_RECORDS, max_bytes: int = MAX_BYTES) -> None:
        """Begin empty."""
        self.epoch = secrets.token_hex(4)
        self._records: ByteLRU[tuple[str, int], bytes] = ByteLRU(max_records, max_bytes, len)
        self._stamps: dict[int, tuple[weakref.ref[StepId], dict[Variant, int]]] = {}
        self._next = itertools.count(1)
        self._lock = threading.RLock()

    def __len__(self) -> int:
        """How many records are kept."""
        return len(self._records)

    @property
    def nbytes(self) -> int:
        """Bytes that the kept records take."""
        return self._records.nbytes

    def shrink(self, nbytes: int) -> int:
        """Drop so many bytes of records, the least recently used first; return the bytes freed."""
        return self._records.shrink(nbytes)

    def stamps(self, trace: Trace, tables: Tables | None) -> list[int]:
        """The stamps of all steps, as they can be packed now."""
        return [self.stamp(step, variant_of(trace, step, tables)) for step in trace.steps]

    def stamp(self, step: Step, variant: Variant = PLAIN) -> int:
        """The number of this very step, for as long as it lives; squeezed, it is the same step."""
        identity = step.identity
        key = id(identity)
        with self._lock:
            known = self._stamps.get(key)
            if known is None or known[0]() is not identity:
                known = self._stamps[key] = weakref.ref(identity, lambda gone: self._forget(key, gone)), {}
            if variant not in known[1]:
                known[1][variant] = next(self._next)
            return known[1][variant]

    def record(self, trace: Trace, index: int, tables: Tables | None) -> bytes:
        """The packed step: the stored one, or packed now."""
        step = trace.steps[index]
        key = trace.model, self.stamp(step, variant_of(trace, step, tables))
        packed = self._records.get(key)
        if packed is None:
            packed = pack_step(trace, index, tables)
            self._records.put(key, packed)
        return packed

    def _forget(self, key: int, gone: "weakref.ref[StepId]") -> None:
        with self._lock:
            if key in self._stamps and self._stamps[key][0] is gone:
                del self._stamps[key]


def variant_of(trace: Trace, step: Step, tables: Tables | None) -> Variant:
    """How a step of this trace can be packed now; what was dropped and can be recomputed is not missing."""
    level = Level.FULL if trace.recomputer is not None else step.captures.level
    return tables is not None, level == Level.NO_PATTERNS or (level != Level.FULL and "logits" not in step.captures)
