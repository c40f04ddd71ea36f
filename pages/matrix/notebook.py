"""A matrix in a notebook: the same picture by the same script, in a page of its own, without Streamlit."""

from base64 import b64encode
from html import escape

from pages.look.outside import theme_variables
from pages.look.palette import LIGHT, Palette

from .blob import Picture, pack
from .code import HTML, component_script, component_sheet

BESIDE = 190  # pixels around a picture: title, caption, what the pointer is on


def picture_page(picture: Picture, palette: Palette = LIGHT) -> str:
    """One HTML page that shows a picture and asks for nothing from anywhere."""
    script = component_script().replace("export default function", "const component = function", 1)
    data = b64encode(pack(picture)).decode()
    return f"""<!doctype html><meta charset="utf-8">
<style>html {{ {theme_variables(palette)} background: {palette.paper}; }}
{component_sheet()}</style>
<main>{HTML}</main>
<script type="module">
{script}
const data = Uint8Array.from(atob("{data}"), (letter) => letter.charCodeAt(0));
component({{ parentElement: document.querySelector("main"), data, setStateValue() {{}} }});
</script>
"""


def picture_html(picture: Picture, palette: Palette = LIGHT) -> str:
    """The same as a frame, for `IPython.display.HTML`."""
    page = escape(picture_page(picture, palette))
    return f'<iframe srcdoc="{page}" style="width: 100%; height: {picture.height + BESIDE}px; border: 0"></iframe>'
