"""Two runs side by side in lockstep: where their texts part, and at each step how far apart they are inside.

A step of one is compared with the step of the same number of the other, whatever each has read. Positions are paired
from the newest token backwards: where the prompts have different lengths, the longer one's first tokens are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import SettingsError
from gpt2.trace.step import NORMS
from gpt2.trace.trace import Trace

from .effect import kl_bits

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
# How many steps' logits are read at once: those of GPT-2 take 200 kB each.
ROWS = 32
RESID_POST = NORMS.index("hook_resid_post")


@dataclass(frozen=True, eq=False)
class TracePair:
    """Two runs with the same tokens, and what each is called.

    Raises:
        SettingsError: if their vocabularies differ, so that no token of one is a token of the other.
    """

    first: Trace
    second: Trace
    names: tuple[str, str] = ("first", "second")

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        check_vocabularies(self.first, self.second)

    @property
    def both(self) -> tuple[Trace, Trace]:
        """The two runs."""
        return self.first, self.second

    @property
    def ways(self) -> tuple[str, str]:
        """The two directions of a divergence."""
        one, other = self.names
        return f"KL({one} ‖ {other})", f"KL({other} ‖ {one})"

    @property
    def said(self) -> tuple[str, str]:
        """The names within a sentence."""
        one, other = self.names
        return f"the {one}", f"the {other}"

    @property
    def n_steps(self) -> int:
        """How many steps both have."""
        return min(len(trace.steps) for trace in self.both)

    @property
    def parted_at(self) -> int | None:
        """The place in the texts of the first token that differs; None if one text is the beginning of the other."""
        pairs = enumerate(zip(self.first.ids, self.second.ids, strict=False))
        return next((at for at, (one, other) in pairs if one != other), None)

    @property
    def has_one_text(self) -> bool:
        """Whether both read the same tokens at every step that both have."""
        one, other = (trace.cut(self.n_steps).computed_ids for trace in self.both)
        return one == other

    @property
    def n_layer(self) -> int:
        """How many layers both models have."""
        return min(trace.config.n_layer for trace in self.both)

    @property
    def n_head(self) -> int:
        """How many heads a layer of both models has."""
        return min(trace.config.n_head for trace in self.both)

    def at(self, step: int) -> "TracePair":
        """Both up to a step that both have."""
        return replace(self, first=self.first.cut(step + 1), second=self.second.cut(step + 1))

    def divergences(self, steps: Sequence[int] | None = None) -> Floats:
        """KL of the next tokens both ways, in bits, at some steps or all that both have. Shapes: [2, step].

        Raises:
            TraceError: if a step's logits were dropped and cannot be recomputed.
        """
        return self.next_tokens(range(self.n_steps) if steps is None else steps)[0]

    def next_tokens(self, steps: Sequence[int]) -> tuple[Floats, NDArray[np.intp]]:
        """The same, and the likeliest next token of both at each step. Shapes: both [2, step].

        Raises:
            TraceError: if a step's logits were dropped and cannot be recomputed.
        """
        ways, choices = [np.zeros((2, 0))], [np.zeros((2, 0), np.intp)]
        for start in range(0, len(steps), ROWS):
            one, other = (trace.step_logits(steps[start : start + ROWS]) for trace in self.both)
            ways.append(np.stack([kl_bits(one, other), kl_bits(other, one)]))
            choices.append(np.stack([one.argmax(axis=1), other.argmax(axis=1)]))
        return np.concatenate(ways, axis=1), np.concatenate(choices, axis=1)

    def stream_norms(self) -> Floats:
        """Lengths of the newest token's stream after each layer that both have. Shapes: [2, layer]."""
        norms = [trace.steps[-1].norms[RESID_POST, : self.n_layer, -1] for trace in self.both]
        return np.stack(norms).astype(np.float64)

    def patterns(self, layer: int, most: int) -> Array:
        """The attention patterns of one layer between the newest positions of both, at most so many.

        Shapes: [2, head, query, key].
        """
        shown = min(most, self.first.seq, self.second.seq)
        name = f"blocks.{layer}.attn.hook_pattern"
        return np.stack(
            [trace.queries(name, trace.seq - shown, trace.seq)[: self.n_head, :, -shown:] for trace in self.both]
        )

    def attention_moved(self) -> Floats:
        """The share of each head's attention, from the newest token, that lies elsewhere in the other run.

        Half the sum of absolute differences over the keys, those of one run alone included.

        Shapes: [layer, head], from 0 (the same pattern) to 1 (nothing in common).
        """
        keys = max(self.first.seq, self.second.seq)
        rows = np.zeros((2, self.n_layer, self.n_head, keys))
        for trace, own in zip(self.both, rows, strict=True):
            for layer in range(self.n_layer):
                pattern = trace.queries(f"blocks.{layer}.attn.hook_pattern", trace.seq - 1, trace.seq)[:, 0]
                own[layer, :, keys - trace.seq :] = pattern[: self.n_head]
        return 0.5 * np.abs(rows[0] - rows[1]).sum(axis=-1)


def check_vocabularies(first: Trace, second: Trace) -> None:
    """Refuse two runs whose models have different tokens.

    Raises:
        SettingsError: if they have.
    """
    sizes = {trace.config.vocab_size for trace in (first, second)}
    if len(sizes) > 1 or first.vocabulary != second.vocabulary:
        raise SettingsError(different_vocabularies(first.model, second.model))


def different_vocabularies(first: str, second: str) -> str:
    """What to say of two models whose tokens are not the same."""
    return (
        f"{first} and {second} have different vocabularies, so their next tokens cannot be compared; choose a model "
        f"with the tokens of {first}."
    )
