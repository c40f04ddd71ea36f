"""Questions of lesson 9, on one block: what it reads, and what it changes."""

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import NEAR, Contest, Question, of_contest, of_numbers
from gpt2.learn.words import number, places, token_at
from gpt2.trace.trace import Trace


def changed_most(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which token's vector the block changes most."""
    name = f"blocks.{layer}.hook_resid"
    change = trace[f"{name}_post"].astype(np.float64) - trace[f"{name}_pre"]
    lengths = np.linalg.norm(change, axis=1)
    return of_contest(
        "changed_most",
        f"Which of these tokens' vectors does block {layer} change most?",
        Contest.of(lengths.tolist()),
        places(trace),
        lambda at: (
            f"{token_at(trace, at)}: the block adds a vector of length {number(float(lengths[at]))} to it; to "
            f"all tokens {number(float(lengths.mean()))} on average."
        ),
        "A block works on all tokens at once. It adds what attention found and what the MLP made of it, to each its "
        "own.",
    )


def second_norm(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which of the block's two norms divides the newest token by more."""
    at = trace.seq - 1
    first, second = (float(trace.row(f"blocks.{layer}.ln{norm}.hook_scale", at)) for norm in (1, 2))
    if abs(first - second) <= NEAR * max(first, second):
        return None
    options = ("The first, before attention", "The second, before the MLP")
    right = options[int(second > first)]
    return Question(
        "second_norm",
        f"A block has two norms. Which divides {token_at(trace, at)} by more in block {layer}?",
        options,
        right,
        f"{right}: the first divides by {number(first)}, the second by {number(second)}.",
        "The second reads the stream after attention has written to it. What attention adds makes the vector longer or "
        "shorter, so the two norms never read the same.",
    )


def who_knows(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How many tokens' vectors would be others if one in the middle were another token."""
    seq = trace.seq
    if seq < 4:
        return None
    at = seq // 3
    return of_numbers(
        "who_knows",
        f"Put another token in the place of {token_at(trace, at)}. How many of the {seq} vectors that leave block "
        f"{layer} can change?",
        str(seq - at),
        ("1", str(at + 1), str(seq)),
        f"{seq - at}: those at the positions {at} to {seq - 1}.",
        "Within a block, only attention carries anything from one token to another, and the mask lets it go to later "
        "tokens alone.",
    )


ASKING = (changed_most, second_norm, who_knows)
