"""The browser side of a matrix: its files put together, without Streamlit."""

from pathlib import Path

from pages.look.scripts import heading_sheet, shared_script

HERE = Path(__file__).parent
SCRIPTS = ("read", "paint", "panel", "table", "still", "keys", "matrix")
HTML = '<div class="matrix"></div>'


def lean(source: str) -> str:
    """The script without indentation and comment lines: it travels with every message."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def component_script() -> str:
    """All of the component's code."""
    own = ((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return lean("\n".join([shared_script(), *own]))


def component_sheet() -> str:
    """Its style sheet."""
    return (HERE / "matrix.css").read_text(encoding="utf-8") + heading_sheet()
