"""Claims about the browser's scripts: modules that import each other, and what Python puts together of them."""

import re
import subprocess
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path

import deno
import pytest

from pages.graph import component as graph
from pages.look.palette import LIGHT
from pages.look.scripts import IMPORT, bundle
from pages.matrix import code as matrix
from pages.stage import code as stage
from tests.source_tree import ROOT

PAGES = ROOT / "pages"
MODULES = sorted(PAGES.rglob("*.js"))
# A component's whole code, by what it begins with.
COMPONENTS: dict[str, Callable[[], str]] = {
    "stage/js/stage.js": stage.joined,
    "matrix/matrix.js": matrix.component_script,
    "matrix/text.js": lambda: bundle(matrix.HERE / "text.js"),
    "graph/graph.js": lambda: bundle(graph.HERE / "graph.js"),
}
ALONE = {"frame/badge.js", "frame/open_page.js", "learn/listing.js", "stage/relink.js"}


def imported(path: Path) -> set[Path]:
    return {(path.parent / name).resolve() for name in IMPORT.findall(path.read_text(encoding="utf-8"))}


def told(*arguments: str, folder: Path) -> str:
    """What `deno` tells of scripts; nothing is fetched."""
    command = [deno.find_deno_bin(), *arguments]
    done = subprocess.run(command, cwd=folder, env={"NO_COLOR": "1"}, capture_output=True, text=True, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_a_bundle_holds_each_script_once_after_those_that_it_imports(tmp_path: Path) -> None:
    (tmp_path / "low").mkdir()
    (tmp_path / "low" / "c.js").write_text("export let c = 1;\n")
    (tmp_path / "b.js").write_text('import { c } from "./low/c.js";\n\nexport async function b() {\n  return c;\n}\n')
    (tmp_path / "a.js").write_text(
        'import { b } from "./b.js";\nimport {\n  c,\n} from "./low/c.js";\n\nexport default () => [b, c];\n'
    )
    text = bundle(tmp_path / "a.js", tmp_path / "b.js")
    assert re.findall(r"\S.*", text) == [
        *("let c = 1;", "async function b() {", "return c;", "}"),
        "export default () => [b, c];",
    ]


def test_no_script_imports_in_a_circle_and_none_is_left_out() -> None:
    graph = {path: imported(path) for path in MODULES}
    order = list(TopologicalSorter(graph).static_order())
    assert set(order) == set(MODULES)
    reached, waiting = set[Path](), [PAGES / name for name in (*COMPONENTS, *ALONE)]
    while waiting:
        path = waiting.pop()
        reached.add(path)
        waiting += imported(path) - reached
    assert reached == set(MODULES)


def test_scripts_import_only_what_python_may_import_there() -> None:
    for path in MODULES:
        room = path.relative_to(PAGES).parts[0]
        assert {one.relative_to(PAGES).parts[0] for one in imported(path)} <= {room, "look"}, path


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPONENTS)
def test_the_scripts_of_a_component_fit_together(name: str, tmp_path: Path) -> None:
    """A name is declared once, or none of them runs; whatever is used is declared."""
    (tmp_path / "whole.js").write_text(COMPONENTS[name]())
    written = "" if name.startswith("stage") else (PAGES / "look" / "written.d.ts").read_text()
    (tmp_path / "written.d.ts").write_text(written)
    settings = (PAGES / "deno.json").read_text().replace("./look/", "./")
    (tmp_path / "deno.json").write_text(settings)
    assert not told("check", "whole.js", folder=tmp_path)
    with (tmp_path / "whole.js").open("a") as file:
        file.write("\nconst SVG = undeclared;\n" if name != "stage/js/stage.js" else "\nconst STYLES = undeclared;\n")
    refused = told("check", "whole.js", folder=tmp_path)
    assert "redeclare" in refused and "Cannot find name 'undeclared'" in refused


def test_the_names_that_python_writes_before_the_scripts_are_those_that_they_know() -> None:
    known = (PAGES / "look" / "written.d.ts").read_text()
    colours = re.search(r"type Concept = (.*);\ntype Ground = (.*);", known)
    assert colours and re.findall(r'"(\w+)"', " ".join(colours.groups())) == list(vars(LIGHT))
    whole = stage.joined()
    for name in re.findall(r"declare const (\w+):", known):
        assert re.search(rf"^const {name} = ", whole, re.MULTILINE), name
