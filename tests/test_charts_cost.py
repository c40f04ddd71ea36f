"""The Cost page's pictures, sentences and table, against numbers worked out here from the steps alone."""

import re
from dataclasses import asdict, replace
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine.uncached import Rerun
from gpt2.trace.budget import squeeze_to_fit
from gpt2.trace.captures import Level
from gpt2.trace.timing import Timing
from gpt2.trace.trace import Trace
from pages.charts import cost, cost_cache, cost_table
from pages.charts.cost_table import CostFacts
from pages.charts.embeddings import parts_sentence
from pages.charts.token_time import TokenTime
from pages.look.palette import DARK, LIGHT
from pages.stage.message import describe
from tests.messages import snapshot

OWN = CostFacts(is_live=True, budget=256_000_000, is_loaded=True, loading=0.61, paint_ms=8.25)


def timed(trace: Trace, *timings: Timing) -> Trace:
    """The first steps of a run, each with another timing."""
    steps = zip(trace.steps, timings, strict=False)
    return replace(trace, steps=tuple(replace(step, timing=timing, ms=timing.forward) for step, timing in steps))


def untimed(trace: Trace) -> Trace:
    return replace(trace, steps=tuple(replace(step, timing=None) for step in trace.steps))


@pytest.fixture(scope="module")
def long(trace: Trace) -> Trace:
    """A prompt and 150 tokens, the run's own steps again and again."""
    later = [replace(trace.steps[1 + n % 39], start=5 + n, timing=Timing(model=1.0 + n)) for n in range(150)]
    return replace(trace, steps=(trace.steps[0], *later))


def test_every_piece_of_a_bar_is_as_high_as_its_part(trace: Trace) -> None:
    rows = cost.cost_rows(trace, 5)
    top = rows["frame"][1]["y"]
    for index, step in enumerate(trace.steps):
        pieces = [piece for piece in rows["pieces"] if piece["x"] < index < piece["x2"]]
        assert [piece["part"] for piece in pieces] == list(cost.NAMES.values())
        assert [piece["ms"] for piece in pieces] == [getattr(step.timing, part) for part in cost.NAMES]
        floor = 0.0
        for piece in pieces:
            assert (piece["y"], piece["y2"]) == pytest.approx((min(floor, top), min(floor + piece["ms"], top)))
            floor += piece["ms"]
    assert rows["mark"][0]["middle"] == 5


def test_the_names_of_the_parts_are_those_of_a_timing() -> None:
    assert set(cost.NAMES) == set(asdict(Timing()))


def test_a_long_run_is_drawn_in_bins_that_hold_every_step_once(long: Trace) -> None:
    drawn = cost.bars(long)
    assert len(drawn) <= 1 + cost.MOST_BARS
    assert [n for bar in drawn for n in range(bar.first, bar.last + 1)] == list(range(151))
    assert drawn[0].last == 0
    for bar in drawn[1:]:
        assert bar.parts["model"] == pytest.approx(mean(float(n) for n in range(bar.first, bar.last + 1)))
    assert "the mean of each 3 of the 150 later steps" in cost.cost_caption(long)
    assert cost.cost_rows(long, 150)["mark"][0]["x2"] == 150.5


@given(st.lists(st.floats(0.01, 1e5), min_size=1, max_size=80))
def test_the_axis_shows_the_usual_bars_whole_and_is_never_lower_than_half_of_them(totals: list[float]) -> None:
    top = cost.usual_top(totals)
    assert 0 < top <= 1.1 * max(totals) * 1.0001
    assert top >= median(totals)


def test_a_bar_that_is_cut_says_how_high_it_is(trace: Trace) -> None:
    usual = [Timing(model=10.0)] * 20
    rows = cost.cost_rows(timed(trace, *usual, Timing(model=900.0)), 3)
    beyond = [row for row in rows["frame"] if row["sign"] == "▲"]
    assert [row["x"] for row in beyond] == [20] and rows["mark"][0]["sign"] == "▼"
    assert max(piece["y2"] for piece in rows["pieces"]) == beyond[0]["y"] < 50
    assert "▲ marks bars that are cut, up to 900\u00a0ms" in cost.cost_caption(
        timed(trace, *usual, Timing(model=900.0))
    )
    assert "▲" not in cost.cost_caption(timed(trace, *usual))
    shown = cost.cost_rows(timed(trace, *usual, Timing(model=900.0)), 20)
    assert [row["sign"] for row in shown["frame"]] == ["", ""] and shown["mark"][0]["sign"] == "▲"


