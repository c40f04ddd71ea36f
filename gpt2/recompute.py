"""What a run let go, computed again: one layer at a time, by MAX, from the stream that enters it."""

import threading
from collections import OrderedDict
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .interventions import LayerInputs
from .lens import final_norm
from .step import Mark
from .trace import Trace

if TYPE_CHECKING:
    from .engine import Engine

Array = NDArray[np.float32]

MAX_BYTES = 128_000_000
# A layer's hooks are kept in the groups in which they are looked at.
GROUPS = (
    ("ln1.hook_normalized", "attn.hook_q", "attn.hook_k", "attn.hook_v", "attn.hook_attn_scores", "attn.hook_z"),
    ("ln2.hook_normalized", "mlp.hook_pre", "mlp.hook_post"),
)

Key = tuple[Mark, int, str]


class Recomputed:
    """Hooks computed again, for all runs together; the least recently used are dropped. Calls come from any thread."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Begin empty."""
        self._max_bytes = max_bytes
        self._hooks: OrderedDict[Key, Array] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that the kept hooks take."""
        return sum(array.nbytes for array in self._hooks.values())

    def source(self, engine: "Engine", trace: Trace) -> "RunSource":
        """The source of one run's trace."""
        return RunSource(self, engine, trace)

    def hook(self, engine: "Engine", trace: Trace, layer: int, name: str) -> Array:
        """One hook of a layer over all positions of the trace.

        The newest step's mark stands for the whole run: it was computed from all that came before it.
        """
        mark = trace.steps[-1].mark
        with self._lock:
            if (mark, layer, name) in self._hooks:
                self._hooks.move_to_end((mark, layer, name))
                return self._hooks[mark, layer, name]
        captures = engine.layer(layer, trace[f"blocks.{layer}.hook_resid_pre"], changes(trace, layer))
        with self._lock:
            group = next((group for group in GROUPS if name in group), ())
            for other in (*(other for other in group if other != name), name):  # last what was asked for: dropped last
                captures[other].setflags(write=False)
                self._hooks[mark, layer, other] = captures[other]
                self._hooks.move_to_end((mark, layer, other))
            while self._hooks and self.nbytes > self._max_bytes:
                self._hooks.popitem(last=False)
        return captures[name]


class RunSource:
    """Computes again what one run let go; it is a `trace.Source`."""

    def __init__(self, recomputed: Recomputed, engine: "Engine", trace: Trace) -> None:
        """Read from this trace; what was cut from it has the same numbers as far as it goes."""
        self._recomputed, self._engine, self._trace = recomputed, engine, trace

    def hook(self, layer: int, name: str) -> Array:
        """One hook of a layer, by its name within the block, over all positions of the run."""
        return self._recomputed.hook(self._engine, self._trace, layer, name)

    def final_norm(self, rows: Array) -> Array:
        """The final norm of the top of the stream, in NumPy. Shapes: [seq, d_model] -> the same."""
        return final_norm(self._engine.checkpoint, rows)

    def logits(self, rows: Array) -> Array:
        """Logits read from the top of the stream. Shapes: [step, d_model] -> [step, vocab]."""
        return self._engine.lens(rows)


def changes(trace: Trace, layer: int) -> LayerInputs:
    """What was changed in one layer at each position. Shapes: as `LayerInputs`, over all positions of the trace."""
    parts = []
    for interventions, steps in groupby(trace.steps, key=lambda step: step.interventions):
        run = list(steps)
        parts.append(interventions.inputs(trace.config, run[0].start, run[-1].stop)[layer])
    return LayerInputs(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
