"""A file is written whole or not at all: a disk that fills up and an interrupt leave what was there before."""

import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt2.checkpoints.child import Child
from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine import compiling
from gpt2.errors import EngineError
from gpt2.trace.trace import Trace
from gpt2.trace.whole_file import whole_file
from tests.command_line import refused, said
from tests.compiling import ROOT, stand_in
from tests.shapes import TINY

# Whatever a process writes ends after so many bytes, as on a disk that is full then.
SMALL = 20_000
SMALL_DISK = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({SMALL}, {SMALL}))\n"
INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from gpt2.engine import interrupts
from gpt2.trace.whole_file import whole_file
from gpt2.trace.unfinished import unfinished
interrupts.handle()
folder = Path(sys.argv[1]) / "folder"
folder.mkdir()
(folder / "part").touch()
with unfinished(str(folder)), whole_file(Path(sys.argv[1]) / "run.npz") as file:
    file.write(b"half")
    os.kill(os.getpid(), int(sys.argv[2]))
"""


def fresh(code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter from the root."""
    command, own = [sys.executable, "-c", code, *arguments], {**os.environ, **variables}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=own, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file in it that must survive, and beside which nothing may be left."""
    (tmp_path / "run.npz").write_bytes(b"as before")
    yield tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]
    assert (tmp_path / "run.npz").read_bytes() == b"as before"


@pytest.mark.slow
def test_a_disk_that_fills_up_leaves_the_trace_that_was_there(folder: Path) -> None:
    out = f"{folder}/run.npz"
    told = fresh(
        SMALL_DISK + "from gpt2.__main__ import main; main()", "trace", "a", "--out", out, "--max-new-tokens", "1"
    )
    assert (told.returncode, told.stderr) == (2, f"python -m gpt2: {out} cannot be written: File too large.\n")


def test_an_error_while_a_file_is_written_leaves_the_one_that_was_there(folder: Path) -> None:
    with pytest.raises(OSError, match="No space"), whole_file(folder / "run.npz") as file:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_removes_what_is_half_written(folder: Path, number: signal.Signals) -> None:
    told = fresh(INTERRUPTED, str(folder), str(number.value))
    assert (told.returncode, told.stderr) == (128 + number, "")


def test_a_trace_replaces_the_file_and_keeps_its_mode_and_the_link_to_it(tmp_path: Path, trace: Trace) -> None:
    file, link = tmp_path / "run.npz", tmp_path / "link.npz"
    file.write_bytes(b"as before")
    file.chmod(0o640)
    link.symlink_to(file)
    trace.save(link)
    assert link.is_symlink() and Trace.load(file).run_id == trace.run_id
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.npz", "run.npz"]


def test_a_trace_can_be_written_into_a_pipe(tmp_path: Path, trace: Trace) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    trace.save(pipe)
    reader.join()
    (tmp_path / "run.npz").write_bytes(read[0])
    assert Trace.load(tmp_path / "run.npz").run_id == trace.run_id
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Is a directory"),
        ("none/run.npz", "No such file"),
        ("file/run.npz", "Not a directory"),
        ("x" * 300, "long"),
    ],
)
def test_a_place_where_no_trace_can_be_is_named(capsys, tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").touch()
    error = refused(capsys, "trace", "a", "--max-new-tokens", "1", "--out", str(tmp_path / name))
    assert f"{tmp_path / name} cannot be written" in error and words in error


def test_a_name_as_long_as_names_can_be_is_written(capsys, tmp_path: Path) -> None:
    out = tmp_path / ("x" * 255)
    assert said(capsys, "trace", "a", "--max-new-tokens", "1", "--out", str(out), "--json")["steps"] == 1
    assert out.exists()


@pytest.mark.slow
def test_a_cache_on_a_disk_that_fills_up_keeps_no_half_of_a_graph(tmp_path: Path, checkpoint: Checkpoint) -> None:
    command = ["gpt2.engine.compiling", "lens", json.dumps(checkpoint.config.to_dict()), "cpu", "", ""]
    with Child(command, {"GPT2_CACHE": str(tmp_path)}, subprocess.DEVNULL) as child:
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (SMALL, SMALL))
        words = child.last_words()
    assert words == f"{tmp_path}/graphs cannot be written (File too large); set GPT2_CACHE to a folder that can be"
    assert not list((tmp_path / "graphs").glob(".*"))


def test_what_a_killed_compile_has_left_is_removed(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = f"{empty}/.of-a-compile-before.partial"
    script = (
        f"touch {empty}/.prefill.partial; mkdir -p {folder}/a $MODULAR_DERIVED_PATH; touch {folder}/a/b; kill -9 $$"
    )
    stand_in(empty.parent, monkeypatch, script)
    with pytest.raises(EngineError, match="Killed"):
        compiling.compile_apart(TINY, lambda _: None)
    assert not list(empty.glob("*.partial")) and (empty / ".lock").exists()
