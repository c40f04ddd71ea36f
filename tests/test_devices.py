"""Claims about where graphs run. No GPU is needed: what can be told without one is, and MAX compiles for one anyway."""

import _ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from max.driver import CPU

from gpt2.engine import compiled, devices, passes
from gpt2.engine.engine import Engine
from gpt2.errors import EngineError, SettingsError
from gpt2.model.sampling import Sampling
from gpt2.trace.captures import Level
from tests.command_line import refused
from tests.compiling import GPU, GPU_KINDS, with_virtual_gpu
from tests.shapes import TINY

pytestmark = pytest.mark.slow


def refuse(*_: object) -> NoReturn:
    raise RuntimeError("CUDA driver version is insufficient\nmore of it")


def test_without_a_gpu_auto_is_the_cpu_and_gpu_is_refused(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(devices, "accelerator_count", lambda: 0)
    assert devices.resolve("cpu") == devices.resolve("auto") == "cpu"
    with pytest.raises(EngineError, match=r"no GPU here that MAX can use \(it finds none\); choose cpu, or auto"):
        devices.resolve("gpu")
    for command in (["generate", "x"], ["trace", "x", "--out", os.devnull], ["parity"], ["compile"]):
        assert "choose cpu, or auto" in refused(capsys, *command, "--device", "gpu")


def test_a_gpu_whose_driver_does_not_work_is_refused_with_the_drivers_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "accelerator_count", lambda: 1)
    monkeypatch.setattr(devices, "device_of", refuse)
    assert devices.resolve("auto") == "cpu"
    with pytest.raises(EngineError, match=r"\(CUDA driver version is insufficient\); choose cpu"):
        devices.resolve("gpu")


def test_what_is_no_device_is_refused_in_one_line(capsys) -> None:
    with pytest.raises(SettingsError, match="must be auto, cpu or gpu, not 'tpu'"):
        devices.resolve("tpu")
    assert "--device" in refused(capsys, "generate", "x", "--device", "tpu")


def test_a_gpu_in_the_machine_changes_no_graph_of_the_cpu() -> None:
    """MAX would put parameters on it, in bfloat16, and names it in the head of every graph."""
    told = with_virtual_gpu("print(*(compiled.fingerprint_of(kind, config) for kind in GRAPHS), sep='\\n')")
    assert told == [compiled.fingerprint_of(kind, TINY) for kind in compiled.GRAPH_KINDS]


def test_the_graphs_of_a_gpu_are_the_same_in_float32_and_have_keys_of_their_own() -> None:
    told = with_virtual_gpu("""
for kind in GRAPHS:
    text = str(trace_graph(kind, config, devices.device_of("gpu")))
    print("bf16" in text, 'to <"gpu", 0>' in text, compiled.GraphKey.of(kind, config, "gpu").target)
print(*(compiled.GraphKey.of(kind, config, device).file_name for kind in GRAPHS for device in ("cpu", "gpu")))
""")
    assert set(told[:4]) == {f"False True {devices.target()} with cuda sm_90"}
    assert len(set(told[4].split())) == 8
    assert told[4].split()[::2] == [compiled.GraphKey.of(kind, TINY).file_name for kind in compiled.GRAPH_KINDS]


