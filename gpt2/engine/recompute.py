"""Recomputing a run's dropped captures from the stream that enters a layer: whole layers in MAX, a few rows in NumPy.

A page that shows every head of a run without patterns needs those of every layer, which do not fit in memory together:
their rows are computed from the keys of each layer, which are small and stay in the cache.
"""

import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt2.model.inputs import PLACES, Z
from gpt2.reading.attention_rows import attn_out_row, head_results, keys, pattern_rows
from gpt2.trace.block import SMALL_BYTES
from gpt2.trace.step import StepId
from gpt2.trace.trace import Trace

from .byte_lru import ByteLRU

if TYPE_CHECKING:
    from .passes import ForwardPasses

Array = NDArray[np.float32]

MAX_BYTES = 128_000_000
# Single rows take a few kilobytes each: one position of every layer of the largest model is 48 of them.
MAX_HOOKS = 10_000
# A layer's hooks are stored in the groups in which pages show them.
GROUPS = (
    ("attn.hook_q", "attn.hook_k", "attn.hook_v", "attn.hook_attn_scores", "attn.hook_z"),
    ("mlp.hook_pre", "mlp.hook_post"),
)

# The name of a layer's keys, transposed so that queries are multiplied with them without a copy.
KEYS = "attn.hook_k, transposed"

Key = tuple[StepId, int, str]


class RecomputeCache:
    """Recomputed hooks, for all runs together; the least recently used are dropped. Calls come from any thread."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_hooks: int = MAX_HOOKS) -> None:
        """Begin empty."""
        self._hooks: ByteLRU[Key, Array] = ByteLRU(max_hooks, max_bytes, lambda array: array.nbytes)
        # A layer's captures take tens of megabytes for a moment: one at a time, however many pages ask for them.
        self._layer = threading.Lock()

    def __len__(self) -> int:
        """How many hooks, and single rows of hooks, are stored."""
        return len(self._hooks)

    @property
    def nbytes(self) -> int:
        """Bytes that the stored hooks take."""
        return self._hooks.nbytes

    def shrink(self, nbytes: int) -> int:
        """Drop so many bytes of hooks, the least recently used first; return the bytes freed."""
        return self._hooks.shrink(nbytes)

    def recomputer(self, engine: "ForwardPasses", trace: Trace) -> "EngineRecomputer":
        """The recomputer of one run's trace."""
        return EngineRecomputer(self, engine, trace)

    def hook(self, engine: "ForwardPasses", trace: Trace, layer: int, name: str) -> Array:
        """One hook of a layer over all positions of the trace.

        The newest step stands for the whole run: it was computed from all steps before it.
        """
        step = trace.steps[-1].identity
        with self._layer:
            if (known := self._hooks.get((step, layer, name))) is not None:
                return known
            stream = trace[f"blocks.{layer}.hook_resid_pre"]  # as it is after what interventions made of it
            captures = engine.layer(layer, stream, trace.layer_inputs(layer).after_resid_pre())
            group = next((group for group in GROUPS if name in group), ())
            # The hook asked for is stored last, so it is dropped last.
            names = (*(other for other in group if other != name), name)
            return self._put(step, layer, {other: captures[other] for other in names})

    def pattern_rows(self, engine: "ForwardPasses", trace: Trace, layer: int, start: int, stop: int) -> Array:
        """The patterns of some queries of the trace. Shapes: [head, query, key], with all keys of the trace."""
        step, stream = trace.steps[-1].identity, f"blocks.{layer}.hook_resid_pre"
        layer_keys = self._hooks.get((step, layer, KEYS))
        if layer_keys is None:
            layer_keys = keys(engine.checkpoint, layer, trace[stream])
            self._put(step, layer, {KEYS: layer_keys})
        queries = np.concatenate([trace.row(stream, position)[None] for position in range(start, stop)])
        return pattern_rows(engine.checkpoint, layer, queries, start, layer_keys)

    def attn_out(self, engine: "ForwardPasses", trace: Trace, layer: int, position: int) -> Array:
        """What attention added at one position. Shapes: [d_model]."""
        step, name = trace.steps[-1].identity, f"hook_attn_out[{position}]"
        if (known := self._hooks.get((step, layer, name))) is not None:
            return known
        resid_pre = trace[f"blocks.{layer}.hook_resid_pre"][: position + 1]
        pattern = self.pattern_rows(engine, trace, layer, position, position + 1)[:, 0, : position + 1]
        change = trace.layer_inputs(layer)
        added = change.vectors[change.added[PLACES.index(Z), position]]
        row = attn_out_row(engine.checkpoint, layer, resid_pre, pattern, change.head_scale[position], added)
        self._put(step, layer, {name: row})
        return row

    def _put(self, step: StepId, layer: int, hooks: dict[str, Array]) -> Array:
        """Store these hooks, and return the last one as it is stored."""
        for name, array in hooks.items():
            own = array.copy() if array.nbytes < SMALL_BYTES else array  # not a view that holds a block of others
            own.setflags(write=False)
            self._hooks.put((step, layer, name), own)
        return own


class EngineRecomputer:
    """Recomputes the captures that one run dropped; it is a `trace.Recomputer`.

    It takes no turn at the engine. A page asks for many small parts of a pass one after the other, each of which would
    wait for a pass of every other run: beside five runs, 40 readings of the lens take 4 s instead of 0.06 s.
    """

    def __init__(self, cache: RecomputeCache, engine: "ForwardPasses", trace: Trace) -> None:
        """Read from this trace; a trace cut from it has the same numbers in the steps that it keeps."""
        self._cache, self._engine, self._trace = cache, engine, trace

    def hook(self, layer: int, name: str) -> Array:
        """One hook of a layer, by its name within the block, over all positions of the run."""
        return self._cache.hook(self._engine, self._trace, layer, name)

    def pattern_rows(self, layer: int, start: int, stop: int) -> Array:
        """The patterns of some queries of a layer. Shapes: [head, query, key], with all keys of the run."""
        return self._cache.pattern_rows(self._engine, self._trace, layer, start, stop)

    def attn_out(self, layer: int, position: int) -> Array:
        """What attention added at one position. Shapes: [d_model]."""
        return self._cache.attn_out(self._engine, self._trace, layer, position)

    def logits(self, rows: Array) -> Array:
        """Logits read from the top of the stream. Shapes: [seq, d_model] -> [seq, vocab]."""
        return self._engine.lens(rows)

    def result(self, layer: int, z: Array) -> Array:
        """What each head writes to the stream. Shapes: z [seq, head, d_head] -> [seq, head, d_model]."""
        return head_results(self._engine.checkpoint, layer, z)
