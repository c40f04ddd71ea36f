"""The attention of two runs at one step: every head as one mosaic, or one head large."""

import numpy as np
from numpy.typing import NDArray

from gpt2.experiments.trace_pair import TracePair
from pages.charts.attention import look_phrase
from pages.charts.attention_shares import Reading, Subject, joined_row, newest_rows
from pages.charts.branches.parting import attention_sentence
from pages.look.names import head_name, layer_name
from pages.look.numbers import fixed, percent
from pages.look.tokens import spoken_at
from pages.matrix.blob import Picture

from .which import DIFFERENCE, MINUS, POINTS, SECOND, VIEWS, left_out, share_scale, shown_shares

Array = NDArray[np.floating]
MOST = 64  # positions: a tile of more would hide its cells
TITLE = "Every head, this step"


def mosaic(pair: TracePair, which: str, height: int) -> Picture:
    """A tile for each head that both models have, over the newest positions that both have; layers upwards."""
    layers = range(pair.n_layer)[::-1]
    values = shown_shares(np.stack([pair.patterns(layer, MOST) for layer in layers], axis=1), which)
    sentence, notes = _notes(pair, which)
    return Picture(
        values,
        rows=[layer_name(layer) for layer in layers],
        columns=[f"H{head}" for head in range(pair.n_head)],
        scale=share_scale(values, which, "attention weight", "attention"),
        title=TITLE,
        caption=" ".join(
            filter(None, (sentence, "Click a head to see it large.", positions_shown(pair), left_out(pair)))
        ),
        locks=True,
        hook="{row}.attn.hook_pattern[{c}]" + (f", {MINUS}" if which == DIFFERENCE else ""),
        row_names=[f"blocks.{layer}" for layer in layers],
        mark_row=values.shape[2] - 1,
        notes=notes[::-1],
        height=height,
    )


def _notes(pair: TracePair, which: str) -> tuple[str, list[list[str]]]:
    """A sentence on the head that stands out, and one for each head. The notes are [layer][head]."""
    names = [[head_name(layer, head) for head in range(pair.n_head)] for layer in range(pair.n_layer)]
    if which == DIFFERENCE:
        moved = pair.attention_moved()
        notes = [
            [f"{name}: {percent(share)} of its attention lies elsewhere" for name, share in zip(*row, strict=True)]
            for row in zip(names, moved, strict=True)
        ]
        return attention_sentence(len(pair.first.steps) - 1, moved), notes
    trace = pair.both[VIEWS.index(which)]
    rows = newest_rows(trace, Reading())[: pair.n_layer, : pair.n_head]  # [layer, head, key]
    token = spoken_at(trace, -1)
    notes = [
        [f"{name}: {token} {look_phrase(trace, own)}" for name, own in zip(*row, strict=True)]
        for row in zip(names, rows, strict=True)
    ]
    layer, head = np.unravel_index(int(rows.max(axis=2).argmax()), rows.shape[:2])
    return f"{notes[int(layer)][int(head)]}, the largest weight of all heads.", notes


def shown_head(pair: TracePair, locked: tuple[int, int] | None) -> tuple[int, int]:
    """The (layer, head) to show large: the locked one if both models have it, else the one that differs most."""
    if locked is not None and locked[0] < pair.n_layer and locked[1] < pair.n_head:
        return locked
    layer, head = np.unravel_index(int(pair.attention_moved().argmax()), (pair.n_layer, pair.n_head))
    return int(layer), int(head)


def pattern(pair: TracePair, head: tuple[int, int], which: str, height: int) -> Picture:
    """One head's pattern over the newest positions that both have."""
    both = pair.patterns(head[0], MOST)[:, head[1]]  # [2, query, key]
    values = shown_shares(both, which)
    count = len(values)
    first, second = (trace.labels[-count:] for trace in pair.both)
    labels = [one if one == other else f"{one} / {other}" for one, other in zip(first, second, strict=True)]
    if which != DIFFERENCE:
        labels = (first, second)[VIEWS.index(which)]
    trace = pair.both[which == SECOND]
    return Picture(
        values,
        labels,
        labels,
        share_scale(values, which, "attention weight", "attention"),
        f"{head_name(*head)}, large",
        f"{_row_sentence(pair, head, which, both[:, -1])} {positions_shown(pair)}".strip(),
        f"blocks.{head[0]}.attn.hook_pattern[{head[1]}, {{r}}, {{c}}]" + (f", {MINUS}" if which == DIFFERENCE else ""),
        row_start=trace.seq - count,
        column_start=trace.seq - count,
        mark_row=count - 1,
        square=True,
        height=height,
    )


def _row_sentence(pair: TracePair, head: tuple[int, int], which: str, rows: Array) -> str:
    """Where the newest token looks, or where it looks more and less. Shapes: rows [2, key]."""
    name = head_name(*head)
    if which != DIFFERENCE:
        trace = pair.both[VIEWS.index(which)]
        row = joined_row(trace, Subject((head,)), Reading(), [trace.seq - 1])
        return f"{name}: {spoken_at(trace, -1)} {look_phrase(trace, row)}."
    moved = 100 * (rows[1] - rows[0])
    if not moved.any():
        return f"{name} looks at the same positions with the same weights in both."
    more, less = (len(moved) - 1 - int(at) for at in (moved.argmax(), moved.argmin()))
    return (
        f"From its newest token {name} of the second looks {fixed(moved.max(), 1)} {POINTS} more at "
        f"{_back(pair, more)} and {fixed(-moved.min(), 1)} less at {_back(pair, less)}."
    )


def _back(pair: TracePair, back: int) -> str:
    one, other = (spoken_at(trace, trace.seq - 1 - back) for trace in pair.both)
    token = one if one == other else f"{one} ({other} in the second)"
    return f"{token}, {back} back" if back else f"itself, {token}"


def positions_shown(pair: TracePair) -> str:
    """Which positions are shown, if not all, and how those of two lengths are paired."""
    one, other = (trace.seq for trace in pair.both)
    count = min(one, other, MOST)
    if one == other:
        return f"The newest {count} of {one} positions are shown." if count < one else ""
    return (
        f"The newest {count} positions of both are shown, paired from the newest backwards ({one} and {other} in all)."
    )