@pytest.fixture
def without_cublas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine whose GPU works, but that has no cuBLAS; the folder of its Python packages."""
    monkeypatch.setattr(devices, "accelerator_count", lambda: 1)
    monkeypatch.setattr(devices, "is_nvidia", lambda device: device == "gpu")
    monkeypatch.setattr(devices, "CUBLAS", ("libcublas-of-nobody.so",))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    devices.load_cublas.cache_clear()
    yield tmp_path
    devices.load_cublas.cache_clear()


def test_a_gpu_without_cublas_is_refused_with_what_to_install(without_cublas: Path) -> None:
    assert devices.resolve("auto") == "cpu"
    with pytest.raises(EngineError, match="cuBLAS is missing: run pip install nvidia-cublas"):
        devices.resolve("gpu")


def test_cublas_is_taken_from_nvidias_package_and_may_not_round(without_cublas: Path) -> None:
    library = without_cublas / "nvidia" / "cu13" / "lib" / "libcublas.so.13"
    library.parent.mkdir(parents=True)
    shutil.copy(_ctypes.__file__, library)  # any library
    assert devices.resolve("gpu") == devices.resolve("auto") == "gpu"
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"
    assert str(library) in Path("/proc/self/maps").read_text()


@pytest.mark.compiles
def test_every_operation_compiles_for_a_gpu() -> None:
    """Decode has the embeddings, a block for one token, the norms and the head; layer has a block for many tokens.

    The graphs are traced afresh; one whose very fingerprint has been compiled, here or for `tests/graphs`, is not
    compiled again.
    """
    with_virtual_gpu(f"""
compiled.GRAPH_KINDS = {GPU_KINDS}
for kind in {GPU_KINDS}: compiling.compile_here(kind, config, None, "gpu", {GPU!r})
assert compiled.missing(config, "gpu") == []
""")


@pytest.fixture
def distant(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The bundled model as on an accelerator: its cache and captures lie in MAX's buffers, here those of the CPU."""
    load = compiled.load
    monkeypatch.setattr(passes, "device_of", lambda _: CPU())
    monkeypatch.setattr(passes, "session_on", lambda _: devices.session_on("cpu"))
    monkeypatch.setattr(compiled, "load", lambda kind, config, _: load(kind, config))
    return Engine(engine.checkpoint, "gpu")


def test_a_run_on_a_device_is_the_same_run_and_a_prompt_is_not_fetched_before_it_is_looked_at(
    engine: Engine, distant: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[int] = []
    fetch = devices.OnDevice.fetch
    monkeypatch.setattr(devices.OnDevice, "fetch", lambda self: fetched.append(self.nbytes) or fetch(self))
    far, near = (one.start("Once upon a time") for one in (distant, engine))
    for run in (far, near):
        for _ in range(70):  # beyond the cache's first room
            run.advance(Sampling(0.8, seed=2))
    last_seen = engine.config.n_layer  # of the prompt, the stream that is checked; a token's captures come in one piece
    assert len(fetched) == last_seen
    assert far.trace.ids == near.trace.ids and far.nbytes == near.nbytes
    for name in near.trace.axes:
        np.testing.assert_array_equal(far.trace[name], near.trace[name], err_msg=name)
    assert len(fetched) > last_seen
    assert far.trace.steps[3].captures.level == Level.FULL
    before = len(fetched)
    _ = far.trace["blocks.0.attn.hook_pattern"]
    assert len(fetched) == before  # once is enough
    squeezed = far.trace.steps[5].squeezed(Level.STREAM)
    np.testing.assert_array_equal(squeezed.captures["hook_embed"], near.trace.steps[5].captures["hook_embed"])


def test_a_prompt_run_layer_by_layer_on_a_device_is_the_same(engine: Engine, distant: Engine) -> None:
    texts = []
    for one in (engine, distant):
        run = one.start("Once upon a time there was a fox")
        run.budget = 600_000
        for _ in range(5):
            run.advance(Sampling(0))
        assert run.trace.steps[0].captures.level > Level.FULL
        texts.append(run.trace.ids)
    assert texts[0] == texts[1]


def test_python_ends_in_peace_in_the_middle_of_a_run() -> None:
    """A thread that comes back from MAX while Python ends would abort the process."""
    code = """
import threading, time, gpt2
from gpt2.model.sampling import Sampling
def generate():
    run = engine.start("Once upon a time")
    while True:
        run.advance(Sampling(1))
        run.resample(Sampling(1))
engine = gpt2.load()
for _ in range(3): threading.Thread(target=generate, daemon=True).start()
time.sleep(0.5)
"""
    for _ in range(3):
        command, told = [sys.executable, "-c", code], dict(os.environ)
        ended = subprocess.run(command, capture_output=True, text=True, env=told, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")
