"""Numbers that Hugging Face transformers gave for a few texts, stored beside the bundled model, to hold runs against.

Of each position a few numbers of every captured kind are stored. A position depends on no later one, so that they hold
for any run that begins with one of the texts. `python -m tests.ship_reference` makes them anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.trace.captures import PATTERN
from gpt2.trace.trace import Trace

from .attribution import logits_at
from .checks import TOLERANCE, Check, tolerance

Array = NDArray[np.float32]
FILE = Path(__file__).parents[1] / "bundled" / "transformers.npz"
MODEL = "bundled"
SEED, PICKS = 7, 2
HUGGING_FACE = "As Hugging Face has it", "transformers gives the same numbers for this text with the same weights."


@dataclass(frozen=True)
class Stored:
    """One text as transformers read it.

    Attributes: `ids` are its tokens.
    Shapes: values [seq, kind, pick], the picked numbers of the kinds in their order: the stream before each block, the
    final norm's output, each block's patterns, and the logits; largest [kind], the largest magnitude of each.
    """

    ids: tuple[int, ...]
    values: Array
    largest: Array

    def common(self, ids: Sequence[int]) -> int:
        """How many tokens another text begins with as this one does."""
        same = [one == other for one, other in zip(self.ids, ids, strict=False)]
        return same.index(False) if False in same else len(same)


def picked(rows: Sequence[Array], position: int) -> Array:
    """The numbers to be stored of each kind's row at a position, always from the same places.

    Shapes: rows [kind], each of any shape -> [kind, pick].
    """
    return np.array(
        [
            row.ravel()[np.random.default_rng([SEED, position, kind]).integers(row.size, size=PICKS)]
            for kind, row in enumerate(rows)
        ]
    )


@cache
def stored(file: Path = FILE) -> tuple[Stored, ...]:
    """All texts of the file."""
    with np.load(file) as arrays:
        count = len(arrays.files) // 3
        texts = [[arrays[f"{part}.{text}"] for part in ("ids", "values", "largest")] for text in range(count)]
    return tuple(Stored(tuple(ids.tolist()), values, largest) for ids, values, largest in texts)


def save(texts: Sequence[Stored], file: Path = FILE) -> None:
    """Write the texts."""
    arrays = {
        f"{part}.{number}": np.array(getattr(text, part))
        for number, text in enumerate(texts)
        for part in ("ids", "values", "largest")
    }
    np.savez_compressed(file, allow_pickle=False, **arrays)


def same_as_hugging_face(trace: Trace, checkpoint: Checkpoint) -> Check:
    """Whether the run's numbers are those stored for the text that its prompt is the beginning of.

    Raises:
        TraceError: if a capture was dropped and cannot be recomputed.
    """
    text = max(stored(), key=lambda text: text.common(trace.computed_ids))
    count = text.common(trace.computed_ids)
    is_changed = any(step.interventions for step in trace.steps)
    if trace.model != MODEL or is_changed or count < len(trace.prompt_ids):
        why = "a model that is changed" if is_changed else f"this text and {trace.model}"
        return Check(*HUGGING_FACE, None, TOLERANCE, f"No reference is stored for {why}.")
    ours = np.array([picked(rows_at(trace, checkpoint, position), position) for position in range(count)])
    off = float((np.abs(ours - text.values[:count]) / text.largest[:, None]).max())
    note = f"Compared at {count} of {trace.seq} tokens, {ours[0].size} numbers each."
    return Check(*HUGGING_FACE, off, tolerance(trace.row("blocks.0.hook_attn_out", trace.seq - 1)), note)


def rows_at(trace: Trace, checkpoint: Checkpoint, position: int) -> list[Array]:
    """A run's numbers at a position, kind by kind as they are stored. Shapes: pattern rows [head, key]."""
    layers, weights = range(trace.config.n_layer), checkpoint.weights
    normalized = trace.row("ln_final.hook_normalized", position)
    return [
        *(trace.row(f"blocks.{layer}.hook_resid_pre", position) for layer in layers),
        normalized * weights["ln_f.weight"] + weights["ln_f.bias"],
        *(trace.queries(f"blocks.{layer}.{PATTERN}", position, position + 1)[:, 0, : position + 1] for layer in layers),
        logits_at(trace, checkpoint, position)[0],
    ]
