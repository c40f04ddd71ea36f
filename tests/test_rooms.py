"""Claims about imports: which room may import what, and what can be imported where."""

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import gpt2
import gpt2.model
from tests.source_tree import (
    CACHE_CHART,
    CHARTS,
    COMPONENTS,
    ENGINE_ROOM,
    GALLERY,
    MEASURED,
    PROGRAM,
    PYTHON,
    ROOT,
    SERVING,
    TRACKED,
    importers,
    imports,
    modules,
    own_files,
    python,
    tree,
)


def test_the_import_reader_sees_what_it_should() -> None:
    assert "max.driver.Buffer" in imports("gpt2/engine/passes.py")
    assert "gpt2.trace.timing.Clock" in imports("gpt2/engine/run.py")
    assert "gpt2.engine.passes.ForwardPasses" in imports("gpt2/engine/run.py")
    assert "gpt2.engine.passes.ForwardPasses" not in imports("gpt2/engine/run.py", lazy=False)
    assert "torch" in imports("gpt2/bench/parity.py") and "torch" not in imports("gpt2/bench/parity.py", lazy=False)
    assert "gpt2.engine.engine.Engine" in imports("pages/visit/player.py")


def rooms() -> list[str]:
    """The rooms from low to high, as the README's table lists them: a folder, or a file by itself."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([\w./]+(?:/|\.py))` \|", readme, re.MULTILINE)


def room_of(name: str) -> str:
    """The room that a file is in."""
    return next(room for room in rooms() if name == room or (room.endswith("/") and name.startswith(room)))


@pytest.mark.parametrize("name", PROGRAM)
def test_a_file_imports_only_rooms_below_its_own(name: str) -> None:
    order = rooms()
    allowed = order[: order.index(room_of(name)) + 1]
    assert {room_of(file) for file in own_files(imports(name))} <= set(allowed)


def test_no_import_runs_in_a_circle() -> None:
    list(TopologicalSorter({name: own_files(imports(name)) - {name} for name in PROGRAM}).static_order())


def test_the_readme_says_of_every_room_what_the_room_says_of_itself() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for room in rooms():
        path = f"{room}__init__.py" if room.endswith("/") else room
        assert f"| `{room}` | {(ast.get_docstring(tree(path)) or '').splitlines()[0]} |" in readme, room


def test_the_reading_orders_name_every_room_and_every_file_of_the_model() -> None:
    named = re.findall(r"`(\w+)`", gpt2.__doc__ or "")
    inside = [Path(room).stem for room in rooms() if re.match(r"gpt2/[a-z]", room)]
    assert named == inside
    files = {Path(name).stem for name in ENGINE_ROOM if name.startswith("gpt2/model/")} - {"__init__"}
    assert set(re.findall(r"`(\w+)`", gpt2.model.__doc__ or "")) == files


@pytest.mark.parametrize("house", ["gpt2", "pages"])
def test_a_house_shows_few_rooms_and_a_room_few_files(house: str) -> None:
    inside = {name.split("/")[1] for name in TRACKED if name.startswith(f"{house}/") and (ROOT / name).exists()}
    assert len(inside - {"bundled"}) <= 15  # the model's files, in which there is no code, are no room
    for room in inside:
        files = {name for name in PYTHON if name.startswith(f"{house}/{room}/") and name.count("/") == 2}
        assert len(files) <= 24, room


def test_streamlit_stays_in_the_gallery_and_out_of_the_charts() -> None:
    found = importers("streamlit")
    assert found and found <= set(GALLERY) - set(CHARTS)


@pytest.mark.parametrize("library", ["altair", "PIL"])
def test_drawing_stays_in_the_gallery(library: str) -> None:
    assert importers(library) <= set(GALLERY)


def test_max_stays_in_the_components_and_what_compiles_and_runs_them() -> None:
    components = {f"gpt2/model/{name}.py" for name in COMPONENTS}
    running = {f"gpt2/engine/{name}.py" for name in ("passes", "compiled", "compiling", "devices", "importing")}
    running |= {
        f"gpt2/interpreter/{name}.py" for name in ("graph", "interpreter", "kernels", "numpy_kernels", "programs")
    }
    running |= {f"gpt2/learn/{name}.py" for name in ("glass", "trial", "assembly", "own_model")}
    running |= {"gpt2/serving/graphs.py", *SERVING}
    assert components <= importers("max") <= components | running | {"gpt2/model/graphs.py", "gpt2/model/packing.py"}


def test_torch_trains_and_compares_and_never_runs_the_model() -> None:
    allowed = {name for name in ENGINE_ROOM if name.startswith("gpt2/train/")} | set(MEASURED)
    hooks = "gpt2/bench/hook_parity.py"
    assert importers("torch") <= allowed | {hooks}
    assert importers("transformers") == set(MEASURED) and importers("transformer_lens") == {hooks}
    for library in ("torch", "transformers", "transformer_lens"):
        assert not importers(library, (*MEASURED, hooks), lazy=False)
    outside = tuple(name for name in (*ENGINE_ROOM, *GALLERY) if not name.startswith("gpt2/train/"))
    assert not importers("gpt2.train", outside)


def test_the_engine_room_does_not_know_the_gallery() -> None:
    assert not importers("pages", ENGINE_ROOM) and not importers("app", ENGINE_ROOM)


def test_charts_see_neither_the_engine_nor_the_run() -> None:
    for hidden in ("model.graphs", *(f"model.{name}" for name in COMPONENTS)):
        assert not importers(f"gpt2.{hidden}", CHARTS), hidden
    # `engine.uncached` is what the Cost page's button measures: numbers that no trace holds.
    assert importers("gpt2.engine", CHARTS) == importers("gpt2.engine.uncached", CHARTS) == {CACHE_CHART}


def test_the_network_is_reached_in_one_place_a_loopback_address_in_another_and_neither_on_import() -> None:
    hub = {f"gpt2/checkpoints/{name}.py" for name in ("fetch", "transfer")}
    loopback = "pages/learn/serve/client.py"  # it asks the one address of this machine that the host has set
    assert importers("huggingface_hub") == hub and importers("httpx") == {*hub, loopback}
    for library in ("huggingface_hub", "httpx"):
        assert not importers(library, lazy=False)
    assert importers("http.client") == {"gpt2/bench/served.py"}  # it asks a server that was named on the command line
    for library in ("requests", "urllib.request", "aiohttp"):
        assert not importers(library), library


@pytest.mark.slow
def test_nothing_opens_a_connection_when_imported() -> None:
    kept = tuple(n for n in ENGINE_ROOM if "train" not in n and "__main__" not in n and n not in SERVING)
    names = modules(kept + CHARTS)
    python(
        "import socket\n"
        "def refuse(*_): raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        f"import importlib\nfor name in {names}: importlib.import_module(name)"
    )


@pytest.mark.slow
def test_charts_can_be_drawn_while_pandas_is_being_imported_elsewhere() -> None:
    """As Streamlit does in another visitor's thread, with the first chart that it is given."""
    style = "pages.charts.style."
    for name in importers("altair", CHARTS) - {"pages/charts/style.py"}:
        assert any(f"{found}.".startswith(style) for found in imports(name, lazy=False)), name
    python(
        "import threading\n"
        "from pages.charts.style import signed_scale\n"
        "from pages.look.palette import LIGHT\n"
        "other = threading.Thread(target=__import__, args=('pandas',))\n"
        "other.start()\n"
        "while other.is_alive(): signed_scale(LIGHT, 1)"
    )


