"""Questions of lesson 6, on the rows that the run's positions look up."""

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import NEAR, Contest, Question, of_contest
from gpt2.learn.words import number, token_at
from gpt2.trace.trace import Trace


def most_alike(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which position's vector points most nearly the same way as that of one in the middle."""
    seq = trace.seq
    if seq < 4:
        return None
    asked = seq // 2
    others = sorted({0, asked // 2, asked - 1, seq - 1} - {asked})
    rows = checkpoint.weights["wpe.weight"][:seq].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows[others] @ rows[asked]
    return of_contest(
        "most_alike",
        f"Which of these positions has the vector that points most nearly the same way as that of position {asked}?",
        Contest.of(cosines.tolist(), near=0.01),
        {at: f"Position {other}" for at, other in enumerate(others)},
        lambda at: f"Position {others[at]}: the cosine of the two is {number(float(cosines[at]))}.",
        "No formula orders these rows. In most trained models, positions that stand close together have similar rows.",
    )


def which_is_longer(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which of the two summands is longer, at the newest position where that is clear."""
    lengths = [np.linalg.norm(trace[hook].astype(np.float64), axis=1) for hook in ("hook_embed", "hook_pos_embed")]
    token, position = lengths
    clear = np.flatnonzero(np.abs(token - position) > NEAR * np.maximum(token, position))
    if not clear.size:
        return None
    at = int(clear[-1])
    options = ("The vector of the token", "The vector of the position")
    right = options[int(position[at] > token[at])]
    return Question(
        "which_is_longer",
        f"Two vectors are added for {token_at(trace, at)}. Which is longer?",
        options,
        right,
        f"{right}: the token's has length {number(float(token[at]))}, the position's {number(float(position[at]))}.",
        "Both live in the same numbers of the stream. The longer one decides more about which way the sum points.",
    )


def longest(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which position has the longest vector."""
    lengths = np.linalg.norm(trace["hook_pos_embed"].astype(np.float64), axis=1)
    return of_contest(
        "longest",
        "Which of these positions has the longest vector in the table?",
        Contest.of(lengths.tolist()),
        {at: f"Position {at}" for at in range(trace.seq)},
        lambda at: (
            f"Position {at}: its length is {number(float(lengths[at]))}, that of all of them "
            f"{number(float(lengths.mean()))} on average."
        ),
        "The table was learned, one row for each position, so nothing forces the rows to be equally long.",
    )


ASKING = (most_alike, which_is_longer, longest)
