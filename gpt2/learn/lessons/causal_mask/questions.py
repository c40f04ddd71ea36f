"""Questions of lesson 2, on the mask over the run's own positions."""

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import Question, of_numbers
from gpt2.learn.what_if import scores_of, shares_of
from gpt2.learn.words import head_name, percent, spoken, token_at
from gpt2.trace.trace import Trace


def cells_of_row(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How many cells of a row are masked."""
    seq = trace.seq
    if seq < 3:
        return None
    row = (seq - 1) // 3
    masked = seq - 1 - row
    return of_numbers(
        "cells_of_row",
        f"This run has {seq} positions, so the mask is {seq} by {seq}. How many cells of row {row} are −∞?",
        str(masked),
        (str(masked + 1), str(row + 1), str(row)),
        f"{masked}: row {row} allows the columns 0 to {row}, and {seq} − {row + 1} = {masked} are left.",
        "A row is a query. It may look at itself and at all that came before it, so row 0 allows one cell, and each "
        "row one more.",
    )


def cells_of_square(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How many cells of the whole mask are masked."""
    seq = trace.seq
    if seq < 3:
        return None
    masked, allowed = seq * (seq - 1) // 2, seq * (seq + 1) // 2
    return of_numbers(
        "cells_of_square",
        f"How many of all {seq * seq:,} cells are −∞?",
        f"{masked:,}",
        (f"{allowed:,}", f"{seq * seq - 1:,}", f"{seq:,}"),
        f"{masked:,}: that is {seq} · {seq - 1} / 2. The other {allowed:,} are allowed.",
        f"The diagonal is allowed: its {seq} cells are a token's look at itself. Half of the others are later than the "
        "query.",
    )


def tempting_cell(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """What share a later token gets that a query would look at most."""
    if trace.seq < 2:
        return None
    free = shares_of(scores_of(trace, layer))  # [head, query, key]
    later = np.where(np.tri(trace.seq, dtype=bool), 0.0, free)
    head, query, key = (int(at) for at in np.unravel_index(later.argmax(), later.shape))
    without, equal = float(free[head, query, key]), 1 / (query + 1)
    if without < 0.01:
        return None
    return of_numbers(
        "tempting_cell",
        f"Without the mask, head {head_name(layer, head)} would give {percent(without)} of what "
        f"{token_at(trace, query)} looks at to {token_at(trace, key)}. What does it give with the mask?",
        percent(0),
        (percent(without), percent(equal), percent(without / 2)),
        f"{percent(0)}: position {key} comes after position {query}. The score becomes −∞, and e to the power of −∞ "
        "is 0.",
        f"The {percent(without)} are shared out among the tokens up to {spoken(trace.labels[query])}, in the "
        "proportions that these have already.",
    )


ASKING = (cells_of_row, cells_of_square, tempting_cell)
