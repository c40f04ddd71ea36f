"""An interrupt ends a command without a word; too few addresses or files are refused before anything fails."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine import devices
from gpt2.engine.importing import FILES, MAX_BYTES, NUMPY_BYTES
from gpt2.engine.passes import Graph
from gpt2.errors import EngineError
from tests.compiling import ROOT

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MEGABYTE = 1_000_000


def is_heeded(pid: int, number: int) -> bool:
    """Whether a process handles a signal itself, which Linux lists as a mask of bits."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
    return bool(int(mask, 16) >> number - 1 & 1)


def interrupted(number: signal.Signals, seconds: float, *arguments: str) -> tuple[int, str]:
    """The status and standard error of a command that a signal reaches so long after its first line of code."""
    command, pipe = [sys.executable, "-m", "gpt2", *arguments], subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=pipe, text=True, env=dict(os.environ)
    ) as running:
        while running.poll() is None and not is_heeded(running.pid, signal.SIGHUP):  # before, Python itself starts
            time.sleep(0.001)
        time.sleep(seconds)
        running.send_signal(number)
        _, error = running.communicate(timeout=60)
    return running.returncode, error


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="It is seen in /proc whether a signal is handled.")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_in_any_phase_ends_a_command_in_silence_and_leaves_nothing(tmp_path: Path) -> None:
    """Most come while MAX is imported, whose native code aborts if an exception comes up there."""
    draw = random.Random(3)
    cases = [(number, draw.uniform(0, 0.6)) for number in SIGNALS for _ in range(8)]

    def run(case: tuple[signal.Signals, float]) -> tuple[int, str]:
        return interrupted(*case, "trace", "Once upon", "--max-new-tokens", "400", "--out", f"{tmp_path}/run.npz")

    with ThreadPoolExecutor(2) as two:
        for (number, seconds), told in zip(cases, two.map(run, cases), strict=True):
            assert told == (128 + number, ""), (number, seconds)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_a_signal_that_a_command_was_started_to_ignore_is_ignored() -> None:
    command = f"trap '' HUP; {sys.executable} -m gpt2 generate a --max-new-tokens 1 & sleep 0.3; kill -HUP $!; wait $!"
    told = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, env=dict(os.environ), check=False)
    assert (told.returncode, told.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [60, 100, 200, 600, 1000, 2000, 3000])
def test_too_few_addresses_are_refused_before_native_code_aborts(megabytes: int) -> None:
    for needed, arguments in (
        (NUMPY_BYTES, ("models",)),
        (MAX_BYTES, ("generate", "a", "--max-new-tokens", "1")),
        (MAX_BYTES, ("compile",)),
    ):
        limited = f'ulimit -v {megabytes * MEGABYTE // 1024}; exec "$@"'
        command = ["sh", "-c", limited, "sh", sys.executable, "-m", "gpt2", *arguments]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=dict(os.environ), check=False)
        if megabytes * MEGABYTE < needed:
            assert told.returncode == 2 and "raise the limit with ulimit -v unlimited" in told.stderr
            assert len(told.stderr.splitlines()) == 1
        else:
            assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("n_files", [5, 8, 12, 20, 64])
def test_too_few_open_files_are_refused_before_a_graph_seems_to_be_missing(n_files: int) -> None:
    for arguments in (("models",), ("generate", "a", "--max-new-tokens", "1")):
        command = ["sh", "-c", f'ulimit -n {n_files}; exec "$@"', "sh", sys.executable, "-m", "gpt2", *arguments]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=dict(os.environ), check=False)
        if n_files < FILES + 3:
            assert told.returncode == 2 and "raise the limit with ulimit -n 256" in told.stderr
            assert len(told.stderr.splitlines()) == 1
        else:
            assert (told.returncode, told.stderr) == (0, "")


def test_a_graph_that_max_cannot_load_is_one_sentence(checkpoint: Checkpoint) -> None:
    with pytest.raises(EngineError, match=r"MAX cannot load the prefill graph \(.*\); give this process more memory"):
        Graph("prefill", checkpoint.config, {}, devices.session_on("cpu"), "cpu")
