"""A sweep as a heat map: the effect of each change, by layer and head, or by layer and position."""

import numpy as np

from gpt2.experiments.part import stream
from gpt2.experiments.sweep import Sweep
from gpt2.text.vocabulary import Vocabulary
from pages.look.names import head_name, layer_name, part_name
from pages.look.numbers import percent, signed
from pages.look.tokens import spoken
from pages.matrix.blob import Picture
from pages.matrix.scale import signed as signed_scale

ABLATIONS, STREAM, PARTS = "Every head and MLP, ablated", "Stream, patched", "Every head and MLP, patched"
SWEEPS = (ABLATIONS, STREAM, PARTS)
ABLATION_LABEL, PATCH_LABEL = "change of the logit difference", "share restored: 0 none, 1 all"


def heat_map(found: Sweep, name: str, vocabulary: Vocabulary, height: int) -> Picture:
    """The effects, the last layer on top; cells that are not measured yet are hatched.

    Args:
        found: the sweep.
        name: one of `SWEEPS`.
        vocabulary: names the tokens.
        height: in pixels.
    """
    is_stream, labels = name == STREAM, [vocabulary.label(token) for token in found.ids]
    columns = [labels[at] if is_stream else "MLP" if at < 0 else f"H{at}" for at in found.columns]
    return Picture(
        found.values[::-1],
        [layer_name(layer) for layer in reversed(found.rows)],
        columns,
        signed_scale(ABLATION_LABEL if name == ABLATIONS else PATCH_LABEL, found.values),
        name,
        heat_sentence(found, name, vocabulary),
        "",
        row_title="layer",
        column_title="position" if is_stream else "",
        column_start=found.columns[0] if is_stream else None,
        height=height,
    )


def part_of(found: Sweep, name: str, cell: tuple[int, int], vocabulary: Vocabulary) -> str:
    """What is changed in a cell of the sweep, in words."""
    layer, column = found.rows[cell[0]], found.columns[cell[1]]
    if name == STREAM:
        return f"{stream(layer).name} at {spoken(vocabulary.label(found.ids[column]))} (position {column})"
    return part_name("MLP", layer) if column < 0 else head_name(layer, column)


def picked_sentence(found: Sweep, name: str, cell: tuple[int, int], vocabulary: Vocabulary) -> str:
    """The number in one cell, with its place among all."""
    value, part = float(found.values[cell]), part_of(found, name, cell, vocabulary)
    if np.isnan(value):
        return f"{part[0].upper()}{part[1:]} has not been measured yet."
    rank = 1 + int((np.abs(found.values) > abs(value)).sum())
    what = f"changes the logit difference by {signed(value)}"
    if name != ABLATIONS:
        what = f"restores {percent(value)}" if value >= 0 else f"moves away by {percent(-value)}"
    return f"{part[0].upper()}{part[1:]} {what}: number {rank} of {found.done} by size."


def heat_sentence(found: Sweep, name: str, vocabulary: Vocabulary) -> str:
    """The strongest change so far, with the number in its cell."""
    token, against = (spoken(vocabulary.label(one)) for one in (found.token, found.against))
    if not found.done:
        return f"Nothing is measured yet; the effect is on the logit of {token} minus that of {against}."
    cell = found.strongest
    value, part = float(found.values[cell]), part_of(found, name, cell, vocabulary)
    part = f"{part[0].upper()}{part[1:]}"
    so_far = "" if found.done == found.total else f" so far, after {found.done} of {found.total} passes"
    if name == ABLATIONS:
        return (
            f"{part} matters most{so_far}: without it, the logit of {token} minus that of {against} changes by "
            f"{signed(value)}. The mean effect is {signed(float(np.nanmean(found.values)))}."
        )
    written = percent(value) if value >= 0 else f"{signed(value)} times"
    return (
        f"{part} restores most{so_far}: patched in by itself, it brings {written} of the difference between the "
        f"prompts, the logit of {token} minus that of {against}."
    )
