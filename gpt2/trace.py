"""A trace: what one run leaves behind. Immutable; the one type that crosses from the engine to the pictures.

A run is a row of steps, one for each forward pass: the first took the whole prompt, every later one took the token
drawn at the end of the step before. Appending, cutting and branching make new traces that share their steps.
"""

import difflib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from .captures import KEPT, PATTERN, Kept, Triangle
from .config import GPT2Config
from .errors import TraceError
from .hooks import SQUARE, hook_axes
from .step import Step
from .vocabulary import Vocabulary

Array = NDArray[np.float32]
FINAL = "ln_final.hook_normalized"
# What a bare step has let go between the stream that enters a block and the one that leaves it.
BETWEEN = ("hook_attn_out", "hook_resid_mid", "hook_mlp_out")


class Source(Protocol):
    """Computes again what a run let go; see `recompute`. A trace without one says what is missing instead."""

    def hook(self, layer: int, name: str) -> Array:
        """One hook of a layer, by its name within the block, over all positions of the run or more."""

    def pattern_rows(self, layer: int, start: int, stop: int) -> Array:
        """The patterns of some queries. Shapes: [head, query, key], with the keys of the run or more."""

    def attn_out(self, layer: int, position: int) -> Array:
        """What attention added at one position. Shapes: [d_model]."""

    def final_norm(self, rows: Array) -> Array:
        """The final norm of the top of the stream. Shapes: [seq, d_model] -> the same."""

    def logits(self, rows: Array) -> Array:
        """Logits read from the top of the stream. Shapes: [step, d_model] -> [step, vocab]."""


@dataclass(frozen=True)
class Lineage:
    """Where a branch came from: the run, and how many of its steps were kept."""

    parent: str
    steps: int


