"""What is taken away from a panel in Chromium: pictures and numbers as files, and a matrix without Streamlit."""

import csv
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import expect

from gpt2.reading.tables import Tables
from gpt2.trace.trace import Trace
from pages.charts import residual
from pages.look.palette import LIGHT
from pages.look.scripts import bundle
from pages.matrix.notebook import picture_page
from pages.visit.examples import recorded_run
from tests.heads import go_to
from tests.source_tree import ROOT
from tests.stage import STAGE, lie_still, stage_number
from tests.taking import is_for_a_room, table, taken

pytestmark = pytest.mark.browser
COLOURS = """node => new Set(new Uint32Array(
    node.getContext("2d").getImageData(0, 0, node.width, node.height).data.buffer)).size"""
CSV = ROOT / "pages" / "stage" / "js" / "csv.js"


def test_a_chart_a_matrix_and_a_panel_of_the_stage_are_taken_away_as_pictures_and_as_numbers(live):
    run: Trace = recorded_run("once")
    step = len(run.steps) - 1
    expect(live.locator(STAGE)).to_have_attribute("data-step", str(step))
    model = re.sub(r"[^\w.-]+", "-", run.model)
    bars = live.locator(f"{STAGE} section.bars")
    button = bars.get_by_role("button", name="Take away")
    name = f"gpt2-live-bars-step-{step}-{model}"
    is_for_a_room(live, button, name, "What comes next", "own, T 1")
    named, data = taken(live, button, "CSV")
    first, rows = table(data)
    assert named == f"{name}.csv" and first[:4] == ["rank", "token id", "token", "the model's own (share of 1)"]
    distribution = run.steps[-1].distribution
    for rank, token, _, raw, final, _ in rows:
        assert int(token) == distribution.order[int(rank) - 1]
        assert (float(raw), float(final)) == pytest.approx(
            (distribution.raw[int(token)], distribution.final[int(token)]), rel=1e-12
        )
    # Every panel of the stage has its numbers; heads and norms are the trace's own.
    found = {}
    for panel in ("embedding", "residual", "mosaic", "one", "lens", "draw"):
        found[panel] = table(taken(live, live.locator(f"{STAGE} section.{panel} .takes"), "CSV")[1])
    (_, norms), (_, weights) = found["residual"], found["mosaic"]
    assert np.array(norms, float)[:, 1:] == pytest.approx(run.steps[-1].norms[:, :, -1].T, rel=1e-6)
    layer, head, query, _, key, _, share = weights[-5]
    pattern = run[f"blocks.{layer}.attn.hook_pattern"][int(head), int(query), int(key)]
    assert float(share) == pytest.approx(pattern, abs=1e-4)
    # The menu is reached and left by keys, and by a press elsewhere.
    button.focus()
    live.keyboard.press("Enter")
    expect(live.get_by_role("menuitem").first).to_be_focused()
    live.keyboard.press("ArrowDown")
    expect(live.get_by_role("menuitem").nth(1)).to_be_focused()
    live.keyboard.press("Escape")
    expect(button).to_be_focused()
    assert stage_number(live, "step") == step
    button.click()
    bars.get_by_role("heading").click()
    expect(live.get_by_role("menu")).to_be_hidden()

    go_to(live, "Residual stream")
    lie_still(live)
    button = live.locator('.takes[data-panel="residual.norms"]')
    name = f"gpt2-residual-norms-step-{step}-{model}"
    is_for_a_room(live, button, name, residual.NORMS_TITLE, "enters the first block")
    first, rows = table(taken(live, button, "CSV")[1])
    assert first == ["row", "row name", "column", "column name", "norm"]
    values = np.array([float(row[-1]) for row in rows], np.float32).reshape(residual.shape(run))
    assert np.array_equal(values, residual.norms(run)[::-1])
    assert [row[3] for row in rows[: run.seq]] == run.labels

    button = live.locator('.takes[data-panel="residual.added"]')
    chart = live.locator(".stVegaLiteChart svg").first
    before = chart.evaluate("node => node.outerHTML")
    name = f"gpt2-residual-added-step-{step}-{model}"
    is_for_a_room(live, button, name, residual.ADDED_TITLE, "adds most")
    assert chart.evaluate("node => node.outerHTML") == before  # put back as it was
    first, rows = table(taken(live, button, "CSV")[1])
    expected = residual.added(run, run.seq - 1)
    assert [name.split(" ")[0] for name in first] == list(expected[0])
    for row, told in zip(rows, expected, strict=True):
        assert [float(cell) for cell in row[3:6]] == [told["norm"], told["before"], told["cosine"]]
        assert [*row[:3], row[6]] == [told["layer"], told["name"], told["part"], told["hook"]]


