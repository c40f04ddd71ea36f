"""The arithmetic of one number as lines of text: its largest terms, the rest, their sum, and what the run captured."""

import math

from gpt2.reading.terms import LARGEST, Sum, Term
from pages.look.numbers import fixed, rounding_error

TITLE = "The arithmetic of the picked number"


def ledger(found: Sum) -> str:
    """One line for each of the largest terms, one for the rest, and the sum; the numbers stand in a column."""
    count, rest = found.rest(LARGEST)
    terms = found.largest(LARGEST)
    digits = _digits(*(term.value for term in terms), found.total)
    rows = [(fixed(term.value, digits), _named(term)) for term in terms]
    rows += [(fixed(rest, digits), f"the rest ({count:,} others)")] if count else []
    total = fixed(found.total, digits)
    ends = [(total, "the sum")]
    if (finish := found.finish.says.format(total)) != total:
        ends.append((fixed(found.result, _digits(found.result)), f"= {finish}"))
    width = max(len(number) for number, _ in (*rows, *ends))
    lines = [f"{number:>{width}}  {name}" for number, name in (*rows, ("─" * width, ""), *ends)]
    return "\n".join([*found.where.splitlines(), "", *lines] if found.where else lines)


def check_sentence(found: Sum) -> str:
    """The captured number beside the one computed anew."""
    number = fixed(found.captured, _digits(found.captured))
    return f"{found.name} = {number} in the run; off by {rounding_error(found.error)}."


def source(found: Sum) -> str:
    """The lines that compute it, each under its place in the files, without the comment at its end."""
    lines = found.rule.lines
    return "\n".join(f"# gpt2/{line.file}, line {line.number}\n{line.code.partition('  #')[0]}" for line in lines)


def _digits(*values: float) -> int:
    """As many decimals as the largest of these needs; all numbers of a column have the same."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 6 if largest <= 1 else 4 if largest < 100 else 2 if largest < 10_000 else 1


def _named(term: Term) -> str:
    if len(term.factors) == 1:
        return term.name
    return f"{term.name} = {' · '.join(fixed(factor, 4) for factor in term.factors)}"
