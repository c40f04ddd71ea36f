"""The few lines of a source file that compute something, read from the file itself, so that they are what runs."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

import gpt2

ROOT = Path(gpt2.__file__).parent
Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Excerpt:
    """Functions of one file.

    Attributes:
        file: the file in `gpt2/`, such as `model/attention.py`.
        names: functions and methods in it, in the order to be read, such as `Attention.attend`.
    """

    file: str
    names: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The whole file."""
        return ROOT / self.file

    @property
    def lines(self) -> str:
        """The functions without their docstrings, under a comment that names the file and them.

        Raises:
            KeyError: if there is no such function in the file.
        """
        return _lines(self)


@cache
def _lines(excerpt: Excerpt) -> str:
    text = excerpt.path.read_text(encoding="utf-8")
    found = dict(_definitions(ast.parse(text), ""))
    title = f"# gpt2/{excerpt.file}: {', '.join(excerpt.names)}"
    return "\n\n".join([title, *(_without_docstring(text, found[name]) for name in excerpt.names)])


def _definitions(parent: ast.Module | ast.ClassDef, prefix: str) -> list[tuple[str, Definition]]:
    """All functions, classes and methods, by their names within the file."""
    found: list[tuple[str, Definition]] = []
    for node in parent.body:
        if isinstance(node, Definition):
            found.append((prefix + node.name, node))
        if isinstance(node, ast.ClassDef):
            found += _definitions(node, f"{prefix}{node.name}.")
    return found


def _without_docstring(text: str, node: Definition) -> str:
    lines = text.splitlines()
    first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
    skipped: range = range(0)
    if ast.get_docstring(node) is not None:
        skipped = range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    kept = [
        line
        for number, line in enumerate(lines, 1)
        if first <= number <= (node.end_lineno or 0) and number not in skipped
    ]
    return dedent("\n".join(kept))
