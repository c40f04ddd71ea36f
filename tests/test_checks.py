"""The checks of a run: each holds for what the model computed, and fails for a number that was tampered with."""

from dataclasses import replace

import numpy as np
import pytest

from gpt2.bench.parity import HuggingFace
from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine.engine import Engine
from gpt2.model.interventions import Addition, Interventions, Scale
from gpt2.model.sampling import Sampling
from gpt2.reading.checks import ROW_TOLERANCE, parts_sum_to_logits, relative, rows_sum_to_one, same_in_one_pass
from gpt2.reading.stored_reference import same_as_hugging_face, stored
from gpt2.trace.captures import Captures, Level
from gpt2.trace.trace import Trace
from pages.visit.examples import EXAMPLES, RECORDED, recorded_run
from tests.long_runs import squeezed
from tests.models import BUNDLED
from tests.ship_reference import read, texts


def tampered(trace: Trace, hook: str, factor: float = 1.01) -> Trace:
    """The same run with one capture of its newest step a little larger."""
    newest = trace.steps[-1]
    arrays = {name: newest.captures[name] for name in newest.captures}
    arrays[hook] = arrays[hook] * np.float32(factor)
    return replace(trace, steps=(*trace.steps[:-1], replace(newest, captures=Captures(arrays))))


def test_all_checks_of_a_run_hold_and_say_how_far_they_are_off(engine: Engine, trace: Trace) -> None:
    checks = engine.check(trace)
    assert [check.name for check in checks if check.has_failed] == []
    assert all(check.off is not None and check.off < check.tolerance / 3 for check in checks)
    assert "FAILED" not in str(checks[0]) and "off by at most" in str(checks[0])


@pytest.mark.parametrize("name", RECORDED)
def test_the_recorded_runs_hold_within_the_precision_that_they_are_stored_in(name: str, engine: Engine) -> None:
    checks = engine.check(recorded_run(name))
    assert not any(check.has_failed for check in checks) and all(check.off is not None for check in checks)


def test_a_row_that_does_not_sum_to_one_fails(trace: Trace) -> None:
    check = rows_sum_to_one(tampered(trace, "blocks.3.attn.hook_pattern"))
    assert check.has_failed and check.off == pytest.approx(0.01, rel=1e-3)
    assert str(check).startswith("FAILED: ")


def test_a_pattern_that_is_no_number_fails_and_a_run_without_patterns_is_not_checked(trace: Trace) -> None:
    assert rows_sum_to_one(tampered(trace, "blocks.3.attn.hook_pattern", float("nan"))).has_failed
    bare = rows_sum_to_one(squeezed(trace, Level.NO_PATTERNS))
    assert bare.off is None and not bare.has_failed and "no patterns" in bare.note
    half = rows_sum_to_one(squeezed(trace, Level.STREAM))
    assert half.off is not None and ROW_TOLERANCE < half.off < half.tolerance


def test_a_part_that_is_not_what_was_added_fails(trace: Trace, checkpoint: Checkpoint) -> None:
    assert parts_sum_to_logits(tampered(trace, "blocks.3.hook_mlp_out"), checkpoint).has_failed


def test_the_parts_of_a_changed_run_sum_to_its_logits(engine: Engine, checkpoint: Checkpoint) -> None:
    changes = Interventions(
        (Scale(1, 2, 0.5), Scale(2, None, 0.3, hook="hook_resid_post"), Scale(4, None, 0.0)),
        (Addition(3, (0.1,) * 256), Addition(5, (0.2,) * 256, hook="hook_resid_post")),
    )
    run = engine.start("Once upon a time", changes)
    run.advance(Sampling())
    run.advance(Sampling())
    check = parts_sum_to_logits(run.trace, checkpoint)
    assert not check.has_failed and check.off is not None
    assert "changed" in same_as_hugging_face(run.trace, checkpoint).note
    assert not same_in_one_pass(run.trace, engine.in_one_pass(run.trace)).has_failed


def test_a_step_that_read_something_else_than_one_pass_does_fails_and_is_named(engine: Engine, trace: Trace) -> None:
    check = same_in_one_pass(tampered(trace, "blocks.2.attn.hook_v", 1.1), engine.in_one_pass(trace))
    assert check.has_failed and "blocks.2.attn.hook_v differs most" in check.note


def test_a_number_that_transformers_does_not_have_fails(trace: Trace, checkpoint: Checkpoint) -> None:
    changed = trace.cut(1)
    assert not same_as_hugging_face(changed, checkpoint).has_failed
    assert same_as_hugging_face(tampered(changed, "blocks.2.hook_resid_pre"), checkpoint).has_failed


def test_a_text_that_is_not_stored_has_no_reference(engine: Engine, checkpoint: Checkpoint) -> None:
    check = same_as_hugging_face(engine.run("A bird sat in a tree"), checkpoint)
    assert check.off is None and not check.has_failed and "No reference is stored" in check.note


def test_a_number_that_is_not_one_is_infinitely_far_off() -> None:
    assert relative(np.array([np.nan, 1.0]), np.array([1.0, 1.0])) == float("inf")


def test_every_example_has_a_stored_reference() -> None:
    known = [text.ids for text in stored()]
    assert known == texts() and len(known) >= len(RECORDED) and len(EXAMPLES) >= len(known) - len(RECORDED)


@pytest.mark.slow
def test_the_stored_numbers_are_those_of_transformers() -> None:
    model = HuggingFace(BUNDLED)
    for text in stored():
        fresh = read(model, text.ids)
        assert np.allclose(fresh.largest, text.largest, rtol=1e-5)
        assert float((np.abs(fresh.values - text.values) / text.largest[:, None]).max()) < 1e-5
