"""Compiling in tests: graphs that come with the tests, a GPU that MAX pretends to have, a stand-in for a compile."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from gpt2.engine import compiled, devices
from gpt2.engine.compiled import GraphKey
from gpt2.model.config import GPT2Config
from tests.shapes import TINY

ROOT = Path(__file__).parents[1]
# The graphs of ODD's shapes, and two of TINY's for a GPU, which `python -m tests.ship_graphs` compiles.
GRAPHS = Path(__file__).parent / "graphs"
LEVEL = "x86-64-v3"  # all of them run on any machine with AVX2
GPU, GPU_KINDS = f"{LEVEL} with cuda sm_90", ("decode", "layer")
# MAX pretends to have a GPU of this kind: it stages and compiles for it, and runs nothing.
VIRTUAL = """
import json, sys
from pathlib import Path
from max.driver import set_virtual_device_api, set_virtual_device_count, set_virtual_device_target_arch
set_virtual_device_api("cuda"); set_virtual_device_target_arch("sm_90"); set_virtual_device_count(1)
from gpt2.engine import compiled, compiling, devices
from gpt2.model.config import GPT2Config
from gpt2.model.graphs import GRAPHS, trace_graph
config, shipped = GPT2Config(**json.loads(sys.argv[1])), Path(sys.argv[2])
compiled.OFFERED = (shipped,)
"""


def with_virtual_gpu(code: str) -> list[str]:
    """Run code in a process that sees a GPU which is none, with TINY as `config`; what it printed, line by line."""
    command = [sys.executable, "-c", VIRTUAL + code, json.dumps(TINY.to_dict()), str(GRAPHS)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout.splitlines()


def traced_key(kind: str, config: GPT2Config) -> GraphKey:
    """The key with a fingerprint traced afresh, whatever is remembered."""
    return GraphKey(kind, compiled.fingerprint_of(kind, config), version("max"), devices.target())


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a shell script where the compiling process would start."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stand-in"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))
