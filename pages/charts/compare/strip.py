"""The distance of two runs' next tokens at every step that both have, each way, in bits."""

import numpy as np
from numpy.typing import NDArray

from gpt2.experiments.trace_pair import TracePair
from gpt2.model.sampling import softmax
from pages.look.numbers import bits
from pages.look.tokens import spoken
from pages.matrix.blob import Picture
from pages.matrix.scale import size

Floats = NDArray[np.float64]
TITLE = "How far apart the next tokens are, step by step"


def kl_strip(pair: TracePair, values: Floats, step: int, height: int) -> Picture:
    """One column a step, one row a direction. Shapes: values [2, step]."""
    label, n_steps = pair.first.vocabulary.label, values.shape[1]
    read = [[label(trace.steps[at].ids[-1]) for at in range(n_steps)] for trace in pair.both]
    notes = [
        f"step {at}: after {spoken(one)} in the first, after {spoken(other)} in the second"
        for at, (one, other) in enumerate(zip(*read, strict=True))
    ]
    return Picture(
        values,
        [way.replace("KL", "") for way in pair.ways],
        read[0] if pair.has_one_text else [str(at) for at in range(n_steps)],
        size("KL of the next token, bits", "sampling", values, square_root=True),
        TITLE,
        kl_sentence(pair, values, step),
        "Σ p log₂(p / q) at step {c}",
        row_names=pair.ways,
        column_title="after" if pair.has_one_text else "step",
        mark_column=step,
        notes=[notes, notes],
        height=height,
    )


def kl_sentence(pair: TracePair, values: Floats, step: int) -> str:
    """The divergence at the shown step both ways, and the step where it is largest. Shapes: values [2, step]."""
    if not values.any():
        return f"The next tokens of both are the same at all {values.shape[1]} steps: {bits(0)}."
    way, most = np.unravel_index(int(values.argmax()), values.shape)
    return (
        f"At step {step} {pair.ways[0]} is {bits(values[0, step])} and {pair.ways[1]} {bits(values[1, step])}. The "
        f"largest of all {values.shape[1]} steps is {pair.ways[int(way)]} at step {most}: {bits(values.max())}."
    )


def operands(pair: TracePair, values: Floats, step: int) -> list[str]:
    """The term of the sum that adds most, and the sum. Shapes: values [2, step]."""
    p, q = (softmax(trace.step_logits([step])[0]) for trace in pair.both)
    terms = np.where(p > 0, p * np.log2(np.maximum(p, 1e-300) / np.maximum(q, 1e-300)), 0)
    token = int(terms.argmax())
    return [
        f"{spoken(pair.first.vocabulary.label(token))} adds most: p log₂(p / q) = {p[token]:.6f} × "
        f"log₂({p[token]:.6f} / {q[token]:.6f}) = {terms[token]:.6f} bits.",
        f"The sum over all {len(p):,} tokens is {values[0, step]:.6f} bits; with p and q exchanged it is "
        f"{values[1, step]:.6f} bits.",
    ]