@pytest.mark.slow
def test_recorded_runs_open_and_are_drawn_where_neither_max_nor_torch_can_be_imported() -> None:
    with_max = tuple(name for name in ENGINE_ROOM if importers("max", (name,), lazy=False))
    running = ("gpt2/engine/engine.py", "gpt2/interpreter/compile_command.py", "gpt2/bench/", "gpt2/serving/")
    running += ("gpt2/train/", "gpt2/__main__.py")
    without = tuple(name for name in ENGINE_ROOM if name not in with_max and not name.startswith(running))
    whole = modules(
        (
            *without,
            *(
                name
                for name in GALLERY
                if not name.startswith(
                    ("pages/watch/", "pages/change/", "pages/learn/lessons/", "pages/learn/course", "app.py")
                )
                and name != "pages/learn/serve/lesson_13_serve.py"
            ),
        )
    )
    assert "gpt2.engine.run" in whole
    assert "gpt2.trace.trace" in whole
    assert "pages.frame.layout" in whole
    python(
        "import sys, importlib\n"
        "for name in ('max', 'torch', 'transformers'): sys.modules[name] = None\n"
        f"for name in {whole}: importlib.import_module(name)"
    )


def test_traces_and_sampling_need_numpy_alone() -> None:
    names = ["model.config", "model.sampling", "model.interventions", "model.hooks", "text.vocabulary"]
    names += modules(tuple(name for name in ENGINE_ROOM if name.startswith("gpt2/trace/")))
    names += ["reading.tables", "reading.report"]
    told = python(
        "import sys, importlib\n"
        f"for name in {names}: importlib.import_module('gpt2.' + name.removeprefix('gpt2.'))\n"
        "print(*{name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names) - {'__main__'})"
    )
    own = {name for name in told.split() if not name.startswith(("_", "sitecustomize", "distutils"))}
    assert own == {"gpt2", "numpy"}


def test_everything_that_runs_is_installed_by_the_requirements_and_not_by_chance() -> None:
    told = (ROOT / "requirements.txt").read_text()
    required = {name.lower() for name in re.findall(r"^([A-Za-z_]+)", told, re.MULTILINE)}
    imported = {
        found.split(".")[0] for name in (*ENGINE_ROOM, *GALLERY) if name not in SERVING for found in imports(name)
    }
    others = imported - set(sys.stdlib_module_names) - {"gpt2", "pages", "torch", "transformers", "transformer_lens"}
    assert {"pillow" if name == "PIL" else name for name in others} == required
    served = {found.split(".")[0] for name in SERVING for found in imports(name)} - set(sys.stdlib_module_names)
    assert served - {"gpt2"} - required == {"uvicorn", "uvloop"}  # of `max[serve]`


def test_nothing_that_the_app_or_the_command_line_imports_needs_what_serving_needs() -> None:
    names = tuple(name for name in (*ENGINE_ROOM, *GALLERY) if name not in SERVING)
    for module in modules(SERVING):
        assert not importers(module, names, lazy=False), module
    assert not importers("gpt2.serving", GALLERY)
