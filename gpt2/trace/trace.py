"""A trace: the record of one run as everything reads it; the one type that crosses to the pictures.

Appending, cutting and branching make new traces that share their steps.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import TraceError
from gpt2.model.hooks import SQUARE
from gpt2.model.inputs import Z

from .captures import PATTERN
from .data import Lineage, TraceData
from .file import MAX_BYTES, File, load_trace_data, save_trace_data
from .json_file import save_json
from .step import Step
from .timing import Timing

Array = NDArray[np.float32]
# The captures that a step without patterns lacks between the stream that enters a block and the one that leaves it.
BETWEEN = ("hook_attn_out", "hook_resid_mid", "hook_mlp_out")


class Recomputer(Protocol):
    """Recomputes what a run dropped to save memory; see `engine.recompute`."""

    def hook(self, layer: int, name: str) -> Array:
        """One hook of a layer, by its name within the block, over all positions of the run or more."""

    def pattern_rows(self, layer: int, start: int, stop: int) -> Array:
        """The patterns of some queries. Shapes: [head, query, key], with the keys of the run or more."""

    def attn_out(self, layer: int, position: int) -> Array:
        """What attention added at one position. Shapes: [d_model]."""

    def logits(self, rows: Array) -> Array:
        """Logits read from the top of the stream. Shapes: [seq, d_model] -> [seq, vocab]."""

    def result(self, layer: int, z: Array) -> Array:
        """What each head writes to the stream. Shapes: z [seq, head, d_head] -> [seq, head, d_model]."""


@dataclass(frozen=True)
class Trace(TraceData):
    """One run, live or from a file. Captures that it dropped to stay within its budget are recomputed if possible.

    Attributes: `recomputer` does that; without one, reading a dropped capture raises a TraceError.
    """

    recomputer: Recomputer | None = field(default=None, compare=False, repr=False)

    def append(self, step: Step) -> "Trace":
        """A trace with one step more.

        Raises:
            TraceError: if the step does not begin where this trace ends.
        """
        if step.start != self.seq:
            raise TraceError(f"A step that starts at position {step.start} cannot follow position {self.seq - 1}.")
        longer = replace(self, steps=(*self.steps, step))
        vars(longer)["nbytes"] = self.nbytes + step.nbytes  # known: to add up all steps would take longer at each
        return longer

    def timed(self, timing: Timing) -> "Trace":
        """The same run with all milliseconds of its newest step, which are known only once it has been stored."""
        same = replace(self, steps=(*self.steps[:-1], self.steps[-1].timed(timing)))
        vars(same)["nbytes"] = self.nbytes
        return same

    def cut(self, n_steps: int) -> "Trace":
        """The same run, only its first `n_steps` steps.

        Raises:
            TraceError: if it has fewer.
        """
        if not 0 <= n_steps <= len(self.steps):
            raise TraceError(f"This run has {len(self.steps)} steps; it cannot be cut to {n_steps}.")
        return replace(self, steps=self.steps[:n_steps])

    def branch(self, n_steps: int) -> "Trace":
        """A new run that shares the first `n_steps` steps and remembers where it came from."""
        return replace(
            self.cut(n_steps), run_id=secrets.token_urlsafe(12), lineage=Lineage(parent=self.run_id, steps=n_steps)
        )

    def save(self, file: File, half: bool = False) -> None:
        """Write one `.npz` file; see `file.save_trace_data`."""
        save_trace_data(self, file, half)

    def save_json(self, file: Path | BinaryIO) -> None:
        """Write one JSON object, for other programs; see `json_file.save_json`. Nothing here reads it back."""
        save_json(self, file)

    def activations(self) -> dict[str, Array]:
        """Every capture but the logits by name, as TransformerLens's `ActivationCache` holds it: a batch of one first.

        Shapes: [1, *axes]; a norm's `hook_scale` is [1, seq, 1].

        Raises:
            TraceError: if one was dropped and cannot be recomputed.
        """
        arrays = {name: self[name][None] for name in self.axes if name != "logits"}
        return {name: array[..., None] if name.endswith("hook_scale") else array for name, array in arrays.items()}

    @staticmethod
    def load(file: File, max_bytes: int = MAX_BYTES) -> "Trace":
        """Read and check a file that `save` wrote; it may hold at most `max_bytes`.

        Raises:
            TraceError: if the file is missing, is not a trace, is damaged, is of another version or too large.
        """
        data = load_trace_data(file, max_bytes)
        return Trace(**{part.name: getattr(data, part.name) for part in fields(data)})

    def queries(self, name: str, start: int, stop: int) -> Array:
        """Some queries of a pattern or of attention scores, over all keys. Shapes: [head, query, key]."""
        steps = self.steps[self._index(start) : self._index(stop - 1) + 1]
        if any(name not in step.captures for step in steps):
            if self.recomputer is None or not name.endswith(PATTERN):
                return self[name][:, start:stop]
            return self.recomputer.pattern_rows(int(name.split(".")[1]), start, stop)[:, :, : self.seq]
        fill = -np.inf if name.endswith("attn_scores") else 0
        whole = np.full((self.config.n_head, stop - start, self.seq), fill, np.float32)
        for step in steps:
            low, high = max(start, step.start), min(stop, step.stop)
            rows = step.captures.rows(name, low - step.start, high - step.start)
            whole[:, low - start : high - start, : step.stop] = rows
        return whole

    def _index(self, position: int) -> int:
        """The step that took a position: all steps but the first took one token."""
        return max(0, position - self.steps[0].stop + 1)

    def row(self, name: str, position: int) -> Array:
        """One hook at one position, without joining all others. Shapes: the hook's without `seq`."""
        step = self.steps[self._index(position)]
        if name in step.captures:
            return step.captures[name][position - step.start]
        block, _, hook = name.rpartition(".")
        if self.recomputer is None or hook not in BETWEEN:
            return self[name][position]
        attn_out = self.recomputer.attn_out(int(block.removeprefix("blocks.")), position)
        resid_mid = self.row(f"{block}.hook_resid_pre", position) + attn_out
        if hook == "hook_mlp_out":
            return self.row(f"{block}.hook_resid_post", position) - resid_mid
        return resid_mid if hook == "hook_resid_mid" else attn_out

    def position_logits(self, start: int = 0, stop: int | None = None) -> Array:
        """Logits after every position, or some of them, the prompt's too: `trace["logits"]` has those of the steps.

        Shapes: [seq, vocab]; 200 MB for a whole context of GPT-2's.

        Raises:
            TraceError: if the model that made this run is not loaded.
        """
        if self.recomputer is None:
            raise TraceError("Logits of all positions are not captured; load the model that made this run to see them.")
        return self.recomputer.logits(self[f"blocks.{self.config.n_layer - 1}.hook_resid_post"][start:stop])

    def step(self, index: int) -> Step:
        """One step with its logits, recomputed if they were dropped and a recomputer is available."""
        return self._with_logits((self.steps[index],))[0]

    def step_logits(self, indices: Sequence[int]) -> Array:
        """Logits after some steps, recomputed if they were dropped. Shapes: [step, vocab].

        Raises:
            TraceError: if they were dropped and the model that made this run is not loaded.
        """
        return np.stack([step.logits for step in self._with_logits([self.steps[index] for index in indices])])

    def _with_logits(self, steps: Sequence[Step]) -> list[Step]:
        lacking = [step for step in steps if "logits" not in step.captures]
        if not lacking or self.recomputer is None:
            return list(steps)
        top = f"blocks.{self.config.n_layer - 1}.hook_resid_post"
        read = iter(self.recomputer.logits(np.stack([step.captures[top][-1] for step in lacking])))
        return [step if "logits" in step.captures else step.with_logits(next(read)) for step in steps]

    def _result(self, layer: int) -> Array:
        if self.recomputer is None:
            return super()._result(layer)
        return self.recomputer.result(layer, self[f"blocks.{layer}.{Z}"])

    def _recomputed(self, name: str) -> Array:
        if self.recomputer is None:
            return super()._recomputed(name)
        _, layer, hook = name.split(".", 2)
        whole = self.recomputer.hook(int(layer), hook)
        return (whole[:, : self.seq, : self.seq] if self.axes[name] == SQUARE else whole[: self.seq]).copy()
