"""The badge: what a visitor is told of the run on the stage, and never of another one."""

import pytest

from gpt2.errors import GPT2Error
from gpt2.trace.trace import Trace
from pages.server.checking import NO_WEIGHTS, NOT_READ, Checking
from pages.stage.checked import describe_checks
from pages.stage.snapshot import Checked
from pages.visit.examples import recorded_run
from pages.visit.visit import Visit
from tests.test_checks import tampered


def test_a_run_that_rests_is_checked_and_read_whole_at_a_press(visit: Visit) -> None:
    trace, model = visit.player.trace, visit.model_of_run
    first = visit.snapshot().checked
    assert first.can_read_whole and [check.off is None for check in first.checks] == [False, False, True, True]
    assert first.checks[2].note == NOT_READ and first is not visit.snapshot().checked
    assert first.checks is visit.snapshot().checked.checks  # nothing is computed twice
    visit.checking.read_whole(trace, model)
    after = visit.snapshot().checked
    assert not after.can_read_whole and after.checks[2].off is not None and not after.checks[2].has_failed


def test_a_check_of_one_run_is_none_of_another(visit: Visit) -> None:
    trace, model = visit.player.trace, visit.model_of_run
    visit.snapshot()
    visit.checking.read_whole(trace, model)
    visit.open(recorded_run("once"))
    assert visit.snapshot().checked.checks[2].note == NOT_READ
    visit.checking.read_whole(trace, model)  # it comes late, when another run is on the stage
    assert visit.snapshot().checked.checks[2].note == NOT_READ


def test_a_run_under_way_and_one_without_steps_have_no_checks(visit: Visit, trace: Trace) -> None:
    assert Checking().of(trace, visit.model_of_run, is_running=True) == Checked()
    assert Checking().of(trace.cut(0), visit.model_of_run, is_running=False) == Checked()


def test_without_the_model_only_what_needs_no_weights_is_checked(trace: Trace) -> None:
    checking = Checking()
    checked = checking.of(trace, None, is_running=False)
    assert not checked.can_read_whole and checked.checks[0].off is not None
    assert checked.checks[1].note == checked.checks[3].note == NO_WEIGHTS
    with pytest.raises(GPT2Error, match="Load the model"):
        checking.read_whole(trace, None)


def test_the_badge_says_how_far_the_numbers_are_off_and_a_failure_in_words(trace: Trace) -> None:
    said = describe_checks(Checking().of(trace, None, is_running=False))
    assert said["badge"].startswith("✓ ") and "10⁻" in said["badge"] and not said["failed"]
    assert [row["state"] for row in said["rows"]] == ["passed", "unknown", "unknown", "unknown"]
    wrong = tampered(trace, "blocks.3.attn.hook_pattern")
    failed = describe_checks(Checking().of(wrong, None, is_running=False))
    assert failed["badge"] == "check failed ✗" and failed["rows"][0]["state"] == "failed"
    assert failed["rows"][0]["number"].startswith("FAILED: off by ")
    assert describe_checks(Checked())["badge"] == ""
