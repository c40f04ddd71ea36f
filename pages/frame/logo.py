"""The program's name and icon, drawn here so that nothing is fetched."""

from PIL import Image, ImageDraw

from pages.look.palette import LIGHT, Palette

FONT = "'Source Sans 3', 'Source Sans Pro', 'Segoe UI', Helvetica, Arial, sans-serif"


def logo(palette: Palette) -> str:
    """The name beside the navigation as an SVG picture, in the colours of the theme."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="186" height="32" viewBox="0 0 186 32">'
        f'<text x="0" y="22" font-family="{FONT}" font-size="19" font-weight="700" fill="{palette.text}">GPT-2 '
        f'<tspan fill="{palette.attention}">under glass</tspan></text></svg>'
    )


def icon() -> Image.Image:
    """The icon of the browser's tab: a causal attention pattern."""
    size, cells = 64, 4
    picture = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    pen, step = ImageDraw.Draw(picture), size // cells
    for query in range(cells):
        for key in range(query + 1):
            colour = LIGHT.sampling if (query, key) == (cells - 1, cells - 1) else LIGHT.attention
            left, top = key * step, query * step
            pen.rectangle((left + 1, top + 1, left + step - 2, top + step - 2), fill=colour)
    return picture
