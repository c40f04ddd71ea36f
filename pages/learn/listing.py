"""A source file as a list of lines, each with what it made; one value is chosen by a click or the arrow keys."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from pages.look.scripts import bundle

HERE = Path(__file__).parent


@dataclass(frozen=True)
class ListedValue:
    """What a line made, in words: the variable, its axes and shape, and the range of its numbers."""

    name: str
    shape: str
    numbers: str


@dataclass(frozen=True)
class ListedLine:
    """A line of the file, and all that it made, in order."""

    number: int
    text: str
    values: tuple[ListedValue, ...] = ()


_mount = st.components.v2.component(
    "gpt2_listing",
    html='<div class="listing"></div>',
    css=(HERE / "listing.css").read_text(encoding="utf-8"),
    js=bundle(HERE / "listing.js"),
)


def listing(lines: Sequence[ListedLine], *, title: str, key: str) -> int:
    """Draw the lines under a fixed key; the index of the chosen value among all of them, at first the last one."""
    count = sum(len(line.values) for line in lines)
    before = st.session_state.get(key)
    asked = None if before is None else before.get("value")
    chosen = asked if isinstance(asked, int) and 0 <= asked < count else count - 1
    data = {"title": title, "chosen": chosen, "lines": [asdict(line) for line in lines]}
    _mount(key=key, data=data, default={"value": None}, on_value_change=lambda: None)
    return chosen
