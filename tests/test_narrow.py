"""Claims about the pictures of a narrow screen: they say all that the wide ones say, and fit."""

import json

import numpy as np
import pytest

from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Step, Trace
from pages.charts import embeddings_map
from pages.charts.sampling import columns, draw, stacked
from pages.charts.sampling.outcome import DRAWN, SHOWN_TOKENS, Outcome, other_than_drawn, shown_tokens, token_options
from pages.charts.style import PICKED
from pages.look.palette import LIGHT
from pages.stage.actions import Malformed, View, parse

LETTER_PIXELS, PHONE = 7.2, 230


@pytest.fixture(scope="module")
def step(trace: Trace) -> Step:
    return trace.steps[-1]


@pytest.mark.parametrize("sampling", [Sampling(0.8, 0, 0.95, 1), Sampling(1.3, 10, 0.8, 4), Sampling(0.0, 0, 1.0, 2)])
def test_the_stacked_columns_say_what_the_wide_ones_say(trace: Trace, step: Step, sampling: Sampling) -> None:
    arguments = Outcome.preview(step, sampling), Outcome.drawn(step), step.logits, trace.vocabulary
    wide, narrow = columns.column_rows(*arguments), stacked.stacked_rows(*arguments)
    tokens, shown = slice(None, SHOWN_TOKENS), [row["text"] for row in narrow["cells"]]
    assert shown == [row["text"] for row in wide["values"] if row["y"] < SHOWN_TOKENS]
    assert [row["token"][:11] for row in narrow["names"]] == [row["token"][:11] for row in wide["names"][tokens]]
    assert [row["logit"] for row in narrow["names"]] == [f"logit {row['logit']}" for row in wide["names"][tokens]]
    notes = [row["text"] for row in narrow["notes"]]
    assert wide["names"][-1]["token"] in notes
    assert set(notes) >= {row["text"] for row in wide["values"] if row["y"] == SHOWN_TOKENS}
    entropies = [row["text"].split()[0] for row in wide["heads"] if row["line"] == "entropy"]
    assert [row["text"] for row in narrow["notes"] if row["y"] == -1 + stacked.VALUE] == entropies


def test_the_stacked_columns_keep_their_spec_whatever_the_settings(trace: Trace, step: Step) -> None:
    drawn = Outcome.drawn(step)
    specs = []
    for sampling in (drawn.sampling, Sampling(1.9, 3, 0.5, 7)):
        outcome = Outcome.preview(step, sampling)
        spec = stacked.stacked_chart(outcome, drawn, step.logits, trace.vocabulary, LIGHT).to_dict()
        specs.append(json.dumps({name: value for name, value in spec.items() if name != "datasets"}))
    assert specs[0] == specs[1]


def test_a_click_on_any_cell_of_a_token_picks_that_token_for_a_branch(trace: Trace, step: Step) -> None:
    drawn, preview = Outcome.drawn(step), Outcome.preview(step, Sampling(1.3, 10, 0.75, 4))
    for draw_columns, cells in ((columns.columns_chart, "bars"), (stacked.stacked_chart, "cells")):
        spec = draw_columns(preview, drawn, step.logits, trace.vocabulary, LIGHT).to_dict()
        (pick,) = spec["params"]
        assert (pick["name"], pick["select"]["fields"]) == (PICKED, ["option"])
        assert {row["option"] for row in spec["datasets"][cells]} == set(shown_tokens(preview, drawn.token))
        assert all(row["option"] == row["id"] for row in spec["datasets"][cells])
    assert other_than_drawn(drawn, 7) == 7
    assert other_than_drawn(drawn, drawn.token) == next(t for t in drawn.distribution.order if t != drawn.token)
    options = token_options(preview, drawn, 7)
    assert options[0] == DRAWN and 7 in options and set(shown_tokens(preview, drawn.token)) <= set(options)


def test_a_bar_on_a_phone_has_labels_only_where_they_fit(trace: Trace) -> None:
    open_step = max(trace.steps, key=lambda step: step.choice[0])
    outcome = Outcome.preview(open_step, Sampling(1.0, 0, 1.0, 9))
    wide, narrow = (
        [row for row in draw.segments(outcome, "As drawn", trace.vocabulary, letter) if row["text"]]
        for letter in (draw.LETTER, draw.NARROW_LETTER)
    )
    assert all(len(row["text"]) * LETTER_PIXELS <= row["share"] * PHONE for row in narrow)
    assert len(narrow) < len(wide)


def test_the_labels_of_the_map_stay_on_a_phones_plot() -> None:
    points = np.random.default_rng(3).uniform(0.1, 0.9, (40, 2)) * (embeddings_map.NARROW_WIDTH, embeddings_map.HEIGHT)
    labels, width = ["·kingdom"] * 40, embeddings_map.NARROW_WIDTH
    sides = embeddings_map.place_labels(points, labels, 0, width)
    boxes = [
        embeddings_map.label_box(*point, len(label), side)
        for point, label, side in zip(points.tolist(), labels, sides, strict=True)
        if side
    ]
    assert boxes and all(box[0] >= 0 and box[2] <= width for box in boxes)
    assert not any(
        embeddings_map.overlap(one, np.array(boxes[at + 1 :]).reshape(-1, 4)) for at, one in enumerate(boxes)
    )


def test_the_browser_tells_whether_its_window_is_narrow() -> None:
    sent = {"cursor": 3, "layer": None, "head": None, "paint_ms": None}
    assert parse("view", sent | {"is_narrow": True}) == View(3, None, None, is_narrow=True)
    assert parse("view", sent) == View(3, None, None, is_narrow=False)
    assert parse("view", sent | {"follows": True}) == View(3, None, None, follows=True)
    assert isinstance(parse("view", sent | {"is_narrow": "very"}), Malformed)
