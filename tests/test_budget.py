"""Claims about long runs: they stay within their budget, and what they let go comes back as it was."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2.engine.engine import Engine
from gpt2.engine.long_prompt import squeezed_bytes, whole_bytes
from gpt2.engine.recompute import RecomputeCache
from gpt2.errors import GPT2Error, TraceError
from gpt2.model.hooks import BLOCK_HOOKS
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.trace.budget import squeeze_to_fit
from gpt2.trace.captures import Level, Storage
from gpt2.trace.trace import Trace
from tests.long_runs import CHANGES, UNBOUNDED, WARM, run_of, squeezed, with_recomputer
from tests.reference import relative_difference

pytestmark = pytest.mark.slow


def assert_same_within(shown: Trace, whole: Trace, exact: bool) -> None:
    """Every capture within what the way it is kept promises."""
    for name in whole.axes:
        one, two = shown[name], whole[name]
        finite = np.isfinite(two)
        assert np.array_equal(np.isfinite(one), finite), name
        one, two = one[finite], two[finite]
        match shown.storage_of(name):
            case Storage.FLOAT32 if exact:
                np.testing.assert_array_equal(one, two, err_msg=name)
            case Storage.FLOAT16 if exact:
                np.testing.assert_allclose(one, two, rtol=2**-11, atol=2**-25, err_msg=name)
            case Storage.FLOAT16 | Storage.DROPPED if name.endswith(
                "hook_pattern"
            ):  # of some steps it may be in half precision
                np.testing.assert_allclose(one, two, rtol=2**-10, atol=1e-5, err_msg=name)
            case Storage.DIFFERENCE:
                stream = whole[name.replace("attn_out", "resid_mid").replace("mlp_out", "resid_post")]
                assert np.abs(one - two).max() <= 1e-5 * np.abs(stream).max(), name
            case _:
                assert relative_difference(one, two) <= 1e-5, name


orders = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(1, 6)),
        st.tuples(st.sampled_from(["cut", "branch"]), st.floats(0.1, 1)),
        st.tuples(st.just("resample"), st.integers(0, 99)),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25)
@given(length=st.integers(1, 60), budget=st.integers(100_000, 8_000_000), orders=orders, changed=st.booleans())
def test_any_run_stays_within_any_budget_and_is_the_same_run(
    engine: Engine, length: int, budget: int, orders: list, changed: bool
) -> None:
    """However it is continued, cut, branched and drawn again: the bytes, every number, and what was handed out."""
    changes = CHANGES if changed else Interventions()
    run, twin = (run_of(engine, length, 1, limit, changes) for limit in (budget, UNBOUNDED))
    handed = []
    for order, value in orders:
        if run.is_full:
            break
        for one in (run, twin):
            if order == "advance":
                for _ in range(value):
                    if not one.is_full and len(one.trace.steps) <= len(twin.trace.steps):
                        one.advance(WARM)
                        assert run.trace.nbytes <= budget or run.is_full
            elif order == "resample":
                one.resample(Sampling(1.1, seed=value))
            else:
                getattr(one, order)(max(1, round(value * len(one.trace.steps))))
        twin.cut(len(run.trace.steps))
        handed.append((run.trace, run.trace["hook_embed"], run.trace["blocks.2.hook_resid_pre"], run.trace.nbytes))
    shown, whole = run.trace, twin.trace
    assert shown.ids == whole.ids and shown.labels == whole.labels
    assert [step.draw for step in shown.steps] == [step.draw for step in whole.steps]
    assert shown.nbytes <= budget or "GPT2_TRACE_MB" in run.why_full
    assert_same_within(with_recomputer(engine, shown), whole, exact=whole_bytes(engine.config, length) <= budget)
    for trace, embed, stream, held in handed:
        np.testing.assert_array_equal(trace["hook_embed"], embed)
        np.testing.assert_array_equal(trace["blocks.2.hook_resid_pre"], stream)
        assert sum(step.nbytes for step in trace.steps) == held


def test_a_run_that_cannot_be_squeezed_further_stops_with_one_sentence(engine: Engine) -> None:
    run = run_of(engine, 10, 1, 50_000)
    assert "GPT2_TRACE_MB" in run.why_full and "\n" not in run.why_full
    with pytest.raises(GPT2Error, match="GPT2_TRACE_MB"):
        run.advance(WARM)
    run.budget = UNBOUNDED
    assert not run.is_full and run.advance(WARM).start == 10


def test_the_oldest_steps_are_squeezed_first_and_each_once_a_level(engine: Engine) -> None:
    run, made, before = run_of(engine, 10, 1, 1_500_000), 0, ()
    while len(run.trace.steps) < 60:
        run.advance(WARM)
        steps = run.trace.steps
        levels = [step.captures.level for step in steps]
        assert levels == sorted(levels, reverse=True) and levels[-1] < Level.NO_LOGITS
        made += sum(new is not old for new, old in zip(steps, before, strict=False))
        before = steps
    assert levels[0] == Level.NO_LOGITS and levels.count(Level.NO_LOGITS) <= made <= 2 * len(levels)


def test_patterns_go_last_and_the_newest_step_can_always_be_drawn_from(engine: Engine) -> None:
    """A run goes on for as long as the stream alone fits."""
    run = run_of(engine, 10, 1, 700_000)
    while not run.is_full:
        run.advance(WARM)
        levels = [step.captures.level for step in run.trace.steps]
        assert levels == sorted(levels, reverse=True) and "logits" in run.trace.steps[-1].captures
    assert set(levels) == {Level.NO_PATTERNS}
    assert "GPT2_TRACE_MB" in run.why_full
    assert len(levels) > 40
    assert ["logits" in step.captures for step in run.trace.steps] == [False] * (len(levels) - 1) + [True]
    squeezed_less = run_of(engine, 10, 1, UNBOUNDED)
    while len(squeezed_less.trace.steps) < len(levels):
        squeezed_less.advance(WARM)
    assert squeezed(squeezed_less.trace, Level.NO_LOGITS).nbytes > 1.5 * run.trace.nbytes


def test_a_run_within_its_budget_is_left_as_it_is(trace: Trace) -> None:
    assert squeeze_to_fit(trace, trace.nbytes) is trace
    tighter = squeeze_to_fit(trace, trace.nbytes - 1)
    assert tighter.nbytes < trace.nbytes and tighter.steps[1:] == trace.steps[1:]


@pytest.mark.parametrize("level", [Level.STREAM, Level.NO_LOGITS, Level.NO_PATTERNS])
def test_squeezing_frees_what_it_lets_go(trace: Trace, level: int) -> None:
    step = replace(trace.steps[5])
    gone = weakref.ref(step)
    small = step.squeezed(level)
    assert small.nbytes < step.nbytes / 2
    del step
    assert gone() is None
    assert "blocks.0.mlp.hook_pre" not in small.captures and ("logits" in small.captures) == (level < Level.NO_LOGITS)


def test_every_capture_that_a_squeezed_step_names_is_there_and_read_only(trace: Trace) -> None:
    for level, storages in (
        (Level.NO_LOGITS, set(Storage) - {Storage.DROPPED}),
        (Level.NO_PATTERNS, {Storage.FLOAT32}),
    ):
        for step in squeezed(trace, level).steps[:3]:
            assert len(step.captures) == len(list(step.captures)) == len(set(step.captures))
            for name, array in step.captures.items():
                assert not array.flags.writeable, name
            assert {step.captures.storage_of(name) for name in step.captures} == storages


@pytest.mark.parametrize("level", [Level.NO_LOGITS, Level.NO_PATTERNS])
@pytest.mark.parametrize("prompt", [4, 30])
def test_a_layer_computed_again_equals_what_was_captured(engine: Engine, prompt: int, level: int) -> None:
    """With changes at chosen positions, over a prompt and single tokens alike."""
    whole = run_of(engine, prompt, 12, UNBOUNDED, CHANGES).trace
    shown = with_recomputer(engine, squeezed(whole, level))
    for layer in range(engine.config.n_layer):
        for hook in BLOCK_HOOKS:
            name = f"blocks.{layer}.{hook}"
            one, two = shown[name], whole[name]
            finite = np.isfinite(two)
            bound = 2**-11 if shown.storage_of(name) == Storage.FLOAT16 else 1e-5
            assert relative_difference(one[finite], two[finite]) <= bound, name
    assert relative_difference(shown["logits"], whole["logits"]) <= 1e-5
    assert relative_difference(shown["ln_final.hook_normalized"], whole["ln_final.hook_normalized"]) <= 1e-5


def test_where_a_vector_is_added_between_two_layers_both_points_are_kept(engine: Engine) -> None:
    whole = run_of(engine, 12, 2, UNBOUNDED, CHANGES).trace
    shown = squeezed(whole, Level.NO_LOGITS)
    for layer in (1, 4):
        below, above = f"blocks.{layer}.hook_resid_post", f"blocks.{layer + 1}.hook_resid_pre"
        assert np.array_equal(shown[below], whole[below]) and np.array_equal(shown[above], whole[above])
        assert not np.array_equal(shown[below], shown[above])


def test_a_cut_of_a_run_computes_the_same_numbers_as_the_run(engine: Engine) -> None:
    whole = run_of(engine, 6, 8, UNBOUNDED).trace
    shown = with_recomputer(engine, squeezed(whole, Level.NO_LOGITS)).cut(3)
    assert relative_difference(shown["blocks.2.attn.hook_q"], whole.cut(3)["blocks.2.attn.hook_q"]) <= 1e-5
    assert shown["blocks.2.attn.hook_attn_scores"].shape == (8, 8, 8)


def test_what_was_let_go_is_one_sentence_where_no_model_is_loaded(trace: Trace) -> None:
    shown = squeezed(trace, Level.NO_PATTERNS)
    inside = ("attn.hook_q", "attn.hook_pattern", "hook_mlp_out")
    for name in (f"blocks.1.{hook}" for hook in inside):
        assert shown.storage_of(name) == Storage.DROPPED
        for look in (lambda name=name: shown[name], lambda name=name: shown.row(name, 3)):
            with pytest.raises(TraceError, match="dropped to save memory"):
                look()
    for norm in ("ln_final.hook_normalized", "blocks.1.ln1.hook_scale"):  # the stream tells, without a weight
        assert shown.storage_of(norm) == Storage.DROPPED
        assert relative_difference(shown[norm], trace[norm]) <= 1e-5
    with pytest.raises(TraceError, match="dropped to save memory"):
        shown.queries("blocks.1.attn.hook_pattern", 0, 2)
    for refused in (lambda: shown["logits"], lambda: shown.steps[2].distribution, lambda: shown.step(2).logits):
        with pytest.raises(TraceError, match="dropped to save memory"):
            refused()


def test_what_is_computed_again_is_kept_for_the_next_look_and_bounded(engine: Engine, trace: Trace) -> None:
    small = squeezed(trace, Level.STREAM)
    one_layer = sum(trace[f"blocks.0.attn.hook_{part}"].nbytes for part in ("q", "k", "v", "z", "attn_scores"))
    recomputed = RecomputeCache(max_bytes=2 * one_layer)
    source = recomputed.recomputer(engine, small)
    first = source.hook(3, "attn.hook_q")
    assert source.hook(3, "attn.hook_q") is first and not first.flags.writeable
    for layer in range(engine.config.n_layer):
        for hook in BLOCK_HOOKS:
            source.hook(layer, hook)
            assert recomputed.nbytes <= 2 * one_layer
    assert source.hook(3, "attn.hook_q") is not first


def test_two_runs_never_share_what_is_computed_again(engine: Engine) -> None:
    recomputed = RecomputeCache()
    for length in (5, 6):
        whole = run_of(engine, length, 3, UNBOUNDED).trace
        source = recomputed.recomputer(engine, squeezed(whole, Level.STREAM))
        assert relative_difference(source.hook(2, "attn.hook_k"), whole["blocks.2.attn.hook_k"]) <= 1e-5


def test_a_step_stepped_back_to_can_be_drawn_again_though_its_logits_were_let_go(engine: Engine) -> None:
    run = run_of(engine, 10, 40, 1_100_000)
    assert "logits" not in run.trace.steps[3].captures
    draws = [step.draw for step in run.trace.steps]
    run.cut(4)
    assert run.resample(WARM).draw == draws[3]
    assert run.resample(Sampling(0)).draw.token == int(run.trace.steps[3].logits.argmax())
    entropy, surprisal = run.trace.steps[3].choice
    assert surprisal == pytest.approx(run.trace.steps[3].distribution.surprisal_bits(run.trace.steps[3].draw.token))
    assert entropy > 0


@pytest.mark.parametrize("length", [1, 15, 16, 17, 100])
def test_a_prompt_run_layer_by_layer_is_the_prompt_run_at_once(engine: Engine, length: int) -> None:
    runs = [
        run_of(engine, length, 4, budget, CHANGES) for budget in (UNBOUNDED, whole_bytes(engine.config, length) - 1)
    ]
    whole, shown = (run.trace for run in runs)
    assert shown.steps[0].captures.level == Level.STREAM and whole.steps[0].captures.level == Level.FULL
    assert shown.ids == whole.ids
    assert_same_within(with_recomputer(engine, shown), whole, exact=False)
    np.testing.assert_allclose(shown.norms, whole.norms, rtol=1e-4)
    np.testing.assert_allclose(shown.value_norms, whole.value_norms, rtol=1e-4)


def test_a_prompt_that_does_not_fit_squeezed_lets_its_patterns_go_layer_by_layer(engine: Engine) -> None:
    length = 100
    budget = squeezed_bytes(engine.config, length) - 1
    bare, whole = (run_of(engine, length, 2, limit, CHANGES).trace for limit in (budget, UNBOUNDED))
    assert bare.steps[0].captures.level == Level.NO_PATTERNS
    assert bare.ids == whole.ids
    assert bare.nbytes <= budget
    assert_same_within(with_recomputer(engine, bare), whole, exact=False)
    captures = run_of(engine, length, 1, UNBOUNDED).trace.steps[0].squeezed(Level.STREAM).captures
    assert squeezed_bytes(engine.config, length) == pytest.approx(captures.nbytes, rel=0.06)  # bands have corners


def test_a_long_prompt_run_in_python_has_every_capture(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = engine.run("Once upon a time there was a fox")
    monkeypatch.setenv("GPT2_TRACE_MB", "0.3")
    shown = engine.run("Once upon a time there was a fox")
    assert (
        shown.storage_of("blocks.0.attn.hook_q") == Storage.DROPPED
        and whole.storage_of("blocks.0.attn.hook_q") == Storage.FLOAT32
    )
    assert_same_within(shown, whole, exact=False)


def test_the_bytes_of_a_prompt_are_known_before_it_runs(engine: Engine) -> None:
    for length in (1, 7):
        captures = run_of(engine, length, 1, UNBOUNDED).trace.steps[0].captures
        assert whole_bytes(engine.config, length) == sum(array.nbytes for array in captures.values())
