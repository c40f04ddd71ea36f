"""The browser side of a matrix: its files put together, without Streamlit."""

from pathlib import Path

from pages.look.scripts import bundle, heading_sheet

HERE = Path(__file__).parent
HTML = '<div class="matrix"></div>'


def lean(source: str) -> str:
    """The script without indentation and comment lines: it travels with every message."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def component_script() -> str:
    """All of the component's code."""
    return lean(bundle(HERE / "matrix.js"))


def component_sheet() -> str:
    """Its style sheet."""
    return (HERE / "matrix.css").read_text(encoding="utf-8") + heading_sheet()
