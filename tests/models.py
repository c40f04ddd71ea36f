"""Models in tests: the bundled one, copies of it under other names (their graphs are compiled already), their users."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import gpt2
from gpt2.checkpoints.catalog import PROGRAM_BYTES
from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine.engine import Engine
from gpt2.interpreter.graph import source
from gpt2.model.config import GPT2Config
from pages.server.models import Pool

BUNDLED = Path(gpt2.__file__).parent / "bundled"
SIZE = 4 * GPT2Config.from_file(BUNDLED / "config.json").n_params
PROMPT = "Once upon a time"


def lower_half(checkpoint: Checkpoint, n_positions: int) -> Engine:
    """Three of the bundled model's layers, each with half as many heads, run operation by operation."""
    config = replace(checkpoint.config, n_layer=3, n_head=4, n_positions=n_positions)
    weights = {name: array for name, array in checkpoint.weights.items() if not name.startswith(("h.3", "h.4", "h.5"))}
    weights["wpe.weight"] = weights["wpe.weight"][:n_positions]
    return Engine(replace(checkpoint, name="lower half", config=config, weights=weights), "cpu", source(config))


class Someone:
    """A user of models."""

    def __init__(self, *names: str) -> None:
        self.uses = frozenset(names)


def copies(folder: Path, *names: str) -> list[str]:
    """Copies of the bundled model; their names are whole paths."""
    return [
        str(shutil.copytree(BUNDLED, folder / name, ignore=shutil.ignore_patterns("graphs", "runs"))) for name in names
    ]


def loaded(pool: Pool, name: str) -> None:
    """Load a model, and return once it is ready."""
    job = pool.request(name)
    job.wait(60)
    assert (job.phase, job.error) == ("ready", "")


def room_for(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget of memory for so many models beside the bundled one."""
    monkeypatch.setenv("GPT2_MEMORY_MB", str((PROGRAM_BYTES + count * SIZE + SIZE // 2) / 1e6))