def test_the_sentence_tells_the_median_token_and_the_shown_step(trace: Trace) -> None:
    run = timed(trace, Timing(model=90.0), *(Timing(model=n, lens=1.0) for n in (4.0, 9.0, 5.0)))
    said = cost.cost_sentence(run, 2)
    assert "6.0\u00a0ms (median of 3 whole steps), 5.0\u00a0ms of it in the model: 167 tokens a second" in said
    assert said.endswith("took 10.0\u00a0ms.") and "Step 2, " in said
    assert "Step 0, the prompt of 5 tokens, took 90.0\u00a0ms." in cost.cost_sentence(run, 0)
    assert "Reading the prompt took 90.0\u00a0ms" in cost.cost_sentence(run.cut(1), 0)


def test_the_header_and_the_cost_page_tell_one_time_of_a_token_in_the_same_words(trace: Trace) -> None:
    run = timed(trace, Timing(model=90.0), *(Timing(model=n, lens=1.0, storing=0.5) for n in (4.0, 9.0, 5.0)))
    header = TokenTime.of(run)
    assert header is not None and (header.ms, header.unit) == (6.5, "token")
    assert header.sentence.startswith("A token takes 6.5\u00a0ms (median of 3 whole steps: model, capture, ")
    assert "A token takes 6.5\u00a0ms (median of 3 whole steps)" in cost.cost_sentence(run, 2)
    assert value(run, OWN, "A token") == "6.5\u00a0ms, median of 3 whole steps"
    passes = TokenTime.of(untimed(run))
    assert passes is not None and (passes.ms, passes.unit) == (5.0, "forward pass")
    assert "5.0\u00a0ms (median of 3 forward passes)" in passes.sentence
    assert "5.0\u00a0ms (median of 3 forward passes)" in cost.cost_sentence(untimed(run), 2)
    assert value(untimed(run), OWN, "A forward pass") == "5.0\u00a0ms, median of 3 forward passes"
    assert TokenTime.of(run.cut(1)) is None
    assert describe(snapshot(run))["token_time"] == {"ms": 6.5, "unit": "token", "says": header.sentence}
    assert describe(snapshot(run.cut(1)))["token_time"] is None


def test_the_sentence_and_the_table_tell_one_time_of_the_prompt(trace: Trace) -> None:
    run = timed(trace, Timing(model=80.0, storing=10.0), Timing(model=4.0))
    assert "Step 0, the prompt of 5 tokens, took 90.0\u00a0ms." in cost.cost_sentence(run, 0)
    assert value(run, OWN, "Prompt") == "5 tokens in 90.0\u00a0ms, 18.0\u00a0ms each"


def test_a_run_without_a_split_shows_its_passes_and_says_so(trace: Trace) -> None:
    run = untimed(trace)
    assert "press Run to measure them" in cost.cost_sentence(run, 3)
    pieces = cost.cost_rows(run, 3)["pieces"]
    assert [piece["ms"] for piece in pieces] == [step.ms for step in run.steps]
    assert {piece["part"] for piece in pieces} == {cost.WHOLE}
    half = replace(trace, steps=(*run.steps[:5], *trace.steps[5:]))
    assert {part for bar in cost.bars(half) for part in bar.parts} == {cost.WHOLE}
    assert not any(row["what"] == "model" for row in cost_table.cost_table(run, OWN))


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_shown_steps_mark_and_sampling_alone_have_the_colour_of_sampling(trace: Trace, palette) -> None:
    spec = cost.cost_chart(trace, 3, palette).to_dict()
    fills = next(layer for layer in spec["layer"] if "fill" in layer["encoding"])["encoding"]["fill"]["scale"]
    colours = dict(zip(fills["domain"], fills["range"], strict=True))
    assert [part for part, colour in colours.items() if colour == palette.sampling] == ["sampling"]
    assert spec["layer"][1]["mark"]["stroke"] == palette.sampling


