"""A page outside Streamlit: what our scripts and style sheets read of its theme."""

from .palette import Palette


def theme_variables(palette: Palette) -> str:
    """The CSS variables that Streamlit would set, with this palette."""
    values = {
        "background-color": palette.paper,
        "secondary-background-color": palette.panel,
        "text-color": palette.text,
        "border-color": palette.line,
        "primary-color": palette.attention,
        "font": "sans-serif",
        "code-font": "monospace",
    }
    return "".join(f"--st-{name}: {value};" for name, value in values.items())
