"""Whatever the arguments, streams, encodings, folders and disks: a call works, or refuses in one sentence."""

import json
import os
import random
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.compiling import ROOT

CALLS = 100
SEED = 2026
PROMPTS = ("Once upon", "", "-", "é – 日", "\udcff", "-x", "a\r\n\tb", "\x1b[31m", " the" * 600, "x" * 100_000)
NUMBERS = (
    "0",
    "1",
    "2",
    "-1",
    "nan",
    "inf",
    "1e400",
    "5e-324",
    "1e308",
    "0x1",
    "1_0",
    "９",
    "",
    "9" * 5000,
    str(2**64),
)
MODELS = ("bundled", "gpt2-xl", "no/such", "", ".", "/dev/null", "~nobody-of-this-name", "a" * 5000, "\udcff", "../..")
OUTS = ("run.npz", "no/folder/run.npz", ".", "", "/dev/null", "/dev/full", "pipe/..", "\udcff", "x" * 300, "-", "/")
REFUSED = (
    ("parity", "--lengths", "0"),
    ("parity", "--lengths", "9" * 30),
    ("bench", "--lengths", "0"),
    ("bench", "--visitors", "-1"),
    ("bench", "--tokens", "1"),
    ("bench", "--model", "no/such"),
    ("compile", "--device", "tpu"),
    ("compile", "--model", "no/such"),
    ("fly",),
    (),
)
STDIN = ("</dev/null", "<&-", "</dev/zero", "0>/dev/null", "<text", "<binary")
STDOUT = {"": True, ">&-": False, ">/dev/full": False, ">/dev/null": True, "| head -c 1": True, "| true": True}
STDERR = ("", "", "", "2>&-", "2>/dev/full", "2>/dev/null")
ENCODINGS = ({}, {}, *({"PYTHONIOENCODING": name} for name in ("ascii", "latin-1", "cp437", "utf-16", "cp932:replace")))
LOCALES = (
    {},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "xx_XX.none"},
    {"LANG": "de_DE.ISO-8859-1", "LC_ALL": ""},
)
HOMES = ({}, {"HOME": ""}, {"HOME": "/proc/none"}, {"HOME": "/dev/null"}, {"HOME": "home"}, {"HOME": None})
FOLDERS = (
    {},
    {"TMPDIR": "/proc/none"},
    {"GPT2_CACHE": "own"},
    {"GPT2_CACHE": "/proc/none"},
    {"XDG_CACHE_HOME": "/dev/full"},
    {"HF_HUB_CACHE": "~nobody-of-this-name/hub"},
    {"HF_HOME": "\udcff"},
)
TERMINALS = ({}, {"TERM": "dumb"}, {"TERM": ""}, {"COLUMNS": "1"}, {"COLUMNS": "-5"}, {"COLUMNS": "wide", "LINES": "0"})
LIMITS = ("", "", "", "ulimit -f 8; ", "ulimit -n 30; ", "ulimit -v 800000; ", "ulimit -c 0; ", "cd /proc; ")
NOISE = ("Traceback", "Exception ignored", "Warning", "Fatal", "lost sys.stderr")


@dataclass(frozen=True)
class Call:
    """One call as a shell makes it. `prints`: whether its standard output can be written."""

    line: str
    is_json: bool
    prints: bool

    @classmethod
    def drawn(cls, draw: random.Random) -> "Call":
        """A command with most of its arguments sound, in surroundings of which few are."""

        def seldom(odd: tuple[str, ...], sound: str) -> str:
            return draw.choice(odd) if draw.random() < 0.2 else sound

        kind = draw.choice(("generate", "trace", "models", "help", "refused"))
        match kind:
            case "generate" | "trace":
                arguments = [kind, "--max-new-tokens", seldom(NUMBERS, "1"), "--seed", seldom(NUMBERS, "3")]
                arguments += ["--temperature", seldom(NUMBERS, "1"), "--top-p", seldom(NUMBERS, "1")]
                arguments += ["--top-k", seldom(NUMBERS, "0"), "--model", seldom(MODELS, "bundled")]
                arguments += ["--out", draw.choice(OUTS)] if kind == "trace" else []
                arguments += [draw.choice(PROMPTS)]
            case "models":
                arguments = ["models"]
            case "help":
                arguments = [draw.choice(("generate", "trace", "bench", "parity", "compile", "models")), "--help"]
            case _:
                arguments = list(draw.choice(REFUSED))
        is_json = bool(arguments) and arguments[-1] != "--help" and draw.random() < 0.5
        arguments += ["--json"] if is_json else []
        target, prints = draw.choice(list(STDOUT.items()))
        around = f"{draw.choice(STDERR)} {draw.choice(STDIN)}"
        variables: dict[str, str | None] = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
        for choices in (ENCODINGS, LOCALES, HOMES, FOLDERS, TERMINALS):
            variables |= draw.choice(choices)
        names = [part for name, value in variables.items() if value is None for part in ("-u", name)]
        names += [f"{name}={value}" for name, value in variables.items() if value is not None]
        command = shlex.join(["env", *names, sys.executable, "-m", "gpt2", *arguments])
        return cls(f"({draw.choice(LIMITS)}exec {command}) {around} {target}", is_json, prints)

    def check(self, folder: Path) -> None:
        """Make the call, and hold it to what every call promises."""
        folder.mkdir()
        (folder / "text").write_text("Once upon a time")
        (folder / "binary").write_bytes(bytes(range(256)) * 40)
        line = f"set -o pipefail; {self.line}".encode(errors="surrogateescape")
        told = subprocess.run(
            [b"bash", b"-c", line], cwd=folder, env=dict(os.environ), capture_output=True, check=False
        )
        error, case = told.stderr.decode(errors="replace"), (self, told)
        assert told.returncode in (0, 2, 141), case
        assert not any(word in error for word in NOISE), case
        if told.returncode == 2:
            assert error.count("\n") == (not any(f"2>{away}" in self.line for away in ("&-", "/dev"))), case
        elif told.returncode == 0:
            assert self.prints, case
            if self.is_json and "head" not in self.line and told.stdout.startswith(b"{"):  # in UTF-16 it does not
                assert told.stdout.isascii() and isinstance(json.loads(told.stdout), dict), case
        assert not list(folder.glob(".*")), case


@pytest.mark.slow
def test_no_call_ends_in_a_traceback_or_leaves_half_a_file(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    calls = [Call.drawn(draw) for _ in range(CALLS)]
    with ThreadPoolExecutor(3) as three:
        list(three.map(Call.check, calls, (tmp_path / str(number) for number in range(CALLS))))
