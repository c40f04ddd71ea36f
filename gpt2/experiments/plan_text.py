"""A planned change in the few letters of an address, and back: `zero_2.4-0.m` mutes L2·H4 and an MLP.

Fields are parted by `_`, and empty ones at the end are left out; in a text `~` is written `~0`, and `_` is `~1`.
"""

import re
from dataclasses import dataclass

from gpt2.errors import SettingsError
from gpt2.model.inputs import MLP_OUT
from gpt2.trace.trace import Trace

from .part import Part, head, mlp, stream
from .plan import Mute, Patch, Planned, Steer

# How far the page's sliders go: a factor, and a dose in per cent.
FACTORS, DOSES = (-2.0, 3.0), (-200, 200)
FIELDS = {"zero": 2, "mean": 2, "scale": 3, "steer": 6, "patch": 4}  # after the first
WHOLE, NUMBER = re.compile("[0-9]{1,5}"), re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,6})?")
MOST_NAME = 40


@dataclass(frozen=True)
class NamedChange:
    """The change that the controls say, and the name under which it is kept; empty if it is not."""

    plan: Planned
    name: str = ""


def change_text(plan: Planned) -> str:
    """A change in letters."""
    match plan:
        case Mute(parts, kind, factor, positions):
            written = f"{factor:g}" if kind == "scale" else ""
            fields = [str(kind), "-".join(map(part_text, parts)), positions_text(positions), written]
        case Steer(layer, dose, token, toward, away, positions):
            fields = ["steer", str(layer), str(round(100 * dose)), positions_text(positions), token, toward, away]
        case Patch(source, part, positions, align_end):
            fields = ["patch", part_text(part), positions_text(positions), "1" if align_end else "", source]
    return "_".join(field.replace("~", "~0").replace("_", "~1") for field in fields).rstrip("_")


def read_change(text: str) -> Planned:
    """The change that some letters mean.

    Raises:
        ValueError: if they mean none, or one that no controls could say.
    """
    way, *fields = (field.replace("~1", "_").replace("~0", "~") for field in text.split("_"))
    if len(fields) > FIELDS.get(way, 0):
        raise ValueError(way)
    first, second, third, *texts = [*fields, *[""] * (6 - len(fields))]
    if way == "steer":
        positions, (token, toward, away) = read_positions(third), texts
        plan: Planned = Steer(whole(first), number(second, DOSES) / 100, token, toward, away, positions)
    elif way == "patch":
        plan = Patch(texts[0], read_part(first), read_positions(second), {"": False, "1": True}[third])
    else:
        parts = tuple(dict.fromkeys(map(read_part, first.split("-"))))
        if any(part.head is None and part.hook != MLP_OUT for part in parts):
            raise ValueError(first)
        plan = Mute(parts, way, number(third, FACTORS) if way == "scale" else 0.0, read_positions(second))
    if not plan.says:
        raise ValueError(text)
    return plan


def check_change(plan: Planned, trace: Trace) -> None:
    """Refuse a change that does not fit a run.

    Raises:
        SettingsError: if its model has no such part, or its prompt no such position.
    """
    match plan:
        case Mute(parts):
            changed = parts
        case Steer(layer):
            changed = (stream(layer),)
        case Patch(_, part):
            changed = (part,)
    for part in changed:
        part.check(trace.config)
    last = len(trace.prompt_ids) - 1
    for at in plan.positions or ():
        if at > last:
            raise SettingsError(f"There is no position {at}; this prompt's run from 0 to {last}.")


def part_text(part: Part) -> str:
    """A head as `2.4`, an MLP as `2.m`, the stream before a block as `2`."""
    if part.head is not None:
        return f"{part.layer}.{part.head}"
    return f"{part.layer}.m" if part.hook == MLP_OUT else str(part.layer)


def read_part(text: str) -> Part:
    """The part of such a name; whether a model has it is not known here.

    Raises:
        ValueError: if it is none.
    """
    layer, dot, which = text.partition(".")
    if not dot:
        return stream(whole(layer))
    return mlp(whole(layer)) if which == "m" else head(whole(layer), whole(which))


def positions_text(positions: tuple[int, ...] | None) -> str:
    """Positions as `0-3`; nothing for all of them, `-` for none."""
    return "" if positions is None else "-".join(map(str, positions)) or "-"


def read_positions(text: str) -> tuple[int, ...] | None:
    """The positions of such a text, in their order.

    Raises:
        ValueError: if one is no whole number.
    """
    if text in ("", "-"):
        return () if text else None
    return tuple(sorted({whole(at) for at in text.split("-")}))


def whole(text: str) -> int:
    """A whole number from 0 up; else ValueError."""
    if not WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def number(text: str, limits: tuple[float, float]) -> float:
    """A number within limits; else ValueError."""
    if not NUMBER.fullmatch(text) or not limits[0] <= float(text) <= limits[1]:
        raise ValueError(text)
    return float(text)
