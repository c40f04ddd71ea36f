"""Claims about traces: what one run leaves behind is whole, named, checked and never changes."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine.engine import Engine
from gpt2.errors import TraceError
from gpt2.model.hooks import AXES, hook_axes
from gpt2.model.sampling import Draw, Sampling
from gpt2.trace.captures import Captures
from gpt2.trace.trace import Step, Trace
from tests.models import PROMPT


def test_a_trace_tells_its_text_in_tokens(engine: Engine, trace: Trace) -> None:
    vocabulary = engine.tokenizer.vocabulary
    assert vocabulary.text(trace.prompt_ids) == PROMPT
    assert len(trace.steps) == len(trace.generated_ids) == 40
    assert trace.ids == trace.prompt_ids + trace.generated_ids
    assert trace.computed_ids == trace.ids[:-1] and trace.seq == len(trace.computed_ids)
    assert trace.text == PROMPT + vocabulary.text(trace.generated_ids)
    assert trace.labels == [vocabulary.label(token) for token in trace.computed_ids]


def test_every_capture_of_a_real_run_has_the_shape_its_axes_declare(trace: Trace) -> None:
    config = trace.config
    size = {
        "seq": trace.seq,
        "query": trace.seq,
        "key": trace.seq,
        "head": config.n_head,
        "d_head": config.d_head,
        "d_model": config.n_embd,
        "d_mlp": config.n_inner,
        "vocab": config.vocab_size,
        "step": len(trace.steps),
    }
    for name, axes in trace.axes.items():
        assert trace[name].shape == tuple(size[axis] for axis in axes), name
        assert trace[name].dtype == np.float32, name


def test_the_captures_are_the_declared_hooks_and_logits_and_no_others(trace: Trace) -> None:
    declared = [*hook_axes(trace.config.n_layer), "logits"]
    assert list(trace.axes) == declared
    for step in trace.steps:
        assert sorted(step.captures) == sorted(declared)


def test_every_axis_of_a_hook_is_defined_once(trace: Trace) -> None:
    used = {axis for axes in hook_axes(trace.config.n_layer).values() for axis in axes}
    assert used <= set(AXES)
    assert "batch" not in AXES


def test_each_step_holds_its_own_positions(trace: Trace) -> None:
    stop = 0
    for index, step in enumerate(trace.steps):
        assert (step.start, step.stop) == (stop, stop + len(step.ids))
        stop = step.stop
        rows = slice(step.start, step.stop)
        assert np.array_equal(trace["hook_embed"][rows], step.captures["hook_embed"])
        pattern = step.captures["blocks.2.attn.hook_pattern"]
        assert pattern.shape == (trace.config.n_head, len(step.ids), step.stop)
        assert np.array_equal(trace["blocks.2.attn.hook_pattern"][:, rows, : step.stop], pattern)
        assert np.array_equal(trace["logits"][index], step.logits)
    assert stop == trace.seq


def test_whole_patterns_are_distributions_over_the_past(trace: Trace) -> None:
    for layer in range(trace.config.n_layer):
        pattern = trace[f"blocks.{layer}.attn.hook_pattern"]
        assert np.abs(pattern.sum(-1) - 1).max() <= 1e-5
        assert np.triu(pattern, 1).max() == 0 <= pattern.min()
        scores = trace[f"blocks.{layer}.attn.hook_attn_scores"]
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        assert np.abs(powers / powers.sum(-1, keepdims=True) - pattern).max() <= 1e-5


def test_the_residual_stream_adds_up(trace: Trace) -> None:
    stream = trace["hook_embed"] + trace["hook_pos_embed"]
    for layer in range(trace.config.n_layer):
        at = f"blocks.{layer}."
        scale = np.abs(trace[at + "hook_resid_post"]).max()
        assert np.abs(trace[at + "hook_resid_pre"] - stream).max() <= 1e-6 * scale
        stream = stream + trace[at + "hook_attn_out"]
        assert np.abs(trace[at + "hook_resid_mid"] - stream).max() <= 1e-5 * scale
        stream = stream + trace[at + "hook_mlp_out"]
        assert np.abs(trace[at + "hook_resid_post"] - stream).max() <= 1e-5 * scale


def test_the_embeddings_are_rows_of_the_checkpoints_tables(engine: Engine, trace: Trace) -> None:
    weights = engine.checkpoint.weights
    assert np.array_equal(trace["hook_embed"], weights["wte.weight"][list(trace.computed_ids)])
    assert np.array_equal(trace["hook_pos_embed"], weights["wpe.weight"][: trace.seq])


@given(st.integers(0, 40))
def test_a_cut_keeps_its_steps_and_its_name(trace: Trace, n: int) -> None:
    cut = trace.cut(n)
    assert cut.steps == trace.steps[:n] and cut.run_id == trace.run_id and cut.lineage == trace.lineage
    assert all(one is two for one, two in zip(cut.steps, trace.steps, strict=False))
    assert len(trace.steps) == 40


@pytest.mark.parametrize("n", [-1, 41])
def test_a_cut_beyond_the_run_is_refused(trace: Trace, n: int) -> None:
    for way in (trace.cut, trace.branch):
        with pytest.raises(TraceError, match=f"has 40 steps; it cannot be cut to {n}"):
            way(n)


def test_a_branch_is_a_new_run_with_the_same_steps(trace: Trace) -> None:
    one, two = trace.branch(10), trace.branch(10)
    assert len({trace.run_id, one.run_id, two.run_id}) == 3
    assert one.steps == trace.steps[:10]
    assert (one.lineage.parent, one.lineage.steps) == (trace.run_id, 10)
    again = one.branch(4)
    assert again.lineage.parent == one.run_id


def test_names_of_runs_cannot_be_guessed(trace: Trace) -> None:
    names = [trace.branch(0).run_id for _ in range(200)]
    assert len(set(names)) == 200 and min(map(len, names)) >= 16


def test_appending_gives_a_new_trace_that_shares_the_old_steps(trace: Trace) -> None:
    cut = trace.cut(5)
    longer = cut.append(trace.steps[5])
    assert len(cut.steps) == 5 and len(longer.steps) == 6
    assert longer.steps[0] is cut.steps[0] and longer.run_id == cut.run_id
    assert np.array_equal(longer["logits"], trace["logits"][:6])


@pytest.mark.parametrize("wrong", [4, 6])
def test_a_step_that_does_not_follow_is_refused(trace: Trace, wrong: int) -> None:
    with pytest.raises(TraceError, match=r"starts at position \d+ cannot follow position \d+"):
        trace.cut(5).append(trace.steps[wrong])


def test_nothing_of_a_trace_can_be_written(trace: Trace) -> None:
    step = trace.steps[3]
    with pytest.raises(FrozenInstanceError):
        trace.steps = ()
    with pytest.raises(FrozenInstanceError):
        step.draw = None
    with pytest.raises(TypeError):
        step.captures["logits"] = np.zeros(3)
    for name, array in step.captures.items():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        assert not array.flags.writeable, name
    for array in (step.logits, step.lens.tokens, step.lens.probabilities, step.lens.drawn):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_what_a_trace_hands_out_is_a_copy_of_its_own(trace: Trace) -> None:
    first, before = trace["hook_embed"], trace["hook_embed"].copy()
    first[...] = 0
    assert np.array_equal(trace["hook_embed"], before)


def test_changing_the_dictionary_that_a_step_was_made_from_changes_nothing() -> None:
    captures = {"logits": np.zeros((1, 3), np.float32)}
    step = Step((1,), 0, Captures(captures), Draw(1, 0.5, Sampling()), 1.0)
    captures["logits"] = np.ones((1, 3), np.float32)
    assert step.logits.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("wrong", "offered"),
    [
        ("blocks.0.attn.pattern", "blocks.0.attn.hook_pattern"),
        ("blocks.0.hook_resid_posts", "blocks.0.hook_resid_post"),
        ("hook_embeds", "hook_embed"),
        ("ln_f.hook_normalized", "ln_final.hook_normalized"),
        ("logit", "logits"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_right_ones(trace: Trace, wrong: str, offered: str) -> None:
    with pytest.raises(TraceError, match="Nearest: ") as refusal:
        _ = trace[wrong]
    assert repr(wrong) in str(refusal.value) and offered in str(refusal.value)
    assert wrong not in trace and offered in trace


@given(st.text(max_size=40))
def test_any_other_name_is_one_clear_error(trace: Trace, name: str) -> None:
    if name not in trace.axes:
        with pytest.raises(TraceError, match="no capture named"):
            _ = trace[name]


def test_an_empty_trace_is_empty(trace: Trace) -> None:
    none = trace.cut(0)
    assert (none.ids, none.prompt_ids, none.seq, none.text, none.labels, none.nbytes) == ((), (), 0, "", [], 0)
    with pytest.raises(TraceError, match="no steps yet"):
        _ = none["logits"]


def test_the_distribution_of_a_step_is_of_its_own_draw(trace: Trace) -> None:
    step = trace.steps[0]
    greedy = replace(step, draw=replace(step.draw, sampling=Sampling(0)))
    assert np.count_nonzero(greedy.distribution.final) == 1
    assert np.count_nonzero(step.distribution.final) > 1
    with pytest.raises(TraceError, match="Nothing was drawn"):
        _ = replace(step, draw=None).distribution


def test_the_size_of_a_trace_is_that_of_its_arrays(trace: Trace) -> None:
    captures = sum(array.nbytes for step in trace.steps for array in step.captures.values())
    lenses = sum(array.nbytes for step in trace.steps for array in vars(step.lens).values())
    assert trace.nbytes == captures + lenses
