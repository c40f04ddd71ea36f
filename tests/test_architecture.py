"""Claims about the tree: which room may import what, how long a file may be, and that the docs name what exists."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import gpt2
from pages.frame.palette import DARK, LIGHT, Palette

ROOT = Path(gpt2.__file__).parent.parent
COMPONENTS = ("linear", "embeddings", "mask", "layer_norm", "attention", "mlp", "block", "lm_head", "transformer")
# Where transformers runs beside this program; `gpt2/bench/first_token.py` is a process of its own.
MEASURED = ("gpt2/bench/sides.py", "gpt2/bench/first_token.py")
TRACKED = tuple(
    subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
)
PYTHON = tuple(name for name in TRACKED if name.endswith(".py") and (ROOT / name).exists())
ENGINE_ROOM = tuple(name for name in PYTHON if name.startswith("gpt2/"))
GALLERY = tuple(name for name in PYTHON if name.startswith("pages/") or name == "app.py")
CHARTS = tuple(name for name in PYTHON if name.startswith("pages/charts/"))


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


@cache
def imports(name: str, lazy: bool = True) -> set[str]:
    """Full names of what a file imports; without `lazy`, only at import time (not in functions or TYPE_CHECKING)."""
    package = name.removesuffix(".py").split("/")[:-1]
    found = set()
    for node in ast.walk(tree(name)) if lazy else at_import_time(tree(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def at_import_time(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        checked = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        if not checked and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from at_import_time(child)


def importers(top: str, names: tuple[str, ...] = PYTHON, lazy: bool = True) -> set[str]:
    """Files, tests aside, that import a package."""
    return {
        name
        for name in names
        if not name.startswith("tests/") and any(f"{found}.".startswith(f"{top}.") for found in imports(name, lazy))
    }


def test_the_import_reader_sees_what_it_should() -> None:
    assert "max.driver.Buffer" in imports("gpt2/engine.py")
    assert "gpt2.timing.Clock" in imports("gpt2/run.py")
    assert "gpt2.engine.Engine" in imports("gpt2/run.py")
    assert "gpt2.engine.Engine" not in imports("gpt2/run.py", lazy=False)
    assert "torch" in imports("gpt2/parity.py") and "torch" not in imports("gpt2/parity.py", lazy=False)
    assert any(name.startswith("gpt2.") for name in imports("pages/frame/player.py"))


def test_streamlit_stays_in_the_gallery_and_out_of_the_charts() -> None:
    found = importers("streamlit")
    assert found and found <= set(GALLERY) - set(CHARTS)


@pytest.mark.parametrize("library", ["altair", "PIL"])
def test_drawing_stays_in_the_gallery(library: str) -> None:
    assert importers(library) <= set(GALLERY)


def test_max_stays_in_the_components_and_what_compiles_and_runs_them() -> None:
    allowed = {f"gpt2/{name}.py" for name in (*COMPONENTS, "graphs", "engine", "compiled", "devices")}
    assert {f"gpt2/{name}.py" for name in COMPONENTS} <= importers("max") <= allowed


def test_torch_trains_and_compares_and_never_runs_the_model() -> None:
    allowed = {name for name in ENGINE_ROOM if name.startswith("gpt2/train/")} | {"gpt2/parity.py", *MEASURED}
    assert importers("torch") <= allowed
    assert importers("transformers") == {"gpt2/parity.py", *MEASURED}
    for library in ("torch", "transformers"):
        assert not importers(library, ("gpt2/parity.py", *MEASURED), lazy=False)
    outside = tuple(name for name in (*ENGINE_ROOM, *GALLERY) if not name.startswith("gpt2/train/"))
    assert not importers("gpt2.train", outside)


def test_the_engine_room_does_not_know_the_gallery() -> None:
    assert not importers("pages", ENGINE_ROOM) and not importers("app", ENGINE_ROOM)


def test_charts_see_neither_the_engine_nor_the_run() -> None:
    for hidden in ("engine", "graphs", "compiled", "run", "cache", *COMPONENTS):
        assert not importers(f"gpt2.{hidden}", CHARTS), hidden
    for hidden in ("frame.visit", "frame.player", "frame.layout", "frame.models", "stage"):
        assert not importers(f"pages.{hidden}", CHARTS), hidden


def test_the_network_is_reached_in_one_place_and_never_on_import() -> None:
    assert importers("huggingface_hub") == importers("httpx") == {"gpt2/fetch.py", "gpt2/transfer.py"}
    for library in ("huggingface_hub", "httpx"):
        assert not importers(library, lazy=False)
    for library in ("requests", "urllib.request", "http.client", "aiohttp"):
        assert not importers(library), library


def python(code: str) -> str:
    """Run code in a fresh interpreter from the root; its output."""
    command, own = (
        [sys.executable, "-c", code],
        dict(os.environ),
    )  # not what MAX has left in the C library's environment
    told = subprocess.run(command, env=own, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert told.returncode == 0, told.stderr[-2000:]
    return told.stdout


def modules(names: tuple[str, ...]) -> list[str]:
    return [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names]


def test_nothing_opens_a_connection_when_imported() -> None:
    names = modules(tuple(n for n in ENGINE_ROOM if "train" not in n and "__main__" not in n) + CHARTS)
    python(
        "import socket\n"
        "def refuse(*_): raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        f"import importlib\nfor name in {names}: importlib.import_module(name)"
    )


def test_charts_can_be_drawn_while_pandas_is_being_imported_elsewhere() -> None:
    """As Streamlit does in another visitor's thread, with the first chart that it is given."""
    style = "pages.charts.style."
    for name in importers("altair", CHARTS) - {"pages/charts/style.py"}:
        assert any(f"{found}.".startswith(style) for found in imports(name, lazy=False)), name
    python(
        "import threading\n"
        "from pages.charts.style import signed_scale\n"
        "from pages.frame.palette import LIGHT\n"
        "other = threading.Thread(target=__import__, args=('pandas',))\n"
        "other.start()\n"
        "while other.is_alive(): signed_scale(LIGHT, 1)"
    )


