"""What a panel's menu makes in Chromium: files to be opened, and what holds of each."""

import csv
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from pages.look.palette import LIGHT

SVG = "{http://www.w3.org/2000/svg}"


def taken(page: Page, button: Locator, kind: str) -> tuple[str, bytes]:
    """The name and the bytes of a file that the menu of a panel makes."""
    button.click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=kind).click()
    expect(page.get_by_role("menu")).to_be_hidden()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def table(data: bytes) -> tuple[list[str], list[list[str]]]:
    """The first row and the others of a CSV file."""
    first, *rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    assert rows and {len(row) for row in rows} == {len(first)}
    return first, rows


def is_for_a_room(page: Page, button: Locator, name: str, title: str, words: str) -> None:
    """Fail unless the PNG and the SVG are 1,920 pixels wide, on paper, with a title, a sentence and large letters."""
    named, png = taken(page, button, "PNG")
    assert named == f"{name}.png"
    image = Image.open(io.BytesIO(png)).convert("RGB")
    assert image.width == 1920 and 300 < image.height < 2600
    assert "#{:02X}{:02X}{:02X}".format(*image.getpixel((2, 2))) in (LIGHT.paper, LIGHT.panel)
    assert len(image.getcolors(1 << 24)) > 20
    named, svg = taken(page, button, "SVG")
    assert named == f"{name}.svg"
    root = ElementTree.fromstring(svg)
    assert (float(root.get("width")), round(float(root.get("height")))) == pytest.approx((1920, image.height), abs=1)
    scale = 1920 / float(root.get("viewBox").split()[2])
    texts = [node for node in root.iter(f"{SVG}text") if "".join(node.itertext()).strip()]
    assert min(float(node.get("font-size").removesuffix("px")) for node in texts) * scale >= 20
    written = " ".join("".join(node.itertext()) for node in texts)
    assert title in written and words in written
    assert not re.search("Click |Point at ", written)  # nobody can
    assert len([*root.iter(f"{SVG}path"), *root.iter(f"{SVG}rect")]) > 5  # drawn, not only written
