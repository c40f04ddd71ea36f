"""Questions of lesson 5, on the rows that the run's tokens look up."""

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import Contest, Question, of_contest, of_numbers
from gpt2.learn.words import number, spoken
from gpt2.trace.trace import Trace


def tokens_of(trace: Trace) -> list[int]:
    """The run's different tokens, in the order of the text; one of two that read alike."""
    by_label = {trace.vocabulary.label(token): token for token in reversed(trace.computed_ids)}
    return list(dict.fromkeys(token for token in trace.computed_ids if token in by_label.values()))


def longest(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which token has the longest vector."""
    tokens = tokens_of(trace)
    lengths = np.linalg.norm(checkpoint.weights["wte.weight"][tokens].astype(np.float64), axis=1)
    labels = {at: spoken(trace.vocabulary.label(token)) for at, token in enumerate(tokens)}
    return of_contest(
        "longest",
        "Which of these tokens of the run has the longest vector in the table?",
        Contest.of(lengths.tolist()),
        labels,
        lambda at: (
            f"{labels[at]}: its length is {number(float(lengths[at]))}, that of all of them "
            f"{number(float(lengths.mean()))} on average."
        ),
        "The lengths are learned too. Nothing makes them equal: a token that training has met often may have a row of "
        "another length than a rare one.",
    )


def most_alike(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which of the run's tokens points most nearly the same way as its newest one."""
    tokens = [token for token in tokens_of(trace) if token != trace.computed_ids[-1]]
    if len(tokens) < 2:
        return None
    table, newest = checkpoint.weights["wte.weight"], spoken(trace.labels[-1])
    rows, own = table[tokens].astype(np.float64), table[trace.computed_ids[-1]].astype(np.float64)
    cosines = rows @ own / np.linalg.norm(rows, axis=1) / np.linalg.norm(own)
    labels = {at: spoken(trace.vocabulary.label(token)) for at, token in enumerate(tokens)}
    return of_contest(
        "most_alike",
        f"Which of these tokens has the vector that points most nearly the same way as that of {newest}?",
        Contest.of(cosines.tolist()),
        labels,
        lambda at: f"{labels[at]}: the cosine of the two is {number(float(cosines[at]))}.",
        "Nobody said which tokens are alike. In training, tokens that are used in the same places come to point the "
        "same way.",
    )


def how_many_numbers(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How many numbers the run looks up."""
    seq, width, vocab = trace.seq, checkpoint.config.n_embd, checkpoint.config.vocab_size
    return of_numbers(
        "how_many_numbers",
        f"The run's {seq} tokens are looked up in a table of {vocab:,} rows and {width} columns. How many numbers come "
        "out?",
        f"{seq * width:,}",
        (f"{seq:,}", f"{seq * vocab:,}", f"{vocab * width:,}"),
        f"{seq * width:,}: a row of {width} numbers for each of {seq} tokens.",
        "A look-up multiplies nothing. It takes one whole row for each token, and the same row wherever the token "
        "stands.",
    )


ASKING = (longest, most_alike, how_many_numbers)
