"""The first Play: the recorded run is replayed and goes on, and no painted frame shows less of it than before."""

import pytest
from playwright.sync_api import Page

from tests.browser import open_page
from tests.stage import STAGE, ready, run_id, wait_for_new_run

pytestmark = pytest.mark.browser

# Of every frame: the step, whether the panels are hidden, and the rows of pixels that the maps of all heads fill.
WATCH = """() => {
    const { component } = globalThis.gpt2Stage, root = component.parentElement.querySelector(".stage");
    const canvas = root.querySelector("canvas[data-panel=mosaic]");
    const unit = parseFloat(root.style.getPropertyValue("--unit"));
    const left = Math.ceil(2 * unit), top = Math.ceil(1.4 * unit);
    globalThis.frames = [];
    const look = () => {
        const { data, width, height } = canvas.getContext("2d").getImageData(
            left, top, canvas.width - left, canvas.height - top,
        );
        let rows = 0;
        for (let y = 0; y < height; y += 1) {
            let filled = 0;
            for (let x = 0; x < width; x += 1) filled += data[4 * (y * width + x) + 3] > 200;
            rows += filled >= 20;
        }
        const step = Number(root.dataset.step), hidden = root.classList.contains("empty");
        globalThis.frames.push({ step, rows, hidden });
        requestAnimationFrame(look);
    };
    look();
}"""
# Streamlit shows the newest of messages that come together: the first one of another run never reaches the stage.
LOSE_THE_FIRST = """() => {
    const shared = globalThis.gpt2Stage, { show, state } = shared, before = state.run;
    globalThis.lost = 0;
    const runOf = (bytes) => {
        const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
        return JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))).run;
    };
    shared.show = (component) => {
        if (!globalThis.lost && component.data && runOf(component.data) !== before) globalThis.lost += 1;
        else show(component);
    };
}"""


def watch_first_play(page: Page, tokens: int) -> list[dict]:
    """Press Play on the recorded run, and return the frames until it has gone on for so many tokens."""
    steps = int(page.locator(STAGE).get_attribute("data-steps") or 0)
    before = run_id(page)
    page.evaluate(WATCH)
    page.wait_for_function("frames.length > 1")
    page.get_by_role("button", name="Play", exact=True).click()
    wait_for_new_run(page, before, steps + tokens)
    return page.evaluate("frames")


def height_of_maps(seq: int) -> int:
    """The positions that a map has room for: it grows by blocks of eight."""
    return -(-seq // 8) * 8


@pytest.mark.parametrize("is_lost", [False, True])
def test_no_frame_of_the_first_play_shows_fewer_rows_than_the_recorded_run_had(chromium, server, is_lost):
    page = open_page(chromium, server.url)
    ready(page)
    prompt = page.evaluate("gpt2Stage.state.header.prompt_tokens")
    if is_lost:
        page.evaluate(LOSE_THE_FIRST)
    first, *frames = watch_first_play(page, 6)
    assert not is_lost or page.evaluate("lost") == 1
    assert [frame for frame in frames if frame["hidden"] or frame["step"] < first["step"]] == []
    most = first["rows"] * height_of_maps(first["step"] + prompt)
    poorer = [frame for frame in frames if frame["rows"] < 0.85 * most / height_of_maps(frame["step"] + prompt)]
    assert poorer == []
    assert page.errors == []
    page.context.close()
