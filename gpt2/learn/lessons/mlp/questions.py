"""Questions of lesson 4, on the neurons of a layer's MLP."""

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import Contest, Question, of_contest, of_numbers
from gpt2.learn.what_if import gelu
from gpt2.learn.words import number, places, token_at
from gpt2.trace.trace import Trace

APART = 25  # options of a share, in per cent


def held_back(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How many of a token's neurons are negative before GELU."""
    at = trace.seq - 1
    pre = trace.row(f"blocks.{layer}.mlp.hook_pre", at)
    count, whole = int((pre < 0).sum()), len(pre)
    share = round(100 * count / whole)
    shares = [other for step in (-2, -1, 0, 1, 2) if 0 <= (other := share + APART * step) <= 100]
    return of_numbers(
        "held_back",
        f"Layer {layer} has {whole:,} neurons. How many of every 100 are below 0 before GELU at {token_at(trace, at)}?",
        str(share),
        [str(other) for other in shares if other != share],
        f"{share} of 100: {count:,} of {whole:,}.",
        "GELU holds back nearly all that is below 0. What a token's neurons write comes from those that are above.",
    )


def small_negative(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """What GELU makes of the neuron that is nearest to its lowest point."""
    at = trace.seq - 1
    pre = trace.row(f"blocks.{layer}.mlp.hook_pre", at).astype(np.float64)
    neuron = int(np.abs(pre + 0.75).argmin())
    before = float(pre[neuron])
    after = float(gelu(np.array(before)))
    if not -2 < before < -0.3:
        return None
    return of_numbers(
        "small_negative",
        f"Neuron {neuron} of layer {layer} stands at {number(before)} at {token_at(trace, at)}. What does GELU make "
        "of it?",
        number(after),
        (number(0.0), number(before), number(-after)),
        f"{number(after)}.",
        "ReLU would make it 0. GELU bends softly: it lets a little of small negative numbers through, and nothing of "
        "large ones.",
    )


def where_it_fires(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """At which token the neuron fires most that fires most in this run."""
    post = trace[f"blocks.{layer}.mlp.hook_post"]  # [seq, d_mlp]
    neuron = int(post.max(axis=0).argmax())
    fired = post[:, neuron]
    return of_contest(
        "where_it_fires",
        f"No neuron of layer {layer} fires higher in this run than neuron {neuron}. At which of these tokens does it "
        "fire most?",
        Contest.of(fired.tolist()),
        places(trace),
        lambda at: f"{token_at(trace, at)}: it stands at {number(float(fired[at]))} there.",
        "An MLP sees one token's vector at a time. What the neuron knows of the text before, attention has written "
        "into that vector.",
    )


ASKING = (held_back, small_negative, where_it_fires)