def test_a_text_and_an_image_are_taken_away_with_all_their_numbers(live, checkpoint):
    run: Trace = recorded_run("once")
    model = re.sub(r"[^\w.-]+", "-", run.model)
    go_to(live, "Attention")
    lie_still(live)
    button = live.locator('.takes[data-panel="attention.text"]')
    name = f"gpt2-attention-text-step-{len(run.steps) - 1}-{model}"
    is_for_a_room(live, button, name, "on the text", "that the framed ones give it")
    first, rows = table(taken(live, button, "CSV")[1])
    assert first[:4] == ["row", "row name", "column", "column name"] and len(rows) == (run.seq + 1) * run.seq
    head = tuple(map(int, re.findall(r"\d+", live.locator('.gpt2-heading[data-panel="attention.text"]').inner_text())))
    weights = np.array([float(row[-1] or 0) for row in rows], np.float32).reshape(run.seq + 1, run.seq)
    assert weights[:-1] == pytest.approx(run[f"blocks.{head[0]}.attn.hook_pattern"][head[1]], abs=1e-6)

    go_to(live, "Embeddings")
    lie_still(live)
    button = live.locator('.takes[data-panel="embeddings.alike"]')
    name = f"gpt2-embeddings-alike-step-{len(run.steps) - 1}-{model}"
    named, png = taken(live, button, "PNG")
    still = Image.open(io.BytesIO(png)).convert("RGB")
    assert named == f"{name}.png" and still.width == 1920
    marked = np.all(np.asarray(still) == ImageColor.getrgb(LIGHT.sampling), axis=2)
    assert (marked.sum(0).max(), marked.sum(1).max()) == (pytest.approx(1845, abs=2),) * 2  # a column, a row
    named, data = taken(live, button, "CSV")
    first, rows = table(data)
    cosines = Tables(checkpoint.weights["wte.weight"], checkpoint.weights["wpe.weight"]).position_cosines
    assert named == "gpt2-embeddings-alike.csv" and first == ["position", *map(str, range(len(cosines)))]
    assert np.array(rows, np.float64)[:, 1:] == pytest.approx(cosines, rel=1e-6)

    # The mark moves with the steps, over the same image.
    image, marks = live.get_by_test_id("stImage").locator("img"), live.locator(".gpt2-marks")
    source = image.get_attribute("src")
    for back in range(3):
        expect(marks).to_have_attribute("data-at", str(run.seq - 1 - back))
        over, under = marks.bounding_box(), image.bounding_box()
        assert over == pytest.approx(under, abs=1) and image.get_attribute("src") == source
        live.keyboard.press("ArrowLeft")
    live.locator('.fills[data-panel="embeddings.alike"]').click()  # the panel fills the window
    lie_still(live)
    over, under = marks.bounding_box(), image.bounding_box()
    assert over == pytest.approx(under, abs=1) and under["width"] == pytest.approx(under["height"], abs=1)


def test_a_text_that_a_spreadsheet_would_run_is_written_as_a_text(chromium):
    page = chromium.new_page()
    rows = [["=1+1", "@x", " -2", "a,b", 'say "so"', "·the"], [-0.5, 1e-9, None, float("nan"), "", "\n"]]
    told = page.evaluate(f"rows => {{ {bundle(CSV)}\nreturn csv(rows); }}", rows)
    page.close()
    assert list(csv.reader(io.StringIO(told, newline=""))) == [
        ["'=1+1", "'@x", "' -2", "a,b", 'say "so"', "·the"],
        ["-0.5", "1e-9", "", "", "", "\n"],
    ]


def test_a_matrix_is_drawn_in_a_notebook_by_the_same_script(chromium):
    page = chromium.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    run = recorded_run("once").cut(1)
    page.set_content(picture_page(residual.norm_map(run, 1, True, 400)))
    expect(page.locator(".title")).to_have_text(residual.NORMS_TITLE)
    colours = page.locator("canvas").first.evaluate(COLOURS)
    page.close()
    assert colours > 50 and errors == []
