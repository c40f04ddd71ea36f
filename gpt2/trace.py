"""A trace: what one run leaves behind. Immutable; the one type that crosses from the engine to the pictures.

A run is a row of steps, one for each forward pass: the first took the whole prompt, every later one took the token
drawn at the end of the step before. Appending, cutting and branching make new traces that share their steps.
"""

import difflib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .config import GPT2Config
from .errors import TraceError
from .hooks import SQUARE, hook_axes
from .interventions import Interventions
from .sampling import Distribution, Draw
from .vocabulary import Vocabulary

Array = NDArray[np.float32]


@dataclass(frozen=True)
class LensRows:
    """The logit lens at one position, top tokens only, from the embedding up to the last block.

    Shapes: tokens, probabilities [n_layer + 1, k], most likely first; drawn [n_layer + 1], the probability that each
    row gives to the token drawn at this step. Row 0 reads `blocks.0.hook_resid_pre`, row l + 1
    `blocks.{l}.hook_resid_post`.
    """

    tokens: NDArray[np.int32]
    probabilities: Array
    drawn: Array


@dataclass(frozen=True)
class Step:
    """One forward pass, and the draw made from its last row of logits.

    Attributes:
        ids: the tokens that went in: the prompt, or the one token drawn before.
        start: position of the first of them.
        captures: every hook by name, for these positions only (`query` is these positions, `key` all up to them),
            and `logits` [1, vocab] of the last position. Arrays are read-only.
        draw: the next token and how it was chosen; None where the run only looked.
        ms: milliseconds the forward pass took.
        lens: the logit lens at the last position, or None if it was not read.
        interventions: what was changed during this pass.
    """

    ids: tuple[int, ...]
    start: int
    captures: Mapping[str, Array]
    draw: Draw | None
    ms: float
    lens: LensRows | None = None
    interventions: Interventions = field(default_factory=Interventions)

    def __post_init__(self) -> None:
        """Lock the arrays: a step that is on a screen must not change."""
        lens = () if self.lens is None else (self.lens.tokens, self.lens.probabilities, self.lens.drawn)
        for array in (*self.captures.values(), *lens):
            array.setflags(write=False)
        object.__setattr__(self, "captures", MappingProxyType(dict(self.captures)))

    @property
    def stop(self) -> int:
        """One past the position of the newest token."""
        return self.start + len(self.ids)

    @property
    def logits(self) -> Array:
        """Logits after the newest token. Shapes: [vocab]."""
        return self.captures["logits"][-1]

    @property
    def distribution(self) -> Distribution:
        """The next-token distribution as the draw saw it, stage by stage.

        Raises:
            TraceError: if nothing was drawn at this step.
        """
        if self.draw is None:
            raise TraceError("Nothing was drawn at this step.")
        return Distribution.of(self.logits, self.draw.sampling)

    @cached_property
    def nbytes(self) -> int:
        """Bytes that the captures hold."""
        return sum(array.nbytes for array in self.captures.values())


@dataclass(frozen=True)
class Lineage:
    """Where a branch came from: the run, and how many of its steps were kept."""

    parent: str
    steps: int


@dataclass(frozen=True)
class Trace:
    """One run, live or recorded: config, vocabulary, and its steps. `run_id` cannot be guessed."""

    model: str
    config: GPT2Config
    vocabulary: Vocabulary
    steps: tuple[Step, ...] = ()
    lineage: Lineage | None = None
    run_id: str = field(default_factory=lambda: secrets.token_urlsafe(12))

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The prompt's tokens."""
        return self.steps[0].ids if self.steps else ()

    @property
    def seq(self) -> int:
        """How many positions have been through the model."""
        return self.steps[-1].stop if self.steps else 0

    @property
    def computed_ids(self) -> tuple[int, ...]:
        """The tokens that have been through the model, one for each position of the captures."""
        return tuple(token for step in self.steps for token in step.ids)

    @property
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
        return [self.vocabulary.label(token) for token in self.computed_ids]

    @cached_property
    def nbytes(self) -> int:
        """Bytes that all captures hold."""
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
    def load(file: Path | BinaryIO) -> "Trace":
        """Read a file that `save` wrote, checked; raises TraceError. See `trace_file.load_trace`."""
        from .trace_file import load_trace

        return load_trace(file)

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
        if self.axes[name] != SQUARE:
            return np.concatenate([step.captures[name] for step in self.steps])
        fill = -np.inf if name.endswith("attn_scores") else 0
        whole = np.full((self.config.n_head, self.seq, self.seq), fill, np.float32)
        for step in self.steps:
            whole[:, step.start : step.stop, : step.stop] = step.captures[name]
        return whole

    def __contains__(self, name: str) -> bool:
        """Whether a capture has this name."""
        return name in self.axes
