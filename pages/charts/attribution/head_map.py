"""What every head, every bias of attention and every MLP adds to a logit, layer by layer."""

import numpy as np

from gpt2.reading.logit_parts import ATTENTION_BIAS, FINAL_BIAS, HEAD, MLP, POSITION, TOKEN, Attribution, LookedAt, Part
from gpt2.trace.trace import Trace
from pages.look.names import layer_name
from pages.look.numbers import signed
from pages.matrix.blob import Picture
from pages.matrix.scale import signed as signed_scale

from .subject import asked

TITLE = "Every head, bias and MLP"
# What stands in no layer: its cells are counted as those of one row below the map.
BELOW = TOKEN, POSITION, FINAL_BIAS
Cell = tuple[int, int]


def shape(trace: Trace) -> Cell:
    """How many rows and columns the map has: the heads of a layer, its attention's bias, its MLP."""
    return trace.config.n_layer, trace.config.n_head + 2


def grid(trace: Trace, found: Attribution) -> list[list[Part]]:
    """The parts as the map shows them, the top of the stack on top."""
    layers: list[list[Part]] = [[] for _ in range(trace.config.n_layer)]
    for kind in (HEAD, ATTENTION_BIAS, MLP):
        for part in found.of_kind(kind):
            layers[part.layer or 0].append(part)
    return layers[::-1]


def part_at(trace: Trace, found: Attribution, cell: Cell) -> Part:
    """The part in a (row, column) of the map, or of the row below it."""
    below = [part for kind in BELOW for part in found.of_kind(kind)]
    return [*grid(trace, found), below][cell[0]][cell[1]]


def cell_of(found: Attribution, part: Part) -> Cell | None:
    """Where the map, or the row below it, has a part; None if it is a change."""
    n_layer, n_head = found.heads.shape
    if part.kind in BELOW:
        return n_layer, BELOW.index(part.kind)
    columns = {HEAD: part.head or 0, ATTENTION_BIAS: n_head, MLP: n_head + 1}
    return (n_layer - 1 - (part.layer or 0), columns[part.kind]) if part.kind in columns else None


def option_of(found: Attribution, part: Part) -> int | None:
    """The same counted through all rows, for a chart whose clicks are picks in the map."""
    cell, columns = cell_of(found, part), found.heads.shape[1] + 2
    return None if cell is None else cell[0] * columns + cell[1]


def first_cell(trace: Trace, found: Attribution, wanted: tuple[int, int] | None) -> Cell:
    """The cell of the (layer, head) that a visitor has locked, or of the head that adds or takes most."""
    last = trace.config.n_layer - 1
    if wanted is not None and wanted[0] <= last and wanted[1] < trace.config.n_head:
        return last - wanted[0], wanted[1]
    layer, head = np.unravel_index(int(np.abs(found.heads).argmax()), found.heads.shape)
    return last - int(layer), int(head)


def map_picture(trace: Trace, found: Attribution, height: int) -> Picture:
    """Layers upwards, heads across, then the bias of attention and the MLP; orange adds, blue takes."""
    parts = grid(trace, found)
    values = np.array([[part.logit for part in row] for row in parts], np.float32)
    return Picture(
        values,
        [layer_name(layer) for layer in reversed(range(trace.config.n_layer))],
        [*(f"H{head}" for head in range(trace.config.n_head)), "bias", "MLP"],
        signed_scale("logits added", values),
        TITLE,
        map_sentence(trace, found),
        f"(c − mean(c)) / ln_final.hook_scale[{found.position}] · w · u",
        notes=[[part.name for part in row] for row in parts],
        height=height,
    )


def map_sentence(trace: Trace, found: Attribution) -> str:
    """The head that counts most, and what heads and MLPs add together."""
    best = max(found.of_kind(HEAD), key=lambda part: abs(part.logit))
    heads, mlps = (sum(part.logit for part in found.of_kind(kind)) for kind in (HEAD, MLP))
    verb = "adds" if best.logit >= 0 else "takes"
    return (
        f"Of {len(found.of_kind(HEAD))} heads {best.name} {verb} most, {signed(best.logit)}; all heads together give "
        f"{signed(heads)} to {asked(trace, found)}, all MLPs {signed(mlps)}. Click a head to see where it looked."
    )


def no_head_sentence(part: Part) -> str:
    """What to say of a part that looks at no other token."""
    is_bias = part.kind in (ATTENTION_BIAS, FINAL_BIAS)
    what = "is the same at every position" if is_bias else "reads this position alone"
    name = f"The {part.name}" if part.layer is None else part.name
    return f"{name} gives {signed(part.logit)}. It {what}, so it looked at no token; click a head to follow it back."


def words_title(words: LookedAt) -> str:
    """The title of the picture of a head's tokens."""
    return f"Where {words.part.name} looked, and what each token brought"
