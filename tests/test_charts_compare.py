"""The pictures of two runs show the first, the second or their difference: every number is worked out anew here."""

from dataclasses import replace

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.experiments.second_run import alongside, reread
from gpt2.experiments.trace_pair import TracePair
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from pages.charts.compare import attention, bars, lens, strip, texts
from pages.charts.compare.which import DIFFERENCE, FIRST, SECOND, VIEWS, left_out
from pages.look.numbers import bits, percent
from pages.look.palette import LIGHT
from pages.look.tokens import spoken
from tests.effects import chances

HERO, OTHER, STEP = "The king said to his", "The queen said", 3
WARM = Sampling(0.9, 50, 0.95, seed=12)


@pytest.fixture(scope="module")
def first(engine: Engine) -> Trace:
    run = engine.start(HERO)
    for _ in range(5):
        run.advance(WARM)
    return run.trace


@pytest.fixture(scope="module")
def pair(engine: Engine, first: Trace) -> TracePair:
    *_, second = alongside(engine, first, OTHER)
    return TracePair(first, second)


@pytest.fixture(scope="module")
def at(pair: TracePair) -> TracePair:
    return pair.at(STEP)


def test_the_texts_are_marked_where_they_part_and_the_step_of_each_is_told(pair: TracePair, first: Trace) -> None:
    one, other = texts.texts_of(pair)
    assert one.startswith(f"The{spoken('·king')} said") and other.startswith(f"The{spoken('·queen')} said")
    assert f"at position 1: the first has {spoken('·king')} there" in texts.texts_sentence(pair, np.zeros((2, 5), int))
    told = texts.step_sentence(pair, STEP, STEP)
    assert f"the first has read {5 + STEP} tokens" in told and f"the second {3 + STEP} up to" in told
    assert "ends before step 7" in texts.step_sentence(pair, STEP, 7)
    assert "has not reached step 7, so its last" in texts.step_sentence(pair, STEP, 7, is_growing=True)
    same = TracePair(first, first)
    assert "both have read 8" in texts.step_sentence(same, STEP, STEP)
    choices = np.array([[5, 6, 7], [5, 8, 9]])
    assert "the same at every step" in texts.texts_sentence(same, choices[[0, 0]])
    six, eight = (spoken(first.vocabulary.label(token)) for token in (6, 8))
    assert f"differ at 2 of 3 steps, first at step 1: {six} and {eight}." in texts.texts_sentence(same, choices)
    assert texts.texts_of(same) == (first.text, first.text)


def test_the_strip_has_both_ways_at_every_step_and_says_the_largest(pair: TracePair) -> None:
    values = pair.divergences()
    picture = strip.kl_strip(pair, values, STEP, 200)
    assert np.array_equal(picture.values, values) and picture.mark_column == STEP
    told = picture.caption
    assert f"KL(first ‖ second) is {bits(values[0, STEP])} and KL(second ‖ first) {bits(values[1, STEP])}" in told
    assert f"at step {values.max(axis=0).argmax()}: {bits(values.max())}" in told
    p, q = (chances(trace.steps[STEP].logits.astype(np.float64)) for trace in pair.both)
    terms = p * np.log2(p / q)
    largest, total = strip.operands(pair, values, STEP)
    assert spoken(pair.first.vocabulary.label(int(terms.argmax()))) in largest and f"{terms.max():.6f} bits" in largest
    assert f"{terms.sum():.5f}" in total
    assert "the same at all 5 steps" in strip.kl_sentence(pair, np.zeros((2, 5)), 0)