def test_a_new_step_changes_data_and_never_the_spec(trace: Trace) -> None:
    specs = [cost.cost_chart(trace.cut(n), n - 1, LIGHT).to_dict() for n in (5, 6)]
    specs += [cost.cost_chart(trace, 2, LIGHT).to_dict()]
    for spec in specs:
        spec.pop("datasets")
    assert specs[0] == specs[1] == specs[2]


def value(run: Trace, facts: CostFacts, what: str) -> str:
    return next(row["measured"] for row in cost_table.cost_table(run, facts) if row["what"] == what)


def test_the_table_adds_up_the_run(trace: Trace) -> None:
    run = timed(trace, Timing(model=8.0), *(Timing(n / 10, n, 1, 2, 3, 0.25) for n in (4.0, 9.0, 5.0)))
    assert value(run, OWN, "Prompt") == "5 tokens in 8.0\u00a0ms, 1.6\u00a0ms each"
    assert value(run, OWN, "A token") == "11.8\u00a0ms, median of 3 whole steps"
    assert value(run, OWN, "model") == "5.0\u00a0ms"
    assert value(run, OWN, "storing") == "0.25\u00a0ms"
    assert value(run, OWN, "waiting") == "0.50\u00a0ms, 0.90\u00a0ms at most"
    assert value(run, OWN, "painting") == "8.2\u00a0ms in this browser"
    assert value(run, OWN, "KV cache").startswith(f"{2 * 6 * 256 * 4 * 8 / 1e3:.0f}\u00a0kB")
    assert value(run, OWN, "Loading") == "0.6 s"
    assert value(run, OWN, "Compiling") == cost_table.NOTHING_COMPILED
    assert value(run, replace(OWN, compiling=81.4, downloading=12.2), "Compiling") == "81 s"
    assert value(run, replace(OWN, downloading=12.2), "Loading") == "0.6 s, after 12 s of download"


