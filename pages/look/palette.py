"""One colour a concept, on every page, light and dark; all pairs stay apart for colour-blind eyes (Okabe & Ito)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """The colours of one theme, as CSS hex."""

    attention: str
    mlp: str
    token: str
    position: str
    residual: str
    sampling: str
    watched: str
    paper: str
    panel: str
    line: str
    text: str
    muted: str
    negative: str
    positive: str
    error: str


LIGHT = Palette(
    attention="#0072B2",
    mlp="#D55E00",
    token="#009E73",
    position="#E69F00",
    residual="#4A5560",
    sampling="#B5578F",
    watched="#56B4E9",
    paper="#FBFBF9",
    panel="#FFFFFF",
    line="#E4E4DE",
    text="#1B2026",
    muted="#6B7480",
    negative="#0072B2",
    positive="#D55E00",
    error="#B3261E",
)
DARK = Palette(
    attention="#5AA9E6",
    mlp="#FF8A4C",
    token="#2FC79B",
    position="#F2B632",
    residual="#AAB4BF",
    sampling="#E58CC1",
    watched="#8FD0F5",
    paper="#0F1216",
    panel="#161A20",
    line="#272D35",
    text="#E8EBEE",
    muted="#97A1AC",
    negative="#5AA9E6",
    positive="#FF8A4C",
    error="#FF9C94",
)
