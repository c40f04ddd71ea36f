"""Claims about the tree: what it holds, how long a file may be, and that the docs name what exists."""

import ast
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpt2
from gpt2.__main__ import parse
from tests.source_tree import COMPONENTS, ENGINE_ROOM, GALLERY, ROOT, TRACKED, tree


def test_the_top_level_is_as_designed() -> None:
    top = {name.split("/")[0] for name in TRACKED}
    designed = {"app.py", "gpt2", "pages", "tests", "requirements.txt", "README.md", "LICENSE", "pyproject.toml"}
    assert {name for name in top if not name.startswith(".")} == designed
    assert ".streamlit" in top


@pytest.mark.parametrize("ending", [".py", ".js", ".css"])
def test_no_file_is_longer_than_300_lines(ending: str) -> None:
    written = [name for name in TRACKED if name.endswith(ending) and (ROOT / name).exists()]
    long = {name: count for name in written if (count := len((ROOT / name).read_text().splitlines())) > 300}
    assert written and not long


@pytest.mark.parametrize("ending", [".js", ".css"])
def test_no_line_of_a_script_or_a_style_sheet_is_wider_than_pythons_120_columns(ending: str) -> None:
    written = [name for name in TRACKED if name.endswith(ending) and (ROOT / name).exists()]
    lines = [(name, at, line) for name in written for at, line in enumerate((ROOT / name).read_text().splitlines(), 1)]
    assert lines and not [f"{name}:{at}" for name, at, line in lines if len(line) > 120]


def test_no_file_is_a_drawer_of_odds_and_ends() -> None:
    assert not {Path(name).stem for name in TRACKED} & {"utils", "util", "helpers", "helper", "common", "misc"}


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_fits_a_screen_and_tells_its_shapes(name: str) -> None:
    whole = tree(f"gpt2/model/{name}.py")
    classes = [node for node in whole.body if isinstance(node, ast.ClassDef)]
    functions = [node for node in whole.body if isinstance(node, ast.FunctionDef)]
    assert classes or functions
    for node in (*classes, *functions):
        assert node.end_lineno - node.lineno < 60, node.name
        assert "Shapes:" in (ast.get_docstring(node) or ""), node.name


@pytest.mark.parametrize("name", [*ENGINE_ROOM, *GALLERY])
def test_everything_public_says_what_it_is(name: str) -> None:
    whole = tree(name)
    silent = [] if ast.get_docstring(whole) else ["the module"]
    for node in ast.walk(whole):
        bodies = whole.body if node is whole else node.body if isinstance(node, ast.ClassDef) else []
        for child in bodies:
            public = isinstance(child, (ast.FunctionDef, ast.ClassDef)) and not child.name.startswith("_")
            if public and not ast.get_docstring(child):
                silent.append(child.name)
    assert not silent


def test_every_error_is_of_one_family_that_the_command_line_knows() -> None:
    from gpt2 import errors

    found = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len(found) > 4 and all(issubclass(error, errors.GPT2Error) for error in found)


def test_the_readme_names_every_page() -> None:
    rows = re.findall(r"^\| (\w[\w ]*) \| .*\? \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    gallery = (ROOT / "pages" / "frame" / "navigation.py").read_text(encoding="utf-8")
    shown = re.findall(r'st\.Page\((?:WATCH|CHANGE) / "(\w+)\.py", title="([\w ]+)"', gallery)
    assert rows == [title for _, title in shown]
    watched = [(file, title) for file, title in shown if f'WATCH / "{file}.py"' in gallery]
    assert {f"pages/watch/{file}.py" for file, _ in watched} == {
        name for name in GALLERY if name.startswith("pages/watch/") and not name.endswith("__init__.py")
    }


def test_the_readme_is_short_and_links_what_it_leaves_out() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 140
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert {".github/HOSTING.md", ".github/GLOSSARY.md", ".github/USING.md", ".github/SERVING.md"} <= set(links)
    assert all((ROOT / link).exists() for link in links)


def test_every_word_of_the_glossary_is_a_word_of_the_code() -> None:
    glossary = (ROOT / ".github" / "GLOSSARY.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| (\w+) \| .+\. ?\|$", glossary, re.MULTILINE)
    code = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in (*ENGINE_ROOM, *GALLERY))
    names = {word.lower() for name in re.findall(r"[A-Za-z]+", code) for word in re.split(r"(?<=[a-z])(?=[A-Z])", name)}
    assert len(words) == 19
    assert not [word for word in words if word not in names]


def shown_to_people() -> str:
    """What people read of the commands and of the Python interface."""
    return "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", ".github/USING.md"))


def test_every_command_that_people_are_shown_is_understood() -> None:
    commands = re.findall(r"^python -m gpt2 (.+?)(?:\s+#.*)?$", shown_to_people(), re.MULTILINE)
    assert {shlex.split(command)[0] for command in commands} == {
        *("generate", "trace", "attribute", "paths", "roles", "ablate", "compare"),
        *("parity", "bench", "compile", "models", "learn"),
    }
    for command in commands:
        parse(shlex.split(command))


def test_the_names_that_people_type_are_offered_by_the_package_itself() -> None:
    typed = set(re.findall(r"\bgpt2\.([A-Z]\w+|load)\b", shown_to_people()))
    assert {"load", "Trace", "Sampling", "Interventions", "Scale", "Addition"} <= typed <= set(gpt2.__all__)
    assert all(getattr(gpt2, name) for name in gpt2.__all__)


def python_examples() -> list[str]:
    """The examples in Python, in the order in which they build on each other."""
    return re.findall(r"^```python\n(.+?)^```", shown_to_people(), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_python_examples_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short, whole, experiments, notebook, other = python_examples()
    monkeypatch.chdir(tmp_path)
    after: dict[str, Any] = {}
    exec(short, after)
    assert after["trace"]["blocks.0.attn.hook_pattern"].shape == (8, 5, 5)
    exec(whole, after)
    exec(experiments, after)
    before, changed = after["found"].effect.probability
    assert changed < before and "L2·H4" in after["found"].says
    assert after["why"].error < 1e-4
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "streamlit", None)
        exec(notebook, after)
    charts = [ast.unparse(node) for node in ast.parse(notebook).body if isinstance(node, ast.Expr)]
    drawn = [eval(chart, after).to_dict() for chart in charts]
    assert len(drawn) == 4 and all(any(map(len, chart["datasets"].values())) for chart in drawn)
    assert after["page"].startswith("<iframe srcdoc=") and after["replayed"].startswith(b"<!doctype html>")
    assert "ActivationCache(" in other and "trace.activations()" in other
    assert gpt2.Trace.load(tmp_path / "run.npz").run_id == after["trace"].run_id
    changed, plain = (after["engine"].run("Once upon a time", way)["logits"] for way in (after["changes"], None))
    assert not np.array_equal(changed, plain)
