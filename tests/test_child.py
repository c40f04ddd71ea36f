"""Claims about child processes: they are this code, end with their parent however it ends, and say why they ended."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import gpt2
from gpt2.checkpoints.child import Child
from gpt2.engine import compiled, compiling
from gpt2.errors import EngineError
from tests.compiling import stand_in
from tests.shapes import TINY

ROOT = Path(gpt2.__file__).parent.parent
# Modules that a test puts where a child finds them, as it finds this code's own.
ENDLESS = "import time\nfrom gpt2.checkpoints.child import listen\nlisten()\ntime.sleep(600)\n"
PARENT = """
import subprocess, sys, time
from gpt2.checkpoints.child import Child
with Child(["endless"], {}, subprocess.DEVNULL) as child:
    print(child.pid, flush=True)
    time.sleep(600)
"""


def ends(pid: int, seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("interruptible")
def test_a_child_ends_with_its_parent_however_that_ends(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **paths}
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        try:
            assert psutil.pid_exists(pid)
            parent.send_signal(how)
            assert ends(pid)
        finally:
            parent.kill()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("import os; os.kill(os.getpid(), 9)", "Killed, perhaps for want of memory"),
        ("raise SystemExit(3)", "status 3"),
        ("import sys; print('22 external/tcmalloc/system.h:5] failed', file=sys.stderr); sys.exit(3)", "status 3"),
        ("import sys; sys.stderr.buffer.write(b'\\xff last'); sys.exit(1)", "\N{REPLACEMENT CHARACTER} last"),
    ],
)
def test_a_child_that_ends_by_itself_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    (tmp_path / "ending.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Child(["ending"], {}, subprocess.DEVNULL) as child:
        child.wait(20)
        assert child.last_words() == words


def test_a_child_is_ended_when_its_parent_goes_on_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    since = time.monotonic()
    with pytest.raises(ZeroDivisionError), Child(["endless"], {}, subprocess.DEVNULL) as child:
        _ = 1 / 0
    assert child.returncode == -signal.SIGKILL and time.monotonic() - since < 20


def test_a_file_of_the_same_name_where_the_user_stands_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gpt2.py").write_text("raise SystemExit('another gpt2 was run')")
    monkeypatch.chdir(tmp_path)
    with Child(["gpt2.checkpoints.fetch"], {}, subprocess.DEVNULL) as child:
        child.wait(30)
        assert "another" not in child.last_words()


def test_a_compile_whose_process_is_killed_is_told_with_its_reason(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(empty.parent, monkeypatch, "kill -9 $$")
    with pytest.raises(EngineError, match=r"failed \(Killed, perhaps for want of memory\); choose it again"):
        compiling.compile_apart(TINY, lambda _: None)


def test_a_cache_that_cannot_be_written_is_named_before_anything_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text(json.dumps("no folder"))
    monkeypatch.setenv("GPT2_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(compiled, "SHIPPED", tmp_path / "none")
    with pytest.raises(EngineError, match=r"cannot be written \(.*\); set GPT2_CACHE to a folder"):
        compiling.compile_apart(TINY, lambda _: None)
