"""The program's source files, and what each of them imports."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import gpt2

ROOT = Path(gpt2.__file__).parent.parent
COMPONENTS = (
    *("linear", "embeddings", "mask", "layer_norm", "changes"),
    *("attention", "mlp", "block", "lm_head", "transformer"),
)
# Where transformers runs beside this program; `gpt2/bench/first_token.py` is a process of its own.
MEASURED = ("gpt2/bench/sides.py", "gpt2/bench/first_token.py", "gpt2/bench/parity.py")
# What needs gpt2/serving/requirements.txt, in the processes that serve.
SERVING = tuple(f"gpt2/serving/{name}.py" for name in ("served", "architecture", "server"))
TRACKED = tuple(
    subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
)
PYTHON = tuple(name for name in TRACKED if name.endswith(".py") and (ROOT / name).exists())
ENGINE_ROOM = tuple(name for name in PYTHON if name.startswith("gpt2/"))
GALLERY = tuple(name for name in PYTHON if name.startswith("pages/") or name == "app.py")
CACHE_CHART = "pages/charts/cost_cache.py"
PROGRAM = (*ENGINE_ROOM, *GALLERY)
CHARTS = tuple(name for name in PYTHON if name.startswith("pages/charts/"))


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


@cache
def imports(name: str, lazy: bool = True) -> set[str]:
    """Full names of what a file imports; without `lazy`, only at import time (not in functions or TYPE_CHECKING)."""
    return imported_by(name, ast.walk(tree(name)) if lazy else at_import_time(tree(name)))


def imported_by(name: str, nodes: Iterable[ast.AST]) -> set[str]:
    """Full names of what these statements of a file import."""
    package = name.removesuffix(".py").split("/")[:-1]
    found = set()
    for node in nodes:
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


def own_files(imported: Iterable[str]) -> set[str]:
    """The files of the program among what is imported, by their full names."""
    found = set()
    for name in imported:
        parts = name.split(".")
        tries = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
        files = (file for path in tries for file in (f"{path}.py", f"{path}/__init__.py"))
        found |= {next(filter(PROGRAM.__contains__, files))} if parts[0] in ("gpt2", "pages") else set()
    return found


def importers(top: str, names: tuple[str, ...] = PYTHON, lazy: bool = True) -> set[str]:
    """Files, tests aside, that import a package."""
    return {
        name
        for name in names
        if not name.startswith("tests/") and any(f"{found}.".startswith(f"{top}.") for found in imports(name, lazy))
    }


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
