"""Claims about squeezed steps: what they keep, how the stage shows them, and how they are saved."""

import io
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine.engine import Engine
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.trace.captures import Level, Storage, Triangle
from gpt2.trace.step import NORMS
from gpt2.trace.trace import Trace
from pages.stage.pack import pack_step, split
from pages.stage.record_cache import RecordCache
from tests.long_runs import CHANGES, UNBOUNDED, WARM, run_of, squeezed, with_recomputer

pytestmark = pytest.mark.slow


@given(
    data=st.data(),
    heads=st.integers(1, 3),
    keys=st.integers(1, 80),
)
def test_a_triangle_is_the_pattern_within_half_precision(data: st.DataObject, heads: int, keys: int) -> None:
    queries = data.draw(st.integers(1, keys))
    weights = np.random.default_rng(keys).random((heads, queries, keys)).astype(np.float32)
    pattern = weights * np.tri(queries, keys, keys - queries, dtype=np.float32)
    packed = Triangle.of(pattern)
    assert packed.shape == pattern.shape
    start = data.draw(st.integers(0, queries - 1))
    stop = data.draw(st.integers(start + 1, queries))
    np.testing.assert_allclose(packed.rows(start, stop), pattern[:, start:stop], rtol=2**-11, atol=2**-25)
    room = np.zeros_like(pattern)
    packed.write_into(room)
    np.testing.assert_array_equal(room, packed.rows(0, queries))
    assert packed.nbytes <= pattern.nbytes // 2


@given(start=st.integers(0, 70), queries=st.integers(1, 70))
def test_a_triangle_from_its_rows_is_that_of_the_square(start: int, queries: int) -> None:
    stop = start + queries
    mask = np.tri(queries, stop, start, dtype=bool)
    pattern = np.random.default_rng(stop).random((2, queries, stop)).astype(np.float32) * mask
    read, packed = Triangle.from_rows(pattern[:, mask], start, stop), Triangle.of(pattern)
    assert len(read.bands) == len(packed.bands)
    for one, other in zip(read.bands, packed.bands, strict=True):
        np.testing.assert_array_equal(one, other)


def test_some_queries_of_a_pattern_are_those_of_the_whole(trace: Trace) -> None:
    for shown in (trace, squeezed(trace, Level.NO_LOGITS)):
        whole = shown["blocks.3.attn.hook_pattern"]
        for start, stop in ((0, 1), (0, shown.seq), (2, 7), (shown.seq - 1, shown.seq)):
            np.testing.assert_array_equal(
                shown.queries("blocks.3.attn.hook_pattern", start, stop), whole[:, start:stop]
            )


@pytest.mark.parametrize("changes", [None, CHANGES])
def test_rows_computed_again_are_those_that_were_captured(engine: Engine, changes: Interventions | None) -> None:
    """A few queries of a pattern, and what was added to the stream at one position, of the run and of a cut of it."""
    whole = run_of(engine, 12, 20, UNBOUNDED, changes).trace
    bare = with_recomputer(engine, squeezed(whole, Level.NO_PATTERNS))
    for steps, layer in ((20, 0), (20, 3), (9, 1), (1, 5)):
        shown, expected = bare.cut(steps), whole.cut(steps)
        last = expected.seq - 1
        for start, stop in ((0, 1), (5, 8), (last, last + 1), (0, last + 1)):
            name = f"blocks.{layer}.attn.hook_pattern"
            again, captured = shown.queries(name, start, stop), expected.queries(name, start, stop)
            np.testing.assert_allclose(again, captured, rtol=1e-4, atol=1e-6)
            assert again.shape == captured.shape and (again[captured == 0] == 0).all()
        for hook, position in product(("hook_attn_out", "hook_resid_mid", "hook_mlp_out"), (0, 4, last)):
            again, captured = (one.row(f"blocks.{layer}.{hook}", position) for one in (shown, expected))
            stream = expected.row(f"blocks.{layer}.hook_resid_post", position)
            assert np.abs(again - captured).max() <= 1e-5 * np.abs(stream).max(), hook


def test_where_some_steps_have_their_patterns_those_are_shown_as_they_are(engine: Engine, trace: Trace) -> None:
    steps = (*(step.squeezed(Level.NO_PATTERNS) for step in trace.steps[:10]), *trace.steps[10:])
    mixed, name = with_recomputer(engine, replace(trace, steps=steps)), "blocks.2.attn.hook_pattern"
    from_there = trace.steps[10].start
    np.testing.assert_array_equal(mixed[name][:, from_there:], trace[name][:, from_there:])
    np.testing.assert_array_equal(
        mixed.queries(name, from_there, trace.seq), trace.queries(name, from_there, trace.seq)
    )
    np.testing.assert_allclose(mixed.queries(name, 0, trace.seq), trace[name], atol=1e-5)


def test_norms_are_lengths_of_what_they_are_named_after(trace: Trace) -> None:
    for shown in (trace, squeezed(trace, Level.NO_LOGITS), squeezed(trace, Level.NO_PATTERNS)):
        for row, hook in enumerate(NORMS):
            expected = np.linalg.norm(trace[f"blocks.4.{hook}"].astype(np.float64), axis=1)
            np.testing.assert_allclose(shown.norms[row, 4], expected, rtol=1e-5)
        expected = np.linalg.norm(trace["blocks.4.attn.hook_v"].astype(np.float64), axis=2)
        np.testing.assert_allclose(shown.value_norms[4], expected, rtol=1e-5)


