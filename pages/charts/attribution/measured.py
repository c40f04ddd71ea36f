"""The direct effect of a part beside the measured one: what it writes, and what is lost without it."""

import numpy as np

from gpt2.experiments.muted import Muted
from gpt2.experiments.part import Part as Place
from gpt2.experiments.part import head, mlp
from gpt2.reading.logit_parts import HEAD, MLP, Attribution, Part
from gpt2.trace.trace import Trace
from pages.look.names import head_name, layer_name, part_name
from pages.look.numbers import fixed, signed
from pages.matrix.blob import Picture
from pages.matrix.scale import signed as signed_scale

from .subject import asked

TITLE = "Direct and measured"
MAP_TITLE = "Every head and MLP, measured"
NO_PART = "Biases and embeddings are not switched off here; pick a head or an MLP in the map above."
WHY = (
    "They differ where later parts read what it wrote, and as the final norm, frozen in the direct effect, is "
    "computed anew."
)


def place_of(part: Part) -> Place | None:
    """The part as an experiment changes it; None for a bias or an embedding."""
    if part.layer is None or part.kind not in (HEAD, MLP):
        return None
    return mlp(part.layer) if part.head is None else head(part.layer, part.head)


def both_sentence(trace: Trace, found: Attribution, part: Part, measured: Muted | None) -> str:
    """What a part adds directly, and what is lost when it is zero at all positions."""
    direct = f"Directly {part.name} adds {signed(part.logit)} to {asked(trace, found)}."
    place = place_of(part)
    if measured is None or place is None or not measured.knows(place):
        return f"{direct} What is lost without it is not measured yet."
    lost = float(measured.lost[measured.place(place)])
    return (
        f"{direct} Measured, it adds {signed(lost)}: set to zero at all positions, {fixed(measured.before, 3)} becomes "
        f"{fixed(measured.before - lost, 3)}. {WHY}"
    )


def share_done(measured: Muted | None) -> float:
    """How much of all parts is measured."""
    return 0.0 if measured is None else float(np.isfinite(measured.after).mean())


def progress_words(measured: Muted | None) -> str:
    """The same in words."""
    if measured is None:
        return "Reading the text"
    return f"{np.isfinite(measured.after).sum()} of {measured.after.size} parts"


def map_picture(trace: Trace, found: Attribution, measured: Muted, height: int) -> Picture:
    """What is lost without each part, the top of the stack on top; what is not measured yet is hatched."""
    values = measured.lost[::-1].astype(np.float32)
    return Picture(
        values,
        [layer_name(layer) for layer in reversed(range(trace.config.n_layer))],
        [*(f"H{at}" for at in range(trace.config.n_head)), "MLP"],
        signed_scale("logits lost without it", values),
        MAP_TITLE,
        map_sentence(trace, found, measured),
        "logit(all) − logit(without it)",
        height=height,
    )


def map_sentence(trace: Trace, found: Attribution, measured: Muted) -> str:
    """The part whose loss is largest, and how often both effects point the same way."""
    lost, n_head = measured.lost, trace.config.n_head
    done = int(np.isfinite(lost).sum())
    if not done:
        return "Nothing is measured yet."
    layer, column = np.unravel_index(np.nanargmax(np.abs(lost)), lost.shape)
    name = head_name(int(layer), int(column)) if column < n_head else part_name("MLP", int(layer))
    direct = np.full(lost.shape, np.nan)
    direct[:, :n_head] = found.heads
    for part in found.of_kind(MLP):
        direct[part.layer or 0, n_head] = part.logit
    same = int((np.sign(lost) == np.sign(direct)).sum())
    return (
        f"Without {name} most is lost, {signed(float(lost[layer, column]))} of {asked(trace, found)}. Of {done} parts "
        f"{same} have the same sign measured as directly. Each is zero at all positions, one at a time."
    )
