"""What is taken away without a browser: a run as JSON, and a cache for TransformerLens."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.errors import TraceError
from gpt2.model.hooks import hook_axes
from gpt2.trace.captures import Level
from gpt2.trace.json_file import MAX_BYTES, json_bytes, save_json
from gpt2.trace.trace import Trace
from tests import command_line
from tests.hold_transformer_lens import FILE, TOKENS, prompt_of


def as_json(trace: Trace, **bound: int) -> tuple[dict, int]:
    file = BytesIO()
    save_json(trace, file, **bound)
    return json.loads(file.getvalue()), len(file.getvalue())


@pytest.fixture(scope="module")
def short(engine: Engine) -> Trace:
    return engine.run("The old king")


def test_json_brings_back_every_number_of_every_capture(short: Trace) -> None:
    read, size = as_json(short)
    assert list(read["captures"]) == list(short.axes) and read["dropped"] == []
    for name, capture in read["captures"].items():
        values = np.array(capture["values"], np.float32)  # null becomes NaN
        assert np.array_equal(values, np.where(np.isfinite(short[name]), short[name], np.nan), equal_nan=True), name
        assert tuple(capture["axes"]) == short.axes[name]
    assert read["text"] == "The old king" and [token["id"] for token in read["tokens"]] == list(short.ids)
    assert json_bytes(short) / 2 < size < json_bytes(short) * 1.1


def test_json_tells_what_was_drawn_and_leaves_out_what_was_dropped(trace: Trace) -> None:
    run = trace.cut(3)
    squeezed = Trace(run.model, run.config, run.vocabulary, tuple(s.squeezed(Level.NO_PATTERNS) for s in run.steps))
    read, _ = as_json(squeezed)
    assert "blocks.0.attn.hook_pattern" in read["dropped"] and "blocks.0.hook_resid_post" in read["captures"]
    assert [step["draw"]["token"] for step in read["steps"]] == list(run.generated_ids)
    assert [token["drawn"] for token in read["tokens"]] == [False] * len(run.prompt_ids) + [True] * 3


def test_json_that_would_be_too_large_is_refused_before_anything_is_written(short: Trace) -> None:
    with pytest.raises(TraceError, match=r"about 1 MB, more than the 0 MB .* save it as \.npz\.$"):
        as_json(short, max_bytes=1000)
    with pytest.raises(TraceError, match="no steps"):
        as_json(short.cut(0))
    assert json_bytes(short) < MAX_BYTES


def test_the_command_line_writes_json_where_the_file_is_named_so(tmp_path: Path, capsys) -> None:
    out = tmp_path / "run.json"
    command_line.said(capsys, "trace", "Once", "--max-new-tokens", "2", "--out", str(out), "--json")
    assert len(json.loads(out.read_text())["steps"]) == 2


def test_a_trace_has_the_names_shapes_and_numbers_of_transformer_lens_cache(engine: Engine) -> None:
    found = engine.run(prompt_of(engine.config)).activations()
    assert list(found) == list(hook_axes(engine.config.n_layer))
    with np.load(FILE) as held:  # written without the batch, and a norm's scale as [seq]
        for name, array in found.items():
            expected = held[f"bundled/False/{name}"]
            scale = (1,) if name.endswith("hook_scale") else ()
            assert array.shape == (1, *expected.shape, *scale), name
            if not name.endswith("attn_scores"):
                assert np.abs(array.reshape(expected.shape) - expected).max() <= 1e-4 * np.abs(expected).max(), name
    assert array.shape[1] == TOKENS


def test_transformer_lens_takes_the_cache_by_the_recipe(engine: Engine) -> None:
    pytest.importorskip("transformer_lens", reason="TransformerLens is installed in an environment of its own")
    from tests.test_architecture import python_examples

    after = {"trace": engine.run("Once upon a time")}
    exec(python_examples()[-1], after)
    assert np.array_equal(after["cache"]["pattern", 0][0].numpy(), after["trace"]["blocks.0.attn.hook_pattern"])
