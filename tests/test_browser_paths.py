"""The Paths page in a real Chromium: an edge is followed by pointer and by keys, with the trace's own numbers."""

import pytest
from playwright.sync_api import expect

from gpt2.reading.arrivals import ATTENTION, arrival
from gpt2.reading.paths import walk_back
from pages.charts.paths import bars, drawn, words
from pages.look.numbers import percent
from pages.look.tokens import unmarked
from pages.visit.examples import recorded_run
from tests.heads import go_to
from tests.stage import STAGE, lie_still
from tests.taking import is_for_a_room, table, taken

pytestmark = pytest.mark.browser
DRAWN = 30_000  # milliseconds for a page to be drawn again on a busy machine


def test_an_edge_opens_into_its_heads_by_pointer_and_keys_and_the_slider_thins_the_graph(live, checkpoint):
    trace = recorded_run("once")
    graph = walk_back(trace, checkpoint)
    go_to(live, "Paths")
    main, plot = live.get_by_test_id("stMain"), live.locator(".graph .plot")

    def says(*parts: str) -> None:
        for part in parts:
            expect(main).to_contain_text(unmarked(part), timeout=DRAWN)

    says(words.path_sentence(trace, checkpoint, graph), words.thinning_sentence(graph))
    expect(plot.locator(".lines .item")).to_have_count(len(graph.edges))
    assert (plot.locator("text.answer").text_content() or "").endswith(trace.labels[-1])

    # What is drawn is taken away, and so are its numbers.
    taking = live.locator(".gpt2-heading", has_text=drawn.TITLE).locator(".takes")
    step = len(trace.steps) - 1
    is_for_a_room(live, taking, f"gpt2-paths-graph-step-{step}-bundled", drawn.TITLE, "L0 attention")
    _, rows = table(taken(live, taking, "CSV")[1])
    shares = [edge.through for edge in graph.edges]
    assert sorted(float(row[-1]) for row in rows) == pytest.approx(sorted(shares), rel=1e-6)

    # A click opens an edge of attention, another lets it go.
    edges = sorted((edge for edge in graph.edges if edge.kind == ATTENTION), key=lambda edge: edge.share)
    thinnest = plot.locator(f"[data-id='{drawn.edge_id(edges[0])}']")
    thinnest.dispatch_event("click")
    arrived = arrival(trace, checkpoint, edges[0].target)
    says(bars.heads_sentence(trace, arrived, edges[0].source.position), bars.arrival_sentence(trace, arrived))
    badge = live.locator(".graph .badge")
    expect(badge).to_be_visible()
    lie_still(live)
    live.keyboard.press("Escape")
    expect(badge).to_be_hidden(timeout=DRAWN)
    lie_still(live)

    # The keys walk the strongest path down from the top, each step spoken; Enter opens a place.
    plot.focus()
    expect(live.locator(".graph .tip")).to_contain_text("Down follows an edge back")
    path, aloud = graph.paths[0].edges[::-1], live.locator(f"{STAGE} .aloud")
    for edge in path[:2]:
        live.keyboard.press("ArrowDown")
        expect(aloud).to_contain_text(f"{percent(edge.share, 2)}, {words.edge_name(edge)}")
        live.keyboard.press("ArrowDown")
        expect(aloud).to_contain_text(edge.source.name)
    live.keyboard.press("Enter")
    says(bars.arrival_sentence(trace, arrival(trace, checkpoint, path[1].source)))
    lie_still(live)

    slider = live.get_by_role("slider", name="Leave out edges that carry less, in per cent of the whole")
    for _ in range(4):
        slider.press("ArrowRight")
    thinned = walk_back(trace, checkpoint, threshold=0.03)
    says(words.thinning_sentence(thinned))
    expect(plot.locator(".lines .item")).to_have_count(len(thinned.edges), timeout=DRAWN)
    lie_still(live)
