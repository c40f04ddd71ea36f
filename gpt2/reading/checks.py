"""Checks of a run: what must hold of its numbers, how far each is off, and how far it may be. NumPy alone.

Differences are relative to the largest magnitude that they are compared with, except those of row sums.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.model.inputs import MLP_OUT, PLACES, RESID_POST, RESID_PRE
from gpt2.trace.captures import PATTERN, Storage
from gpt2.trace.trace import Trace

from .attribution import logits_at

Array = NDArray[np.floating]

TOLERANCE, ROW_TOLERANCE = 1e-4, 1e-5
# A number in half precision is off by at most 2^-11 of itself; sums of such numbers are off by a little more.
HALF_TOLERANCE = 2e-3


@dataclass(frozen=True)
class Check:
    """One thing that must hold.

    Attributes:
        name, meaning: a few words, and a sentence.
        off: how far the numbers are off at most; None if that is not known.
        tolerance: how far they may be.
        note: why it is not known, or what was compared.
    """

    name: str
    meaning: str
    off: float | None
    tolerance: float
    note: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether the numbers are further off than they may be; a NaN is too."""
        return self.off is not None and not self.off <= self.tolerance

    def __str__(self) -> str:
        """The check on one line."""
        off = "not checked" if self.off is None else f"off by at most {self.off:.0e}, may be {self.tolerance:.0e}"
        return f"{'FAILED: ' if self.has_failed else ''}{self.name}: {off}. {self.note}".strip()


ROWS = "Attention rows sum to 1", "Every row of every head's attention pattern adds up to 100 %."
PARTS = "Parts sum to the logits", "Embeddings, attention and MLPs add up, through the final norm, to every logit."
CACHED = "Cached equals one full pass", "The whole text read at once gives what the steps gave one by one."


def relative(ours: Array, reference: Array) -> float:
    """Largest difference over the reference's largest magnitude; infinite if one of ours is not a number."""
    difference, largest = (float(np.max(np.abs(array))) for array in (ours - reference, reference))
    if not difference:
        return 0.0
    return difference / largest if largest and np.isfinite(difference) else float("inf")


def tolerance(array: Array, full: float = TOLERANCE) -> float:
    """How far numbers may be off: more if they are stored in half precision, as these then are."""
    return HALF_TOLERANCE if np.array_equal(array, array.astype(np.float16)) else full


def rows_sum_to_one(trace: Trace) -> Check:
    """Whether the attention patterns that the run stores sum to 1 in each row; those that it dropped are left out."""
    errors, limit = [], ROW_TOLERANCE
    for step in trace.steps:
        for layer in range(trace.config.n_layer):
            if (name := f"blocks.{layer}.{PATTERN}") in step.captures:
                pattern = step.captures[name]  # [head, query, key]
                errors.append(np.abs(pattern.sum(axis=-1, dtype=np.float64) - 1).max())
                limit = tolerance(pattern, ROW_TOLERANCE)
    if not errors:
        return Check(*ROWS, None, limit, "The run stores no patterns any more.")
    return Check(*ROWS, float(np.max(errors)), limit)


def parts_sum_to_logits(trace: Trace, checkpoint: Checkpoint) -> Check:
    """Whether the parts of the newest token's stream give all its logits, interventions included.

    Raises:
        TraceError: if a capture was dropped and cannot be recomputed.
    """
    at, weights = trace.seq - 1, checkpoint.weights
    x = sum_of_parts(trace, at)
    centred = (x - x.mean()) / float(trace.row("ln_final.hook_scale", at))
    final = centred * weights["ln_f.weight"] + weights["ln_f.bias"]  # [d_model]
    logits, is_captured = logits_at(trace, checkpoint, at)  # [vocab]
    off = relative(weights["lm_head.weight"] @ final.astype(np.float32), logits)
    note = "" if is_captured else "The logits were read anew from the top of the stream."
    return Check(*PARTS, off, tolerance(trace.row("blocks.0.hook_attn_out", at)), note)


def sum_of_parts(trace: Trace, position: int) -> NDArray[np.float64]:
    """Both embeddings and what every layer added, with what interventions made of the stream. Shapes: [d_model]."""

    def row(hook: str) -> NDArray[np.float64]:
        return trace.row(hook, position).astype(np.float64)

    x = row("hook_embed") + row("hook_pos_embed")
    for layer in range(trace.config.n_layer):
        change = trace.layer_inputs(layer)
        (scale, added), (scale_after, added_after) = (
            (change.stream_scale[at, position], change.vectors[change.added[at, position]])
            for at in (PLACES.index(RESID_PRE), PLACES.index(RESID_POST))
        )
        x = x * scale + added + row(f"blocks.{layer}.hook_attn_out") + row(f"blocks.{layer}.{MLP_OUT}")
        x = x * scale_after + added_after
    return x


def same_in_one_pass(trace: Trace, whole: Trace) -> Check:
    """Whether a pass over the whole text captured what the run's steps did; what either dropped is left out.

    Args:
        trace: the run, step by step.
        whole: the same text in one step.
    """
    found: dict[str, float] = {}
    limits = [TOLERANCE]
    for name in trace.axes:
        if max(trace.storage_of(name), whole.storage_of(name)) == Storage.DROPPED:
            continue
        ours, reference = ((run[name][-1] if name == "logits" else run[name]) for run in (trace, whole))
        seen = np.isfinite(reference)
        found[name] = relative(ours[seen], reference[seen])
        limits += [tolerance(ours), tolerance(reference)] if name.endswith(PATTERN) else []
    worst = max(found, key=found.__getitem__)
    return Check(*CACHED, found[worst], max(limits), f"Of {len(found)} captures {worst} differs most.")
