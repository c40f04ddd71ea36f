"""What the browser's scripts share: how numbers, names and tokens are written, strokes, keys, titles, palettes."""

import json
from dataclasses import asdict
from pathlib import Path

from .glossary import TERMS
from .palette import DARK, LIGHT
from .panels import PANELS

HERE = Path(__file__).parent


def shared_script() -> str:
    """The functions that the stage and the matrix both use; they come before all others."""
    names = "numbers", "names", "tokens", "canvas", "cells", "heading"
    return "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in names)


def heading_sheet() -> str:
    """The style sheet of the buttons beside a panel's title, which stand in the stage, in matrices and on the page."""
    return (HERE / "heading.css").read_text(encoding="utf-8")


def palettes_script() -> str:
    """The constant `PALETTES`: the colours of the light and of the dark theme, by concept."""
    return f"const PALETTES = {json.dumps({'light': asdict(LIGHT), 'dark': asdict(DARK)})};"


def glossary_script() -> str:
    """The constants `TERMS`, a sentence each, and `SHOWN`, what each panel shows and the terms that it uses."""
    shown = {name: asdict(panel) for name, panel in PANELS.items()}
    return f"const TERMS = {json.dumps(TERMS)};\nconst SHOWN = {json.dumps(shown)};"
