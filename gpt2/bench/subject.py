"""The model to measure: one stored on this machine, or a random checkpoint in the shape of a known model."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2.checkpoints.catalog import KNOWN
from gpt2.checkpoints.download import model_folder
from gpt2.checkpoints.hub import locate
from gpt2.checkpoints.random_checkpoint import write_random_checkpoint
from gpt2.model.config import GPT2Config
from gpt2.trace.unfinished import unfinished

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Subject:
    """A checkpoint to measure. `is_random`: its weights are noise, which costs the same time as any others."""

    name: str
    folder: Path
    config: GPT2Config
    is_random: bool

    def to_dict(self) -> dict[str, Any]:
        """Name, shape, and number of parameters."""
        return {
            "name": self.name,
            "random_weights": self.is_random,
            "parameters": self.config.n_params,
            **self.config.to_dict(),
        }


@contextmanager
def subject(model: str, tell: Tell) -> Iterator[Subject]:
    """Find the model; a random checkpoint is deleted after the measurement.

    Raises:
        CheckpointError: if there is no such model, or no disk space for a random one.
    """
    known = KNOWN.get(model) or next((known for known in KNOWN.values() if known.repo == model), None)
    folder = locate(model).folder
    if folder is None and known is not None:
        with tempfile.TemporaryDirectory(prefix="gpt2-random-") as temporary, unfinished(temporary):
            tell(f"{model}'s weights are not stored here; writing random ones of its shape.")
            written = write_random_checkpoint(Path(temporary), known.config)
            yield Subject(model, written, known.config, is_random=True)
    else:
        folder = folder or model_folder(model)
        yield Subject(model, folder, GPT2Config.from_file(folder / "config.json"), is_random=False)


def compile_first(config: GPT2Config, tell: Tell) -> float | None:
    """Compile missing graphs; returns the seconds that it took, or None if none were missing.

    Raises:
        EngineError: if a graph cannot be compiled.
    """
    try:
        from gpt2.engine import compiled, compiling
    except ImportError:
        return None  # `gpt2.bind`, called next, reports what is missing
    if not compiled.missing(config):
        return None
    since = time.monotonic()
    compiling.compile_apart(config, tell)
    return round(time.monotonic() - since, 1)