def test_one_position_is_that_row_of_the_whole(engine: Engine, trace: Trace) -> None:
    for shown in (trace, with_recomputer(engine, squeezed(trace, Level.NO_LOGITS))):
        for name in ("hook_embed", "blocks.2.hook_attn_out", "blocks.5.attn.hook_q"):
            for position in (0, 3, trace.seq - 1):
                np.testing.assert_array_equal(shown.row(name, position), shown[name][position])


def test_a_squeezed_step_keeps_its_stamp_and_one_drawn_again_gets_another(engine: Engine) -> None:
    shelf, run = RecordCache(), run_of(engine, 10, 3, 2_000_000)
    stamps = [shelf.stamp(step) for step in run.trace.steps]
    for _ in range(40):
        run.advance(WARM)
    assert run.trace.steps[0].captures.level > Level.FULL
    assert [shelf.stamp(step) for step in run.trace.steps[:3]] == stamps
    run.cut(3)
    run.resample(Sampling(0))
    assert shelf.stamp(run.trace.steps[2]) not in stamps


@pytest.mark.parametrize("level", [Level.NO_LOGITS, Level.NO_PATTERNS])
@pytest.mark.parametrize("index", [0, 5])
def test_the_record_of_a_squeezed_step_is_that_of_the_whole_one(engine: Engine, index: int, level: int) -> None:
    whole = run_of(engine, 140, 8, UNBOUNDED).trace
    before, numbers = split(pack_step(whole, index, None))
    after, again = split(pack_step(with_recomputer(engine, squeezed(whole, level)), index, None))
    assert after["next"]["token"] == before["next"]["token"] and after["labels"] == before["labels"]
    assert after["next"]["entropy"] == pytest.approx(before["next"]["entropy"], abs=1e-4)
    assert after["lens"] == before["lens"]
    np.testing.assert_allclose(again["pattern"] / 65535, numbers["pattern"] / 65535, atol=2**-11)
    np.testing.assert_array_equal(again["embedding"], numbers["embedding"])
    np.testing.assert_allclose(again["norms"], numbers["norms"], rtol=1e-5)


def test_a_squeezed_step_has_a_record_where_no_model_is_loaded(trace: Trace) -> None:
    meta, arrays = split(pack_step(squeezed(trace, Level.NO_LOGITS), 4, None))
    assert meta["next"] is None and "dropped" in meta["says"]["bars"][0]
    assert arrays["pattern"].size and "dropped" not in "".join(meta["says"]["heads"])
    for index in (0, 4):
        meta, arrays = split(pack_step(squeezed(trace, Level.NO_PATTERNS), index, None))
        assert "patterns were dropped" in meta["says"]["heads"][0] and meta["lens"] is not None
        assert arrays["pattern"].size == arrays["first"].size == arrays["strongest"].size == 0


@pytest.mark.parametrize("changes", [None, CHANGES])
def test_a_bare_run_read_back_is_the_same_run(engine: Engine, changes: Interventions | None) -> None:
    whole = run_of(engine, 12, 30, 600_000, changes).trace
    assert whole.steps[0].captures.level == Level.NO_PATTERNS
    file = io.BytesIO()
    whole.save(file)
    file.seek(0)
    read = Trace.load(file)
    assert {step.captures.level for step in read.steps} == {Level.NO_PATTERNS}
    assert read.ids == whole.ids and [step.draw for step in read.steps] == [step.draw for step in whole.steps]
    for name in ("hook_embed", "blocks.2.hook_resid_pre", "blocks.2.hook_resid_post"):
        np.testing.assert_array_equal(read[name], whole[name], err_msg=name)
    assert read.storage_of("blocks.3.attn.hook_pattern") == read.storage_of("blocks.3.hook_mlp_out") == Storage.DROPPED
    np.testing.assert_array_equal(read.steps[-1].logits, whole.steps[-1].logits)
    np.testing.assert_allclose(read.norms, whole.norms, rtol=1e-6)
    again, before = (with_recomputer(engine, trace)["blocks.3.attn.hook_pattern"] for trace in (read, whole))
    np.testing.assert_allclose(again, before, atol=2**-10)


@pytest.mark.parametrize("changes", [None, CHANGES])
@pytest.mark.parametrize("budget", [1_200_000, 3_000_000])
def test_a_squeezed_run_read_back_is_the_same_run(engine: Engine, budget: int, changes: Interventions | None) -> None:
    whole = run_of(engine, 12, 30, budget, changes).trace
    assert whole.steps[0].captures.level > Level.FULL
    file = io.BytesIO()
    whole.save(file)
    file.seek(0)
    read = Trace.load(file)
    assert read.ids == whole.ids and [step.draw for step in read.steps] == [step.draw for step in whole.steps]
    assert [step.interventions for step in read.steps] == [step.interventions for step in whole.steps]
    for name in ("hook_embed", "blocks.2.hook_resid_pre", "blocks.2.hook_resid_post", "blocks.4.hook_resid_mid"):
        np.testing.assert_array_equal(read[name], whole[name], err_msg=name)
    pattern = "blocks.3.attn.hook_pattern"
    np.testing.assert_array_equal(read[pattern], whole[pattern].astype(np.float16).astype(np.float32))
    assert read.storage_of("blocks.3.attn.hook_q") == Storage.DROPPED and read.recomputer is None
    choices = [[step.choice for step in trace.steps] for trace in (read, whole)]
    np.testing.assert_allclose(*choices, rtol=1e-12)
    np.testing.assert_allclose(read.norms, whole.norms, rtol=1e-6)
    with_logits = ["logits" in step.captures for step in read.steps]
    assert with_logits == ["logits" in step.captures for step in whole.steps] and with_logits[-1]
    np.testing.assert_array_equal(read.steps[-1].logits, whole.steps[-1].logits)
    assert read.nbytes <= whole.nbytes
