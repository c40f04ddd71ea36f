"""What was looked into of the run on the stage, as the browser shows it: its checks, and an opened number."""

from typing import Any

from gpt2.reading.checks import Check
from pages.charts.ledger import check_sentence, ledger, source
from pages.look.formulas import plain_formula
from pages.look.numbers import rounding_error

from .snapshot import Inspected, Opened


def describe_checks(inspected: Inspected) -> dict[str, Any]:
    """The checks as the browser shows them; without one that has a number, the badge says nothing."""
    checks = inspected.checks
    known = [check.off for check in checks if check.off is not None]
    has_failed = any(check.has_failed for check in checks)
    return {
        "badge": "" if not known else "check failed ✗" if has_failed else f"✓ {rounding_error(max(known))}",
        "failed": has_failed,
        "are_due": inspected.are_due,
        "can_read_whole": inspected.can_read_whole,
        "rows": [
            {
                "name": check.name,
                "number": _number(check),
                "says": f"{check.meaning} {check.note}".strip(),
                "state": "unknown" if check.off is None else "failed" if check.has_failed else "passed",
            }
            for check in checks
        ],
    }


def describe_number(opened: Opened | None) -> dict[str, Any] | None:
    """A number's arithmetic, or why it cannot be shown; None if none was opened."""
    if opened is None:
        return None
    if opened.found is None:
        return {"name": opened.name, "says": opened.error, "formula": "", "ledger": "", "source": ""}
    found = opened.found
    formula = plain_formula(found.rule.formula)
    says = {"says": check_sentence(found), "formula": formula, "ledger": ledger(found), "source": source(found)}
    return {"name": opened.name, **says}


def _number(check: Check) -> str:
    """How far the numbers are off, beside how far they may be."""
    if check.off is None:
        return "not checked"
    way = "off by" if not check.has_failed else "FAILED: off by"
    return f"{way} {rounding_error(check.off)}, at most {rounding_error(check.tolerance)}"