def test_recorded_runs_open_and_are_drawn_where_neither_max_nor_torch_can_be_imported() -> None:
    names = ["config", "vocabulary", "tokenizer", "prompt", "sampling", "interventions", "hooks", "trace", "trace_file"]
    names += ["weights", "tables", "lens", "report", "cache", "turns", "timing", "uncached", "run", "errors", "hub"]
    gallery = tuple(n for n in GALLERY if n.count("/") >= 2)
    whole = [f"gpt2.{name}" for name in names] + modules(gallery)
    python(
        "import sys, importlib\n"
        "for name in ('max', 'torch', 'transformers'): sys.modules[name] = None\n"
        f"for name in {whole}: importlib.import_module(name)"
    )


def test_traces_and_sampling_need_numpy_alone() -> None:
    names = ["config", "vocabulary", "sampling", "interventions", "hooks", "trace", "trace_file", "tables", "report"]
    told = python(
        "import sys, importlib\n"
        f"for name in {names}: importlib.import_module(f'gpt2.{{name}}')\n"
        "print(*{name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names) - {'__main__'})"
    )
    own = {name for name in told.split() if not name.startswith(("_", "sitecustomize", "distutils"))}
    assert own == {"gpt2", "numpy"}


def test_everything_that_runs_is_installed_by_the_requirements_and_not_by_chance() -> None:
    told = (ROOT / "requirements.txt").read_text()
    required = {name.lower() for name in re.findall(r"^([A-Za-z_]+)", told, re.MULTILINE)}
    imported = {found.split(".")[0] for name in (*ENGINE_ROOM, *GALLERY) for found in imports(name)}
    others = imported - set(sys.stdlib_module_names) - {"gpt2", "pages", "torch", "transformers"}
    assert {"pillow" if name == "PIL" else name for name in others} == required


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


def test_no_file_is_a_drawer_of_odds_and_ends() -> None:
    assert not {Path(name).stem for name in TRACKED} & {"utils", "util", "helpers", "helper", "common", "misc"}


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_fits_a_screen_and_tells_its_shapes(name: str) -> None:
    whole = tree(f"gpt2/{name}.py")
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


def test_the_reading_order_names_every_file_of_the_engine_room() -> None:
    named = set(re.findall(r"`(\w+)`", gpt2.__doc__))
    files = {name.split("/")[1].removesuffix(".py") for name in ENGINE_ROOM} - {"__init__", "__main__"}
    assert named == files


def test_the_readme_names_every_page() -> None:
    rows = re.findall(r"^\| (\w[\w ]*) \| .*\? \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    gallery = (ROOT / "pages" / "frame" / "gallery.py").read_text(encoding="utf-8")
    shown = re.findall(r'st\.Page\(PAGES / "(\w+)\.py", title="([\w ]+)"', gallery)
    assert rows == [title for _, title in shown]
    assert {f"pages/{file}.py" for file, _ in shown} == {name for name in GALLERY if name.count("/") == 1}


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_the_theme_has_the_palettes_colours(theme: str, palette: Palette) -> None:
    told = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][theme]
    assert told["primaryColor"] == palette.attention
    assert told["backgroundColor"] == palette.paper
    assert told["secondaryBackgroundColor"] == palette.panel
    assert told["textColor"] == palette.text
    assert told["borderColor"] == palette.line
    concepts = ("attention", "mlp", "token", "position", "residual", "sampling", "watched")
    assert told["chartCategoricalColors"] == [getattr(palette, concept) for concept in concepts]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_can_be_read_on_paper_and_panels(palette: Palette) -> None:
    """WCAG 2.2: at least 4.5 : 1 for text, 3 : 1 for what is drawn in a concept's colour."""
    for ground in (palette.paper, palette.panel):
        assert min(contrast(colour, ground) for colour in (palette.text, palette.muted)) >= 4.5
    drawn = (palette.attention, palette.mlp, palette.token, palette.residual, palette.sampling)
    assert min(contrast(colour, palette.paper) for colour in drawn) >= 3


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
