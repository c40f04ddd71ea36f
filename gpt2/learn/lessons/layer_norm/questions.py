"""Questions of lesson 3, on the norm that a layer's attention reads through."""

import math

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import Contest, Question, of_contest, of_numbers
from gpt2.learn.words import number, places, token_at
from gpt2.trace.trace import Trace


def mean_after(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """The mean of a normalised row."""
    at = trace.seq - 1
    before = float(trace.row(f"blocks.{layer}.hook_resid_pre", at).mean(dtype=np.float64))
    after = float(trace.row(f"blocks.{layer}.ln1.hook_normalized", at).mean(dtype=np.float64))
    wrong = [number(1.0), number(-1.0)] + ([number(before)] if abs(before) > 0.01 else [])
    return of_numbers(
        "mean_after",
        f"The vector of {token_at(trace, at)} enters layer {layer} with mean {number(before)}. What is its mean after "
        "it is normalised, before gain and shift?",
        number(0.0),
        wrong,
        f"{number(0.0)}: in the run it is off by less than {'a millionth' if abs(after) < 1e-6 else number(1e-3)}.",
        "The mean is taken off every number of the vector, so what is left adds up to 0. It is the spread that "
        "becomes 1.",
    )


def doubled(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """What a row is divided by if it is doubled."""
    at = trace.seq - 1
    row = trace.row(f"blocks.{layer}.hook_resid_pre", at).astype(np.float64)
    epsilon = checkpoint.config.layer_norm_epsilon
    once, twice = (math.sqrt(float((factor * row).var()) + epsilon) for factor in (1, 2))
    if abs(twice / once - 2) > 0.01:  # epsilon is felt
        return None
    return of_numbers(
        "doubled",
        f"At layer {layer} the vector of {token_at(trace, at)} is divided by {number(once)}. What would a vector twice "
        "as long be divided by?",
        number(twice),
        (number(once), number(4 * once), number(once / 2)),
        f"{number(twice)}: the scale is the vector's own spread, and it doubles with the vector.",
        "So the output stays what it was. A layer reads which way a vector points; its length is lost here.",
    )


def largest_scale(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which token is divided by most."""
    scale = trace[f"blocks.{layer}.ln1.hook_scale"]
    return of_contest(
        "largest_scale",
        f"Which of these tokens is divided by the largest number at layer {layer}?",
        Contest.of(scale.tolist()),
        places(trace),
        lambda at: f"{token_at(trace, at)}: its scale is {number(float(scale[at]))}.",
        "The scale is each token's own: a token whose vector has grown long is divided by more, and so all tokens come "
        "out alike in length.",
    )


ASKING = (mean_after, doubled, largest_scale)
