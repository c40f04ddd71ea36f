"""A square image on a page, with a place marked in it: the mark moves, and the image stays as the browser has it."""

import streamlit as st

# The marks lie over the image, which is the next element below them.
CSS = """
.stElementContainer:has(> .stHtml > .gpt2-marks) { margin-bottom: -1rem; }
.stHtml:has(> .gpt2-marks) { position: relative; z-index: 1; height: 0; pointer-events: none; }
.gpt2-marks { position: absolute; inset: 0 0 auto; aspect-ratio: 1; }
"""


def show_marked_image(picture: bytes, place: tuple[int, int], colour: str, *, caption: str, alt: str) -> None:
    """Draw an image, and a row and a column of it in a colour.

    A new image at each step would be asked for after a faster step has replaced it, and be missing for a moment.

    Args:
        picture: a PNG, as high as wide.
        place: which row and column is marked, and of how many.
        colour: of the marks, as CSS writes it.
        caption: what stands below.
        alt: what the image is, in words.
    """
    at, of = place
    start, end = f"calc({100 * at / of:.4f}% - 1px)", f"calc({100 * (at + 1) / of:.4f}% + 1px)"
    stripe = f"transparent {start}, {colour} {start} {end}, transparent {end}"
    background = ", ".join(f"linear-gradient(to {side}, {stripe})" for side in ("right", "bottom"))
    marks = f'<div class="gpt2-marks" data-at="{at}" data-of="{of}" style="background: {background}"></div>'
    st.html(f"<style>{CSS}</style>{marks}")
    st.image(picture, output_format="PNG", width="stretch", caption=caption, alt=alt)