def test_the_trace_line_counts_what_was_squeezed(trace: Trace) -> None:
    assert value(trace, OWN, "Trace").endswith("of 256\u00a0MB, all steps complete")
    squeezed = squeeze_to_fit(trace, trace.nbytes // 2)
    fewer = sum(step.captures.level > 0 for step in squeezed.steps)
    assert value(squeezed, OWN, "squeezed") == f"{fewer} of 40 steps" and fewer > 5
    assert "complete" in value(trace, OWN, "Trace") and "complete" not in value(squeezed, OWN, "Trace")
    bare = replace(trace, steps=(*(step.squeezed(Level.NO_PATTERNS) for step in trace.steps[:7]), *trace.steps[7:]))
    assert value(bare, OWN, "without patterns") == value(bare, OWN, "without logits") == "7 of 40 steps"


def test_a_recorded_run_has_no_cache_and_may_have_no_model(trace: Trace) -> None:
    recorded = CostFacts(is_live=False, budget=None, is_loaded=False)
    assert value(trace, recorded, "KV cache").startswith("none")
    assert value(trace, recorded, "Loading") == "the model of this run is not loaded"
    assert value(trace, replace(recorded, is_loading=True), "Loading") == "in progress"
    assert "Capture" in cost.cost_caption(trace) and "Capture" not in cost.cost_caption(untimed(trace))
    assert value(trace, recorded, "painting") == "not timed; open Live"


def test_the_operands_give_the_size_of_the_cache(trace: Trace) -> None:
    line, more, _ = cost_table.kv_operands(trace)
    left, right = line.split(" = ")
    numbers = [int(number) for number in re.findall(r"\d+", left)]
    product = 1
    for number in numbers:
        product *= number
    assert product == int(right.split()[0].replace(",", "")) == cost_table.kv_bytes(trace)
    assert f"{2 * 6 * 256 * 4:,} bytes" in more


def reruns(*lengths: tuple[int, float]) -> tuple[Rerun, ...]:
    return tuple(Rerun(tokens, ms) for tokens, ms in lengths)


def test_the_cached_line_is_the_running_median_of_the_steps(trace: Trace) -> None:
    rows, times = cost_cache.cached_rows(trace), [step.ms for step in trace.steps[1:]]
    assert [row["position"] for row in rows] == list(range(5, 44)) and [row["ms"] for row in rows] == times
    for at, row in enumerate(rows[7:-7]):
        assert row["running"] == median(times[at : at + 15])
    assert {row["running"] for row in rows[:7]} == {median(times[:15])}
    assert {row["running"] for row in rows[-7:]} == {median(times[-15:])}


def test_passes_of_one_length_are_one_point_at_their_median() -> None:
    rows = cost_cache.rerun_rows(reruns((9, 3.0), (20, 8.0), (9, 1.0), (9, 2.0)))
    assert [(row["position"], row["ms"], row["passes"]) for row in rows] == [(8, 2.0, 3), (19, 8.0, 1)]


def test_the_cache_sentence_compares_the_longest_text_measured_both_ways(trace: Trace) -> None:
    run = timed(trace, *[Timing(model=2.0)] * 40)
    said = cost_cache.cache_sentence(run, reruns((9, 3.0), (43, 41.0)))
    assert said == (
        "At position 42 the cache makes the forward pass 20 times as fast: 2.0\u00a0ms instead of 41.0\u00a0ms."
    )
    assert "1.5 times as fast" in cost_cache.cache_sentence(run, reruns((9, 3.0)))
    assert "saves nothing yet" in cost_cache.cache_sentence(run, reruns((9, 2.0)))
    assert "has not been measured yet" in cost_cache.cache_sentence(run, ())
    assert "No token has been generated" in cost_cache.cache_sentence(run.cut(1), reruns((2, 3.0)))


def test_the_cache_chart_and_its_sentence_count_positions_from_0_as_the_other_pages_do(trace: Trace) -> None:
    newest = trace.seq - 1
    assert f"at position {newest} " in parts_sentence(trace)
    assert f"at position {newest} takes" in cost_cache.cache_sentence(trace, ())
    chart = cost_cache.cache_chart(trace, reruns((trace.seq, 41.0)), LIGHT).to_dict()
    drawn = chart["datasets"]
    assert drawn["cached"][-1]["position"] == drawn["again"][0]["position"] == newest
    assert drawn["cached"][0]["position"] == len(trace.prompt_ids)  # the first token after the prompt's


def test_the_cache_chart_names_what_was_measured_alone(trace: Trace) -> None:
    def legend(again: tuple[Rerun, ...]) -> list[str]:
        layers = cost_cache.cache_chart(trace, again, LIGHT).to_dict()["layer"]
        return next(layer["encoding"]["color"]["scale"]["domain"] for layer in layers if "color" in layer["encoding"])

    assert legend(()) == [cost_cache.WITH]
    assert legend(reruns((9, 3.0))) == [cost_cache.WITH, cost_cache.WITHOUT]


@pytest.mark.parametrize("steps", [1, 2])
def test_a_run_that_has_just_begun_is_drawn(trace: Trace, steps: int) -> None:
    run = trace.cut(steps)
    assert len(cost.cost_rows(run, steps - 1)["pieces"]) == steps * len(cost.NAMES)
    frame = cost_cache.cache_chart(run, (), DARK).to_dict()["datasets"]["frame"]
    assert frame[1]["ms"] > 0


@pytest.mark.parametrize(
    ("ms", "said"), [(0.034, "0.03 ms"), (4.26, "4.3 ms"), (99.4, "99.4 ms"), (99.6, "100 ms"), (1234.0, "1.23 s")]
)
def test_a_duration_has_about_three_digits(ms: float, said: str) -> None:
    assert cost.milliseconds(ms).replace("\u00a0", " ") == said


def test_the_table_draws_every_line_of_the_table_and_tells_it_in_words(trace: Trace) -> None:
    table = cost_table.cost_table(trace, OWN)
    rows = cost_table.cost_table_chart(table, LIGHT).to_dict()["datasets"]["lines"]
    assert [(row["what"], row["measured"]) for row in rows] == [(row["what"], row["measured"]) for row in table]
    assert [row["what"] for row in rows if row["is_part"]] == [*cost.NAMES.values(), "painting"]
    assert all(row["measured"] in cost_table.in_words(table) for row in rows)
