"""What a visitor is told of the run on the stage, and never of another one: its checks, and an opened number."""

import pytest

from gpt2.errors import GPT2Error
from gpt2.trace.trace import Trace
from pages.server.inspection import NO_WEIGHTS, NOT_OPENED, NOT_READ, Inspection
from pages.stage.actions import CheckRun, Malformed, OpenNumber, ReadWhole, parse
from pages.stage.inspected import describe_checks, describe_number
from pages.stage.snapshot import Inspected
from pages.visit.examples import recorded_run
from pages.visit.visit import Visit
from tests.test_checks import tampered


def checked(trace: Trace) -> Inspected:
    """What is told of a run without its model, once it is checked."""
    inspection = Inspection()
    inspection.of(trace, None, is_running=False)
    inspection.answer(CheckRun(), trace, None)
    return inspection.of(trace, None, is_running=False)


def check(visit: Visit) -> Inspected:
    """Have the run on the stage checked, as the stage does once it is shown; what is told then."""
    assert visit.snapshot().inspected.are_due
    action = parse("check", {})
    assert action == CheckRun()
    visit.answer(action)
    return visit.snapshot().inspected


def test_a_run_is_shown_before_it_is_checked(visit: Visit) -> None:
    for _ in range(2):
        shown = visit.snapshot().inspected
        assert shown.are_due and not shown.checks and describe_checks(shown)["badge"] == ""
    told = check(visit)
    assert told.checks and not told.are_due
    visit.answer(CheckRun())  # the browser says it again
    assert visit.snapshot().inspected.checks is told.checks
    visit.open(recorded_run("once"))
    visit.answer(CheckRun())  # it was meant for the run before
    assert visit.snapshot().inspected == Inspected(are_due=True)


def test_a_run_that_rests_is_checked_and_read_whole_at_a_press(visit: Visit) -> None:
    trace, model = visit.player.trace, visit.model_of_run
    first = check(visit)
    assert first.can_read_whole and [check.off is None for check in first.checks] == [False, False, True, True]
    assert first.checks[2].note == NOT_READ and first is not visit.snapshot().inspected
    assert first.checks is visit.snapshot().inspected.checks  # nothing is computed twice
    visit.inspection.answer(ReadWhole(), trace, model)
    after = visit.snapshot().inspected
    assert not after.can_read_whole and after.checks[2].off is not None and not after.checks[2].has_failed


def test_a_check_of_one_run_is_none_of_another(visit: Visit) -> None:
    trace, model = visit.player.trace, visit.model_of_run
    check(visit)
    visit.inspection.answer(ReadWhole(), trace, model)
    visit.open(recorded_run("once"))
    assert check(visit).checks[2].note == NOT_READ
    assert visit.snapshot().inspected.checks[2].note == NOT_READ
    visit.inspection.answer(ReadWhole(), trace, model)  # it comes late, when another run is on the stage
    assert visit.snapshot().inspected.checks[2].note == NOT_READ


def test_a_run_under_way_and_one_without_steps_have_no_checks(visit: Visit, trace: Trace) -> None:
    assert Inspection().of(trace, visit.model_of_run, is_running=True) == Inspected()
    assert Inspection().of(trace.cut(0), visit.model_of_run, is_running=False) == Inspected()


def test_without_the_model_only_what_needs_no_weights_is_checked(trace: Trace) -> None:
    told = checked(trace)
    assert not told.can_read_whole and told.checks[0].off is not None
    assert told.checks[1].note == told.checks[3].note == NO_WEIGHTS
    with pytest.raises(GPT2Error, match="Load the model"):
        Inspection().answer(ReadWhole(), trace, None)


def test_the_badge_says_how_far_the_numbers_are_off_and_a_failure_in_words(trace: Trace) -> None:
    said = describe_checks(checked(trace))
    assert said["badge"].startswith("✓ ") and "10⁻" in said["badge"] and not said["failed"]
    assert [row["state"] for row in said["rows"]] == ["passed", "unknown", "unknown", "unknown"]
    wrong = tampered(trace, "blocks.3.attn.hook_pattern")
    failed = describe_checks(checked(wrong))
    assert failed["badge"] == "check failed ✗" and failed["rows"][0]["state"] == "failed"
    assert failed["rows"][0]["number"].startswith("FAILED: off by ")
    none = describe_checks(checked(tampered(trace, "blocks.3.attn.hook_pattern", float("nan"))))
    assert none["badge"] == "check failed ✗" and none["rows"][0]["number"].startswith("FAILED: off by NaN")
    assert describe_checks(Inspected())["badge"] == ""


@pytest.mark.parametrize(
    ("kind", "hook", "index", "says"),
    [
        ("hook", "blocks.1.attn.hook_pattern", [2, 3, 1], "blocks.1.attn.hook_pattern[2, 3, 1] = 0."),
        ("hook", "logits", [5, 9], "logits[5, 9] = "),
        ("norm", "blocks.2.hook_mlp_out", [4], "‖blocks.2.hook_mlp_out[4]‖ = "),
        ("lens", "blocks.2.hook_resid_post", [4, 9], "lens of blocks.2.hook_resid_post[4], token 9 = "),
    ],
)
def test_a_number_is_opened_by_its_name(visit: Visit, kind: str, hook: str, index: list[int], says: str) -> None:
    action = parse("number", {"kind": kind, "hook": hook, "index": index, "name": "this one"})
    assert isinstance(action, OpenNumber)
    visit.answer(action)
    told = describe_number(visit.snapshot().inspected.number)
    assert told is not None and told["name"] == "this one" and told["says"].startswith(says)
    assert "the sum" in told["ledger"] and "# gpt2/" in told["source"]
    visit.open(recorded_run("again"))
    assert visit.snapshot().inspected.number is None


@pytest.mark.parametrize(
    ("kind", "hook", "index"),
    [("hook", "unheard_of", (0,)), ("norm", "logits", (0,)), ("norm", "hook_embed", (999,)),
     ("lens", "hook_embed", (0,)), ("anything", "hook_embed", (0, 0))],
)  # fmt: skip
def test_a_number_that_the_run_does_not_have_is_one_sentence(
    visit: Visit, kind: str, hook: str, index: tuple[int, ...]
) -> None:
    visit.answer(OpenNumber(kind, hook, index, "it"))
    told = describe_number(visit.snapshot().inspected.number)
    assert told is not None and told["says"].startswith("There is no number") and not told["ledger"]


def test_a_number_needs_the_weights_and_an_index(trace: Trace) -> None:
    inspection = Inspection()
    inspection.answer(OpenNumber("hook", "hook_embed", (0, 0), "it"), trace, None)
    told = describe_number(inspection.of(trace, None, is_running=True).number)
    assert told is not None and told["says"] == NOT_OPENED
    assert isinstance(parse("number", {"index": ["a"]}), Malformed)
    assert describe_number(None) is None
