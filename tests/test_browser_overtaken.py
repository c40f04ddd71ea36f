"""Calls of a component that overtake each other, in a real Chromium: what was told last is what stands there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from pages.frame import badge
from pages.graph import component as graph
from pages.graph.picture import GraphPicture, Node
from pages.learn import listing
from pages.look.palette import LIGHT
from pages.look.scripts import bundle
from pages.matrix import code as matrix
from pages.matrix.blob import Picture, pack
from pages.matrix.scale import share
from tests.stage import STAGE, lie_still, run

pytestmark = pytest.mark.browser

# Calls the component as Streamlit does: the newer call first, then the one that it overtook, which is cleaned up after
# as soon as it has returned. Last of all the newer one's clean-up: the component is taken down.
CALLED = """async ([code, html, newer, older]) => {
    const { default: call } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    const parent = document.body.appendChild(document.createElement("div"));
    parent.innerHTML = html;
    const told = ({ json, bytes }) => bytes ? new Uint8Array(bytes) : JSON.parse(json);
    const nothing = () => undefined;
    const give = (data) => call({ parentElement: parent, data, setStateValue: nothing, setTriggerValue: nothing });
    const last = give(told(newer));
    for (const data of older) await Promise.resolve(give(told(data))).then((cleanUp) => cleanUp?.());
    await new Promise((done) => setTimeout(done, 300));
    const look = [parent.innerText, parent.querySelector("[hidden]") !== null, parent.innerHTML.length];
    last?.();
    return look;
}"""
EMPTY = "<!doctype html><title>Empty</title>"


def drawn(name: str) -> Picture:
    labels = [f"{name} a", f"{name} b"]
    return Picture(
        np.array([[0.25, 0.75], [1.0, 0.0]]), labels, labels, share("weight", "attention"), name, name, "hook", 0, 0
    )


def of_picture(name: str) -> dict[str, Any]:
    return {"bytes": list(pack(drawn(name), selected=[0]))}


def of_badge(name: str) -> dict[str, Any]:
    return {"json": json.dumps({"picked": name == "newer", "choice": name, "mark": "#000"})}


def of_listing(name: str) -> dict[str, Any]:
    return {"json": json.dumps({"title": name, "chosen": 0, "lines": [{"number": 1, "text": name, "values": []}]})}


def of_graph(name: str) -> dict[str, Any]:
    nodes = [Node("0.0", 0, 0, 1.0, (name, name), is_strong=True)]
    picture = GraphPicture(name, [name], [name], [], nodes, [], "0.0", name, {"attention": name}, 100)
    return {"json": json.dumps(picture.message(LIGHT, "0.0", is_picked=False))}


Told = Callable[[str], dict[str, Any]]
LISTING, BADGE = Path(listing.__file__).with_suffix(".js"), Path(badge.__file__).with_suffix(".js")
COMPONENTS: dict[str, tuple[str, str, Told]] = {
    "matrix": (matrix.component_script(), matrix.HTML, of_picture),
    "text": (matrix.lean(bundle(matrix.HERE / "text.js")), '<div class="text"></div>', of_picture),
    "graph": (bundle(graph.HERE / "graph.js"), '<div class="graph"></div>', of_graph),
    "listing": (bundle(LISTING), '<div class="listing"></div>', of_listing),
    "badge": (bundle(BADGE), "<button></button>", of_badge),
}


@pytest.fixture
def blank(chromium: Browser) -> Page:
    """A page with nothing on it that can run modules."""
    page = chromium.new_page()
    page.route("**/*", lambda route: route.fulfill(body=EMPTY, content_type="text/html"))
    page.goto("http://127.0.0.1:1/")
    return page


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_shows_what_it_was_told_last_though_older_calls_come_after(name: str, blank: Page) -> None:
    code, html, told = COMPONENTS[name]
    alone = blank.evaluate(CALLED, [code, html, told("newer"), []])
    overtook = blank.evaluate(CALLED, [code, html, told("newer"), [told("older"), told("older")]])
    assert overtook == alone != blank.evaluate(CALLED, [code, html, told("older"), []])
    blank.close()


def test_an_older_message_of_the_stage_takes_nothing_back(live: Page) -> None:
    run(live, "The fox", 4)
    older = live.evaluate_handle("gpt2Stage.component.data")
    live.get_by_role("button", name="One step on").click()
    stage = live.locator(STAGE).first
    expect(stage).to_have_attribute("data-step", "4")
    told = live.evaluate_handle("gpt2Stage.component.data")
    for data in (older, told):
        live.evaluate("data => gpt2Stage.show({ ...gpt2Stage.component, data })", data)
    lie_still(live)
    assert (stage.get_attribute("data-steps"), stage.get_attribute("data-step")) == ("5", "4")
