"""Claims about colours: one palette everywhere, and text that can be read on it."""

import tomllib

import pytest

from pages.look.palette import DARK, LIGHT, Palette
from tests.source_tree import ROOT


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_the_theme_has_the_palettes_colours(theme: str, palette: Palette) -> None:
    told = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][theme]
    assert told["primaryColor"] == palette.attention
    assert told["backgroundColor"] == palette.paper
    assert told["secondaryBackgroundColor"] == palette.panel
    assert told["textColor"] == palette.text
    assert told["borderColor"] == palette.line
    concepts = ("attention", "mlp", "token", "position", "residual", "sampling", "watched")
    assert told["chartCategoricalColors"] == [getattr(palette, concept) for concept in concepts]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_can_be_read_on_paper_and_panels(palette: Palette) -> None:
    """WCAG 2.2: at least 4.5 : 1 for text, 3 : 1 for what is drawn in a concept's colour."""
    for ground in (palette.paper, palette.panel):
        assert min(contrast(colour, ground) for colour in (palette.text, palette.muted, palette.error)) >= 4.5
    drawn = (palette.attention, palette.mlp, palette.token, palette.residual, palette.sampling)
    assert min(contrast(colour, palette.paper) for colour in drawn) >= 3
    assert contrast(palette.attention, palette.panel) >= 3  # the ring of the focus, which has a rim of the panel's


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
