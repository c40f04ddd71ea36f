"""What a run let go, computed again from the stream that enters a layer: the whole layer by MAX, a few rows in NumPy.

A page that shows every head of a bare run needs every layer's patterns, which have no room together: their rows come
from the keys of each layer, which are small and kept.
"""

import threading
from collections import OrderedDict
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .interventions import LayerInputs
from .lens import final_norm
from .rows import attn_out_row, keys, pattern_rows
from .step import Mark
from .trace import Trace

if TYPE_CHECKING:
    from .engine import Engine

Array = NDArray[np.float32]

MAX_BYTES = 128_000_000
# Single rows take a few kilobytes each: one position of every layer of the largest model is 48 of them.
MAX_HOOKS = 10_000
# A layer's hooks are kept in the groups in which they are looked at.
GROUPS = (
    ("ln1.hook_normalized", "attn.hook_q", "attn.hook_k", "attn.hook_v", "attn.hook_attn_scores", "attn.hook_z"),
    ("ln2.hook_normalized", "mlp.hook_pre", "mlp.hook_post"),
)

# Where a layer's keys are kept, turned so that queries meet them without a copy.
KEYS = "attn.hook_k, turned"

Key = tuple[Mark, int, str]


class Recomputed:
    """Hooks computed again, for all runs together; the least recently used are dropped. Calls come from any thread."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_hooks: int = MAX_HOOKS) -> None:
        """Begin empty."""
        self._max_bytes, self._max_hooks, self._bytes = max_bytes, max_hooks, 0
        self._hooks: OrderedDict[Key, Array] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many hooks are kept, and single rows of hooks."""
        return len(self._hooks)

    @property
    def nbytes(self) -> int:
        """Bytes that the kept hooks take."""
        return self._bytes

    def source(self, engine: "Engine", trace: Trace) -> "RunSource":
        """The source of one run's trace."""
        return RunSource(self, engine, trace)

    def hook(self, engine: "Engine", trace: Trace, layer: int, name: str) -> Array:
        """One hook of a layer over all positions of the trace.

        The newest step's mark stands for the whole run: it was computed from all that came before it.
        """
        mark = trace.steps[-1].mark
        if (known := self._known(mark, layer, name)) is not None:
            return known
        captures = engine.layer(layer, trace[f"blocks.{layer}.hook_resid_pre"], changes(trace, layer))
        group = next((group for group in GROUPS if name in group), ())
        # Last what was asked for: it is dropped last.
        self._keep(mark, layer, {other: captures[other] for other in (*(o for o in group if o != name), name)})
        return captures[name]

    def pattern_rows(self, engine: "Engine", trace: Trace, layer: int, start: int, stop: int) -> Array:
        """The patterns of some queries of the trace. Shapes: [head, query, key], with all keys of the trace."""
        mark, stream = trace.steps[-1].mark, f"blocks.{layer}.hook_resid_pre"
        offered = self._known(mark, layer, KEYS)
        if offered is None:
            offered = keys(engine.checkpoint, layer, trace[stream])
            self._keep(mark, layer, {KEYS: offered})
        queries = np.concatenate([trace.row(stream, position)[None] for position in range(start, stop)])
        return pattern_rows(engine.checkpoint, layer, queries, start, offered)

    def attn_out(self, engine: "Engine", trace: Trace, layer: int, position: int) -> Array:
        """What attention added at one position. Shapes: [d_model]."""
        mark, name = trace.steps[-1].mark, f"hook_attn_out[{position}]"
        if (known := self._known(mark, layer, name)) is not None:
            return known
        resid_pre = trace[f"blocks.{layer}.hook_resid_pre"][: position + 1]
        pattern = self.pattern_rows(engine, trace, layer, position, position + 1)[:, 0, : position + 1]
        scale = changes(trace, layer).head_scale[position]
        row = attn_out_row(engine.checkpoint, layer, resid_pre, pattern, scale)
        self._keep(mark, layer, {name: row})
        return row

    def _known(self, mark: Mark, layer: int, name: str) -> Array | None:
        with self._lock:
            if (mark, layer, name) not in self._hooks:
                return None
            self._hooks.move_to_end((mark, layer, name))
            return self._hooks[mark, layer, name]

    def _keep(self, mark: Mark, layer: int, hooks: dict[str, Array]) -> None:
        with self._lock:
            for name, array in hooks.items():
                array.setflags(write=False)
                before = self._hooks.pop((mark, layer, name), None)
                self._hooks[mark, layer, name] = array
                self._bytes += array.nbytes - (0 if before is None else before.nbytes)
            while self._hooks and (self._bytes > self._max_bytes or len(self._hooks) > self._max_hooks):
                self._bytes -= self._hooks.popitem(last=False)[1].nbytes


class RunSource:
    """Computes again what one run let go; it is a `trace.Source`.

    It takes no turn at the engine. A page asks for many small parts of a pass one after the other, each of which would
    wait for a pass of every run under way: beside five runs, 40 readings of the lens take 4 s instead of 0.06 s.
    """

    def __init__(self, recomputed: Recomputed, engine: "Engine", trace: Trace) -> None:
        """Read from this trace; what was cut from it has the same numbers as far as it goes."""
        self._recomputed, self._engine, self._trace = recomputed, engine, trace

    def hook(self, layer: int, name: str) -> Array:
        """One hook of a layer, by its name within the block, over all positions of the run."""
        return self._recomputed.hook(self._engine, self._trace, layer, name)

    def pattern_rows(self, layer: int, start: int, stop: int) -> Array:
        """The patterns of some queries of a layer. Shapes: [head, query, key], with all keys of the run."""
        return self._recomputed.pattern_rows(self._engine, self._trace, layer, start, stop)

    def attn_out(self, layer: int, position: int) -> Array:
        """What attention added at one position. Shapes: [d_model]."""
        return self._recomputed.attn_out(self._engine, self._trace, layer, position)

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
