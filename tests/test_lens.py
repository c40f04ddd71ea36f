"""Claims about reading the residual stream: the NumPy lens for recorded runs equals the compiled one."""

import numpy as np

from gpt2.engine.engine import Engine
from gpt2.reading.lens import read_lens
from gpt2.trace.trace import Trace
from tests.reference import relative_difference


def test_the_lens_in_numpy_equals_the_compiled_lens(engine: Engine, trace: Trace) -> None:
    for layer in (0, 3, 5):
        rows = trace[f"blocks.{layer}.hook_resid_post"]
        assert relative_difference(read_lens(engine.checkpoint, rows), engine.lens(rows)) <= 1e-5


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
