"""The data of a trace: a run's tokens, and everything that was captured, step by step. Immutable."""

import difflib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import TraceError
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import SQUARE, hook_axes
from gpt2.model.inputs import PLACES, LayerInputs, Z
from gpt2.text.vocabulary import Vocabulary

from .captures import Storage, Triangle
from .norms import norm_hook, stream_read
from .step import Step

Array = NDArray[np.float32]
# A head's own write to the stream: larger than all other captures together, so computed only when it is asked for.
RESULT = "attn.hook_result"


@dataclass(frozen=True)
class Lineage:
    """The origin of a branch: the run, and how many of its steps were kept."""

    parent: str
    steps: int


@dataclass(frozen=True)
class TraceData:
    """One run: config, vocabulary and steps. `run_id` cannot be guessed.

    The first step took the whole prompt, each later one the token drawn before.
    """

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

    def layer_inputs(self, layer: int, places: Sequence[str] = PLACES) -> LayerInputs:
        """The interventions in one layer, at some of its places. Shapes: as `LayerInputs`, over all positions."""
        parts = []
        for interventions, steps in groupby(self.steps, key=lambda step: step.interventions):
            run = list(steps)
            parts.append(interventions.layer_inputs(self.config, layer, run[0].start, run[-1].stop, places))
        return LayerInputs.joined(parts)

    @cached_property
    def norms(self) -> Array:
        """Lengths of every position's vectors at `step.NORMS`. Shapes: [5, layer, seq]."""
        return np.concatenate([step.norms for step in self.steps], axis=2)

    @cached_property
    def value_norms(self) -> Array:
        """Lengths of every position's value vectors. Shapes: [layer, seq, head]."""
        return np.concatenate([step.value_norms for step in self.steps], axis=1)

    def storage_of(self, name: str) -> Storage:
        """How one capture is stored at the step that keeps the least of it."""
        return max((step.captures.storage_of(name) for step in self.steps), default=Storage.FLOAT32)

    def __contains__(self, name: str) -> bool:
        """Whether a capture has this name."""
        return name in self.axes

    def __getitem__(self, name: str) -> Array:
        """One hook over all positions, by its TransformerLens name.

        Shapes: the axes that `axes[name]` names; `hook_pattern` is 0 and `hook_attn_scores` minus infinity where a
        key comes after the query; `logits` has one row for each step. A head's own write, `attn.hook_result`
            [seq, head, d_model], is computed if the model is loaded.

        Raises:
            TraceError: if no hook has this name (the message offers the nearest), or it was dropped to save memory and
                cannot be recomputed.
        """
        if name.endswith(RESULT) and name.replace(RESULT, Z) in self.axes:
            return self._result(int(name.split(".")[1]))
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
            if stream := stream_read(name, self.config.n_layer):
                return norm_hook(name, self[stream], self.config.layer_norm_epsilon)
            whole = self._recomputed(name)
        elif is_square:
            fill = -np.inf if name.endswith("attn_scores") else 0
            whole = np.full((self.config.n_head, self.seq, self.seq), fill, np.float32)
        else:
            return np.concatenate([step.captures[name] for step in self.steps])
        for step in self.steps:
            part = step.captures.part(name)
            if isinstance(part, Triangle):
                part.write_into(whole[:, step.start : step.stop, : step.stop])
            elif is_square and part is not None:
                whole[:, step.start : step.stop, : step.stop] = part
            elif name in step.captures:
                whole[step.start : step.stop] = step.captures[name]
        return whole

    def _recomputed(self, name: str) -> Array:
        """A hook that some steps have dropped, over all positions in a new array; a `Trace` may recompute it."""
        raise TraceError(f"{name} was dropped to save memory; load the model that made this run to see it.")

    def _result(self, layer: int) -> Array:
        """What each head writes, [seq, head, d_model]; a `Trace` may compute it."""
        raise TraceError(
            f"blocks.{layer}.{RESULT} is not captured: it is each head's {Z} times its columns of "
            f"h.{layer}.attn.c_proj.weight [out, in]; load the model that made this run to have it computed."
        )

    def _with_logits(self, steps: Sequence[Step]) -> list[Step]:
        """The steps with their logits, as far as they have them; a `Trace` may recompute them."""
        return list(steps)
