"""Claims about importing MAX in a program of many threads: it is done by one at a time, wherever it begins."""

import ast
from collections.abc import Iterator

import pytest

from tests.source_tree import GALLERY, PROGRAM, imported_by, importers, imports, own_files, python, tree

# While this thread is in the midst of importing MAX, another begins; `{inside}` is what either does it in.
TWO_THREADS = """
import sys, threading
from contextlib import nullcontext
from gpt2.engine.importing import importing_max

failed = []

def lesson():
    try:
        with {inside}:
            import gpt2.learn.glass
    except Exception as error:
        failed.append(repr(error))

class Meanwhile:
    def find_spec(self, name, *_):
        if name == "max.engine" and threading.current_thread() is loading and not other.is_alive():
            other.start()
            other.join({seconds})  # far enough by then, even on a busy machine, unless it waits for this thread

def load():
    with {inside}:
        import max._mlir_context, gpt2.engine.passes

loading, other = threading.Thread(target=load), threading.Thread(target=lesson)
sys.meta_path.insert(0, Meanwhile())
loading.start()
loading.join()
other.join()
print(failed)
"""


@pytest.mark.slow
def test_a_thread_that_needs_max_while_another_imports_it_waits() -> None:
    assert "No active MLIR context" in python(TWO_THREADS.format(inside="nullcontext()", seconds=5))
    assert python(TWO_THREADS.format(inside="importing_max()", seconds=1)).strip() == "[]"


@pytest.mark.slow
def test_a_process_whose_only_import_of_max_was_by_a_thread_ends_in_silence() -> None:
    """MAX leaves its context at exit in the main thread, which may never have been in it."""
    told = python(
        "import subprocess, sys, threading\n"
        "code = '''import threading\n"
        "from gpt2.engine.importing import importing_max\n"
        "def lesson():\n"
        "    with importing_max(): import gpt2.learn.glass\n"
        "thread = threading.Thread(target=lesson); thread.start(); thread.join()'''\n"
        "print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True))"
    )
    assert "returncode=0, stdout='', stderr=''" in told


def unguarded(node: ast.AST, is_lazy: bool = False) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports in functions that are not made within `importing_max()`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.With) and any("importing_max()" in ast.unparse(item) for item in child.items):
            continue
        if is_lazy and isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        yield from unguarded(child, is_lazy or isinstance(child, (ast.FunctionDef, ast.Lambda)))


def with_max() -> set[str]:
    """The files that import MAX as they are imported, themselves or by what they import."""
    needs = {name: own_files(imports(name, lazy=False)) for name in PROGRAM}
    found, before = importers("max", PROGRAM, lazy=False), set[str]()
    while found != before:
        before = found
        found = found | {name for name in PROGRAM if needs[name] & found}
    return found


@pytest.mark.slow
def test_whatever_a_visitors_thread_imports_with_max_is_imported_by_one_at_a_time() -> None:
    files = with_max()
    assert "gpt2/learn/glass.py" in files and not files & set(GALLERY)  # pages are made while a model is being loaded
    for name in ("gpt2/__init__.py", *GALLERY):
        for node in unguarded(tree(name)):
            assert not own_files(imported_by(name, [node])) & files, f"{name}:{node.lineno}"