@dataclass(frozen=True)
class Trace:
    """One run, live or recorded: config, vocabulary, and its steps. `run_id` cannot be guessed.

    A long run lets captures go to stay within its budget; where `source` is given, they are computed again when asked
    for, and `kept` tells which.
    """

    model: str
    config: GPT2Config
    vocabulary: Vocabulary
    steps: tuple[Step, ...] = ()
    lineage: Lineage | None = None
    run_id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    source: Source | None = field(default=None, compare=False, repr=False)

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The prompt's tokens."""
        return self.steps[0].ids if self.steps else ()

    @property
    def seq(self) -> int:
        """How many positions have been through the model."""
        return self.steps[-1].stop if self.steps else 0

    @cached_property
    def computed_ids(self) -> tuple[int, ...]:
        """The tokens that have been through the model, one for each position of the captures."""
        return tuple(token for step in self.steps for token in step.ids)

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """All tokens: those computed, and the newest draw, which has not been through the model yet."""
        newest = self.steps[-1].draw if self.steps else None
        return self.computed_ids + (() if newest is None else (newest.token,))

    @property
    def generated_ids(self) -> tuple[int, ...]:
        """The tokens that were drawn."""
        return tuple(step.draw.token for step in self.steps if step.draw is not None)

    @property
    def text(self) -> str:
        """Prompt and continuation."""
        return self.vocabulary.text(self.ids)

    @property
    def labels(self) -> list[str]:
        """Every computed token as it is shown."""
        return list(self._labels)

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        return tuple(self.vocabulary.label(token) for token in self.computed_ids)

    @cached_property
    def nbytes(self) -> int:
        """Bytes that all captures, lenses and summaries hold."""
        return sum(step.nbytes for step in self.steps)

    @cached_property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """Every capture's name and axes, in the order of the forward pass."""
        return {**hook_axes(self.config.n_layer), "logits": ("step", "vocab")}

    def append(self, step: Step) -> "Trace":
        """A trace with one step more.

        Raises:
            TraceError: if the step does not begin where this trace ends.
        """
        if step.start != self.seq:
            raise TraceError(f"A step that starts at position {step.start} cannot follow position {self.seq - 1}.")
        return replace(self, steps=(*self.steps, step))

    def cut(self, n_steps: int) -> "Trace":
        """The same run, only its first `n_steps` steps.

        Raises:
            TraceError: if there are not that many.
        """
        if not 0 <= n_steps <= len(self.steps):
            raise TraceError(f"This run has {len(self.steps)} steps; it cannot be cut to {n_steps}.")
        return replace(self, steps=self.steps[:n_steps])

    def branch(self, n_steps: int) -> "Trace":
        """A new run that shares the first `n_steps` steps and remembers where it came from."""
        return replace(
            self.cut(n_steps), run_id=secrets.token_urlsafe(12), lineage=Lineage(parent=self.run_id, steps=n_steps)
        )

    def save(self, file: Path | BinaryIO, half: bool = False) -> None:
        """Write one `.npz` file; see `trace_file.save_trace`."""
        from .trace_file import save_trace

        save_trace(self, file, half)

    @staticmethod
    def load(file: Path | BinaryIO, max_bytes: int | None = None) -> "Trace":
        """Read a file that `save` wrote, checked; raises TraceError. See `trace_file.load_trace`."""
        from .trace_file import MAX_BYTES, load_trace

        return load_trace(file, MAX_BYTES if max_bytes is None else max_bytes)

    def __getitem__(self, name: str) -> Array:
        """One hook over all positions, by its TransformerLens name.

        Shapes: the axes that `axes[name]` names; `hook_pattern` is 0 and `hook_attn_scores` minus infinity where a
        key comes after the query; `logits` has one row for each step.

        Raises:
            TraceError: if no hook has this name; the message offers the nearest.
        """
        if name not in self.axes:
            near = difflib.get_close_matches(name, self.axes, n=3, cutoff=0.5)
            offer = f" Nearest: {', '.join(near)}." if near else ""
            raise TraceError(f"There is no capture named {name!r}.{offer}")
        if not self.steps:
            raise TraceError("This run has no steps yet.")
        if name == "logits":
            return np.stack([step.logits for step in self._with_logits(self.steps)])
        is_square = self.axes[name] == SQUARE
        if any(name not in step.captures for step in self.steps):
            whole = self._computed_again(name)
        elif is_square:
            fill = -np.inf if name.endswith("attn_scores") else 0
            whole = np.full((self.config.n_head, self.seq, self.seq), fill, np.float32)
        else:
            return np.concatenate([step.captures[name] for step in self.steps])
        for step in self.steps:
            part = step.kept.part(name)
            if isinstance(part, Triangle):
                part.into(whole[:, step.start : step.stop, : step.stop])
            elif is_square and part is not None:
                whole[:, step.start : step.stop, : step.stop] = part
            elif name in step.captures:
                whole[step.start : step.stop] = step.captures[name]
        return whole

    def __contains__(self, name: str) -> bool:
        """Whether a capture has this name."""
        return name in self.axes

    def queries(self, name: str, start: int, stop: int) -> Array:
        """Some queries of a pattern or of attention scores, over all keys. Shapes: [head, query, key]."""
        steps = self.steps[self._index(start) : self._index(stop - 1) + 1]
        if any(name not in step.captures for step in steps):
            if self.source is None or not name.endswith(PATTERN):
                return self[name][:, start:stop]
            return self.source.pattern_rows(int(name.split(".")[1]), start, stop)[:, :, : self.seq]
        fill = -np.inf if name.endswith("attn_scores") else 0
        room = np.full((self.config.n_head, stop - start, self.seq), fill, np.float32)
        for step in steps:
            low, high = max(start, step.start), min(stop, step.stop)
            rows = step.kept.rows(name, low - step.start, high - step.start)
            room[:, low - start : high - start, : step.stop] = rows
        return room

    def _index(self, position: int) -> int:
        """The step that took a position: all steps but the first took one token."""
        return max(0, position - self.steps[0].stop + 1)

    def row(self, name: str, position: int) -> Array:
        """One hook at one position, without putting all others together. Shapes: the hook's without `seq`."""
        step = self.steps[self._index(position)]
        if name in step.captures:
            return step.captures[name][position - step.start]
        block, _, hook = name.rpartition(".")
        if self.source is None or hook not in BETWEEN:
            return self[name][position]
        attn_out = self.source.attn_out(int(block.removeprefix("blocks.")), position)
        resid_mid = self.row(f"{block}.hook_resid_pre", position) + attn_out
        if hook == "hook_mlp_out":
            return self.row(f"{block}.hook_resid_post", position) - resid_mid
        return resid_mid if hook == "hook_resid_mid" else attn_out

    @cached_property
    def norms(self) -> Array:
        """Lengths of every position's vectors at `step.NORMS`. Shapes: [5, layer, seq]."""
        return np.concatenate([step.norms for step in self.steps], axis=2)

    @cached_property
    def value_norms(self) -> Array:
        """Lengths of every position's value vectors. Shapes: [layer, seq, head]."""
        return np.concatenate([step.value_norms for step in self.steps], axis=1)

    def kept(self, name: str) -> Kept:
        """How one capture is kept where it is kept worst: as it was captured, or in what way no longer."""
        return max((step.kept.kept(name) for step in self.steps), key=KEPT.index, default="float32")

    def step(self, index: int) -> Step:
        """One step with its logits: where they were let go and there is a source, they are read again."""
        return self._with_logits((self.steps[index],))[0]

    def _with_logits(self, steps: Sequence[Step]) -> list[Step]:
        lacking = [step for step in steps if "logits" not in step.captures]
        if not lacking or self.source is None:
            return list(steps)
        top = f"blocks.{self.config.n_layer - 1}.hook_resid_post"
        read = iter(self.source.logits(np.stack([step.captures[top][-1] for step in lacking])))
        return [step if "logits" in step.captures else step.with_logits(next(read)) for step in steps]

    def _computed_again(self, name: str) -> Array:
        """A hook over all positions from the source, in an array of its own."""
        if self.source is None:
            raise TraceError(
                f"{name} was let go to save memory; it is computed again where the model that made the run is loaded."
            )
        if name == FINAL:
            return self.source.final_norm(self[f"blocks.{self.config.n_layer - 1}.hook_resid_post"])
        _, layer, hook = name.split(".", 2)
        whole = self.source.hook(int(layer), hook)
        return (whole[:, : self.seq, : self.seq] if self.axes[name] == SQUARE else whole[: self.seq]).copy()
