"""A source file as a list of lines, each with what it made; one line is chosen by a click or the arrow keys."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent


@dataclass(frozen=True)
class ListedValue:
    """What a line made, in words: the variable, its axes and shape, and the range of its numbers."""

    name: str
    shape: str
    numbers: str


@dataclass(frozen=True)
class ListedLine:
    """A line of the file, and what it made, if anything."""

    number: int
    text: str
    value: ListedValue | None


_mount = st.components.v2.component(
    "gpt2_listing",
    html='<div class="listing"></div>',
    css=(HERE / "listing.css").read_text(encoding="utf-8"),
    js=(HERE / "listing.js").read_text(encoding="utf-8"),
)


def listing(lines: Sequence[ListedLine], *, title: str, key: str) -> int:
    """Draw the lines under a fixed key; the index of the chosen one, at first the last that made something."""
    with_value = [index for index, line in enumerate(lines) if line.value is not None]
    before = st.session_state.get(key)
    asked = None if before is None else before.get("line")
    chosen = asked if asked in with_value else with_value[-1]
    data = {"title": title, "chosen": chosen, "lines": [asdict(line) for line in lines]}
    _mount(key=key, data=data, default={"line": None}, on_line_change=lambda: None)
    return chosen
