"""Questions of lesson 7, on the patterns of a layer's heads."""

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import Contest, Question, of_contest, of_numbers
from gpt2.learn.words import head_name, percent, places, token_at
from gpt2.trace.trace import Trace


def looks_back(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which head looks at the token before, on average over all positions that have one."""
    if trace.seq < 2 or checkpoint.config.n_head < 2:
        return None
    pattern = trace[f"blocks.{layer}.attn.hook_pattern"].astype(np.float64)  # [head, query, key]
    shares = pattern[:, np.arange(1, trace.seq), np.arange(trace.seq - 1)].mean(axis=1)  # [head]
    labels = {head: head_name(layer, head) for head in range(len(shares))}
    return of_contest(
        "looks_back",
        "Which of these heads looks most at the token just before, on average over the run?",
        Contest.of(shares.tolist()),
        labels,
        lambda at: (
            f"{labels[at]}: it gives {percent(shares[at])} to the token before; all heads of this layer give "
            f"{percent(shares.mean())} on average."
        ),
        "Nobody gave the heads tasks. Many models grow a head that looks one token back, since other heads can build "
        "on what it copies.",
    )


def looks_where(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """At which token the newest one looks most, in the head that has its mind made up most."""
    rows = trace.queries(f"blocks.{layer}.attn.hook_pattern", trace.seq - 1, trace.seq)[:, 0].astype(np.float64)
    head = int(rows.max(axis=1).argmax())
    row = rows[head]  # [key]
    return of_contest(
        "looks_where",
        f"At which of these does the newest token, {token_at(trace, trace.seq - 1)}, look most in head "
        f"{head_name(layer, head)}?",
        Contest.of(row.tolist()),
        places(trace),
        lambda at: f"{token_at(trace, at)} gets {percent(row[at])}.",
        "The first token often gets what a head does not need: the shares must add up to 100 % even if there is "
        "nothing to look for.",
    )


def first_row(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """What the first token looks at."""
    seq, n_head = trace.seq, checkpoint.config.n_head
    if seq < 2:
        return None
    seen = trace.queries(f"blocks.{layer}.attn.hook_pattern", 0, 1)[:, 0, 0]
    return of_numbers(
        "first_row",
        f"How much of its attention does {token_at(trace, 0)} give to itself in layer {layer}, head by head?",
        percent(1),
        (percent(1 / seq), percent(1 / n_head), percent(0)),
        f"{percent(1)} in each of the {n_head} heads; the run has {percent(float(seen.min()))} at the least.",
        "The mask leaves it nothing but itself, and softmax shares out 100 % among what is left.",
    )


ASKING = (looks_back, looks_where, first_row)
