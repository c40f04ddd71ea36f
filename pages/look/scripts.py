"""What the browser's scripts share with Python: numbers, names, a few strokes on a canvas, and the palettes."""

import json
from dataclasses import asdict
from pathlib import Path

from .palette import DARK, LIGHT

HERE = Path(__file__).parent


def shared_script() -> str:
    """The functions that the stage and the matrix both use; they come before all others."""
    return "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in ("numbers", "names", "canvas"))


def palettes_script() -> str:
    """The constant `PALETTES`: the colours of the light and of the dark theme, by concept."""
    return f"const PALETTES = {json.dumps({'light': asdict(LIGHT), 'dark': asdict(DARK)})};"
