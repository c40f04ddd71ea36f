"""Questions of lesson 8, on what a layer adds to the stream of the newest token."""

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import NEAR, Contest, Question, of_contest, of_numbers
from gpt2.learn.words import number, token_at
from gpt2.trace.trace import Trace


def lengths(trace: Trace, layer: int, *hooks: str) -> list[float]:
    """Lengths of the newest token's vectors at these points of a layer."""
    rows = (trace.row(f"blocks.{layer}.hook_{hook}", trace.seq - 1).astype(np.float64) for hook in hooks)
    return [float(np.linalg.norm(row)) for row in rows]


def adds_more(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which part of the layer adds the longer vector."""
    attention, mlp = lengths(trace, layer, "attn_out", "mlp_out")
    if abs(attention - mlp) <= NEAR * max(attention, mlp):
        return None
    options = ("Attention", "The MLP")
    right = options[int(mlp > attention)]
    return Question(
        "adds_more",
        f"Which adds the longer vector to {token_at(trace, trace.seq - 1)} in layer {layer}?",
        options,
        right,
        f"{right}: attention adds a vector of length {number(attention)}, the MLP one of {number(mlp)}.",
        "Attention brings what other tokens hold. The MLP makes something new of what has arrived.",
    )


def length_of_sum(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How long the stream is after attention was added."""
    before, added, after = lengths(trace, layer, "resid_pre", "attn_out", "resid_mid")
    wrong = [before + added, abs(before - added), added]
    apart = [value for value in wrong if abs(value - after) > NEAR * max(after, value)]
    if len(apart) < 2 or not before or not added:
        return None
    cosine = (after**2 - before**2 - added**2) / (2 * before * added)
    return of_numbers(
        "length_of_sum",
        f"In layer {layer} the newest token's vector has length {number(before)}, and attention adds one of length "
        f"{number(added)}. How long is the sum?",
        number(after),
        [number(value) for value in apart],
        f"{number(after)}: the cosine of the two is {number(cosine)}, so they point "
        f"{'partly the same way' if cosine > 0.1 else 'partly against each other' if cosine < -0.1 else 'across'}.",
        "Vectors add up number by number. Only those that point the same way add up their lengths too.",
    )


def largest_step(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which layer adds the longest vector, both parts together."""
    steps = []
    for at in range(checkpoint.config.n_layer):
        attention, mlp = (trace.row(f"blocks.{at}.hook_{part}_out", trace.seq - 1) for part in ("attn", "mlp"))
        steps.append(float(np.linalg.norm(attention.astype(np.float64) + mlp)))
    return of_contest(
        "largest_step",
        f"Which of these layers adds the longest vector to {token_at(trace, trace.seq - 1)}?",
        Contest.of(steps),
        {at: f"Layer {at}" for at in range(len(steps))},
        lambda at: (
            f"Layer {at} adds {number(steps[at])}; all of them add {number(sum(steps) / len(steps))} on average."
        ),
        "Every layer only adds. Nothing that one has written is lost, but a later one can write over it with its "
        "opposite.",
    )


ASKING = (adds_more, length_of_sum, largest_step)
