"""Claims about reading the residual stream: the NumPy lens for recorded runs equals the compiled one."""

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.errors import TraceError
from gpt2.reading.lens import read_lens
from gpt2.trace.norms import normalize
from gpt2.trace.trace import Trace
from tests.reference import relative_difference


def test_the_lens_in_numpy_equals_the_compiled_lens(engine: Engine, trace: Trace) -> None:
    for layer in (0, 3, 5):
        rows = trace[f"blocks.{layer}.hook_resid_post"]
        assert relative_difference(read_lens(engine.checkpoint, rows), engine.lens(rows)) <= 1e-5


def test_a_norm_in_numpy_has_the_scale_and_the_rows_of_the_captured_one(engine: Engine, trace: Trace) -> None:
    epsilon = engine.config.layer_norm_epsilon
    for norm, stream in (("blocks.1.ln2", "blocks.1.hook_resid_mid"), ("ln_final", "blocks.5.hook_resid_post")):
        scale, normalized = normalize(trace[stream], epsilon)
        assert relative_difference(scale, trace[f"{norm}.hook_scale"]) <= 1e-5
        assert relative_difference(normalized, trace[f"{norm}.hook_normalized"]) <= 1e-5


def test_one_row_is_read_as_it_is_among_many(engine: Engine, trace: Trace) -> None:
    """A single row takes another path through the head than many do."""
    rows = trace["blocks.4.hook_resid_post"]
    many = engine.lens(rows)
    for row in (0, 17, len(rows) - 1):
        assert relative_difference(engine.lens(rows[row : row + 1])[0], many[row]) <= 1e-5


def test_the_lens_at_the_top_gives_the_logits(engine: Engine, trace: Trace) -> None:
    logits = engine.lens(trace["blocks.5.hook_resid_post"])
    first = trace.steps[0].stop - 1
    assert relative_difference(logits[first:], trace["logits"]) <= 1e-5


def test_the_lens_does_not_need_contiguous_or_float32_rows(engine: Engine, trace: Trace) -> None:
    rows = trace["blocks.4.hook_resid_post"][:8]
    strided = np.repeat(rows.astype(np.float64), 2, axis=0)[::2]
    assert np.array_equal(engine.lens(strided), engine.lens(rows))


def test_logits_of_all_positions_are_read_on_demand(engine: Engine, trace: Trace) -> None:
    run = engine.run(trace.computed_ids)
    logits = run.position_logits()
    assert logits.shape == (trace.seq, engine.config.vocab_size)
    assert relative_difference(logits[trace.steps[0].stop - 1 :], trace["logits"]) <= 1e-5
    assert np.array_equal(run.position_logits(3, 5), engine.lens(run["blocks.5.hook_resid_post"][3:5]))
    with pytest.raises(TraceError, match="load the model"):
        trace.position_logits()


def test_what_a_head_writes_is_computed_on_demand(engine: Engine, trace: Trace) -> None:
    """TransformerLens's `hook_result`; the bias of the projection is no head's."""
    run = engine.run(trace.computed_ids)
    result = run["blocks.2.attn.hook_result"]
    assert result.shape == (run.seq, engine.config.n_head, engine.config.n_embd)
    bias = engine.checkpoint.weights["h.2.attn.c_proj.bias"]
    assert relative_difference(result.sum(axis=1) + bias, run["blocks.2.hook_attn_out"]) <= 1e-5
    with pytest.raises(TraceError, match=r"blocks\.2\.attn\.hook_result is not captured: .* load the model"):
        trace["blocks.2.attn.hook_result"]
    with pytest.raises(TraceError, match="no capture named"):
        run["blocks.6.attn.hook_result"]
