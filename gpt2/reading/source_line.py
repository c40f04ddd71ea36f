"""Lines of this program's own source, found by the code in them, so that a page shows what runs."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class SourceLine:
    """One line: its file in `gpt2/`, its number from 1, and its code."""

    file: str
    number: int
    code: str


@cache
def line_with(file: str, code: str) -> SourceLine:
    """The one line of a file in `gpt2/` that has this code.

    Raises:
        ValueError: if no line has it, or several have.
    """
    lines = enumerate((ROOT / file).read_text(encoding="utf-8").splitlines(), 1)
    found = [SourceLine(file, number, line.strip()) for number, line in lines if code in line]
    if len(found) != 1:
        raise ValueError(f"{len(found)} lines of gpt2/{file} have {code!r}, not one.")
    return found[0]
