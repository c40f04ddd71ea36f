"""How it is computed: the lines on a page are those of the file, few, and without their docstrings."""

import ast
import re
from pathlib import Path

import pytest

from pages.frame.excerpt import ROOT, Excerpt

WATCH = Path(__file__).parents[1] / "pages" / "watch"
USES = re.compile(r'Excerpt\("([^"]+)", (\([^)]*\))\)')
SHOWN = [
    (page.name, Excerpt(file, ast.literal_eval(names)))
    for page in sorted(WATCH.glob("*.py"))
    for file, names in USES.findall(page.read_text(encoding="utf-8"))
]


def test_every_lens_page_shows_lines_of_what_it_draws():
    assert {page for page, _ in SHOWN} == {page.name for page in WATCH.glob("*.py")} - {"__init__.py", "live.py"}


@pytest.mark.parametrize(("page", "excerpt"), SHOWN, ids=lambda value: getattr(value, "file", value))
def test_the_lines_are_the_files_own_few_and_without_docstrings(page: str, excerpt: Excerpt):
    title, *lines = excerpt.lines.splitlines()
    own = [line.strip() for line in (ROOT / excerpt.file).read_text(encoding="utf-8").splitlines()]
    assert title == f"# gpt2/{excerpt.file}: {', '.join(excerpt.names)}"
    assert [line.strip() for line in lines if line.strip() not in own] == []
    assert '"""' not in excerpt.lines and len(lines) < 45
    assert all(f"def {name.split('.')[-1]}(" in excerpt.lines for name in excerpt.names)
    ast.parse(excerpt.lines)


def test_a_function_that_is_not_in_the_file_is_an_error():
    with pytest.raises(KeyError):
        assert Excerpt("model/mask.py", ("unheard_of",)).lines
