"""The browser's scripts: modules that are put together into one, and what Python writes before them."""

import json
import re
from dataclasses import asdict
from pathlib import Path

from .glossary import TERMS
from .palette import DARK, LIGHT
from .panels import PANELS

HERE = Path(__file__).parent


IMPORT = re.compile(r'^import \{[^}]*\} from "([^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def bundle(*entries: Path) -> str:
    """Scripts and all that they import as one, in the order in which a browser would run the modules.

    Streamlit takes one text for each component. In it each name is declared once: a test sees to that.
    """
    begun, sources = set[Path](), list[str]()

    def add(path: Path) -> None:
        if path in begun:
            return
        begun.add(path)
        source = path.read_text(encoding="utf-8")
        for imported in IMPORT.findall(source):
            add((path.parent / imported).resolve())
        sources.append(EXPORT.sub("", IMPORT.sub("", source)))

    for entry in entries:
        add(entry.resolve())
    return "\n".join(sources)


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