def test_a_mosaic_and_a_head_show_either_run_or_signed_points(at: TracePair) -> None:
    mine, theirs = (trace["blocks.2.attn.hook_pattern"][3] for trace in at.both)
    expected = {FIRST: mine[2:, 2:], SECOND: theirs, DIFFERENCE: 100 * (theirs - mine[2:, 2:])}
    for which in VIEWS:
        mosaic, large = attention.mosaic(at, which, 400), attention.pattern(at, (2, 3), which, 400)
        assert mosaic.rows[3] == "L2" and np.allclose(mosaic.values[3, 3], expected[which], atol=1e-5)
        assert np.allclose(large.values, expected[which], atol=1e-5)
        assert mosaic.scale.kind == ("signed" if which == DIFFERENCE else "sequential")
        assert "The newest 6 positions of both are shown, paired from the newest backwards (8 and 6 in all)." in (
            mosaic.caption
        )
    assert attention.mosaic(at, DIFFERENCE, 400).scale.limit == pytest.approx(
        max(np.abs(100 * np.diff(at.patterns(n, 64), axis=0)).max() for n in range(6))
    )
    assert f"puts {percent(at.attention_moved().max())} of its attention elsewhere" in (
        attention.mosaic(at, DIFFERENCE, 400).caption
    )
    row = expected[DIFFERENCE][-1]
    told = attention.pattern(at, (2, 3), DIFFERENCE, 400).caption
    assert f"looks {row.max():.1f} percentage points more at" in told and f"and {-row.min():.1f} less at" in told
    same = TracePair(at.first, at.first)
    assert "same weights in both" in attention.pattern(same, (2, 3), DIFFERENCE, 400).caption


def test_the_lens_shows_the_likeliest_of_each_or_how_far_both_likeliest_moved(at: TracePair, engine: Engine) -> None:
    found = lens.lens_pair(at, (engine.lens, engine.lens))
    p, q = (chances(trace.steps[STEP].logits.astype(np.float64)) for trace in at.both)
    second, moved = (lens.lens_picture(at, found, which, 400) for which in (SECOND, DIFFERENCE))
    assert second.values[0] == pytest.approx(np.sort(q)[::-1][:5], rel=1e-3) and second.rows[-1] == "embed"
    assert moved.values[0] == pytest.approx([100 * (q - p)[p.argmax()], 100 * (q - p)[q.argmax()]], rel=1e-3, abs=1e-3)
    assert found.kl[-1] == pytest.approx((p * np.log2(p / q)).sum(), rel=1e-3)
    assert bits(found.kl.max()) in moved.caption and percent(float(p.max())) in moved.caption


def test_bars_of_both_share_an_axis_and_a_difference_is_symmetric_about_zero(at: TracePair) -> None:
    norms = at.stream_norms()
    for chart, of_both, scale in (
        (lambda which: bars.norms_chart(norms, which, LIGHT), norms[:, ::-1], 1),
        (lambda which: bars.next_chart(at, which, LIGHT), bars.shown_next(at)[1], 100),
    ):
        made = {which: chart(which).to_dict() for which in VIEWS}
        values = {which: [row["value"] for row in spec["datasets"]["bars"]] for which, spec in made.items()}
        ends = {which: spec["layer"][0]["encoding"]["x"]["scale"]["domain"] for which, spec in made.items()}
        assert values[FIRST] == pytest.approx(of_both[0]) and values[SECOND] == pytest.approx(of_both[1])
        assert values[DIFFERENCE] == pytest.approx(scale * (of_both[1] - of_both[0]))
        assert ends[FIRST] == ends[SECOND] and ends[FIRST][0] == 0 and ends[FIRST][1] >= of_both.max()
        assert ends[DIFFERENCE][0] == -ends[DIFFERENCE][1]
    p = chances(at.first.steps[-1].logits.astype(np.float64))
    tokens, both = bars.shown_next(at)
    assert both[0] == pytest.approx(p[tokens], rel=1e-6) and tokens[0] == p.argmax()
    assert percent(float(p.max())) in bars.next_sentence(at)


def test_what_only_one_model_has_is_said_to_be_left_out(engine: Engine, first: Trace) -> None:
    *_, second = reread(engine, first)
    smaller = replace(second, config=replace(second.config, n_layer=4, n_head=4))
    assert left_out(TracePair(first, second)) == ""
    told = "The {0} has 6 layers: those from L4 on are left out. The {0} has 8 heads a layer: those from H4 on are "
    told += "left out."
    assert left_out(TracePair(first, smaller)) == told.format("first")
    lower = replace(second, config=replace(second.config, n_layer=4))
    mosaic = attention.mosaic(TracePair(lower, second), DIFFERENCE, 400)
    assert mosaic.values.shape[:2] == (4, 8) and mosaic.caption.endswith(told.format("second").split(". ")[0] + ".")
