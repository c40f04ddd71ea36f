"""Write what TransformerLens 4 gives into tests/runs: `python -m tests.hold_transformer_lens`, where it is installed.

The tests compare every hook with these numbers, so that they need no TransformerLens themselves.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gpt2.bench.hook_parity import TransformerLens, some_interventions
from gpt2.model.config import GPT2Config
from gpt2.model.interventions import Interventions
from tests.checkpoints import write_checkpoint
from tests.models import BUNDLED
from tests.shapes import ODD

FILE = Path(__file__).parent / "runs" / "transformer_lens.npz"
MODELS, CHANGED, TOKENS = ("bundled", *ODD), (False, True), 5


@contextmanager
def folder_of(model: str) -> Iterator[Path]:
    """The bundled checkpoint, or one of an odd shape."""
    if model == "bundled":
        yield BUNDLED
        return
    with tempfile.TemporaryDirectory() as folder:
        yield write_checkpoint(Path(folder), **ODD[model])


def prompt_of(config: GPT2Config) -> list[int]:
    """Token ids, the same every time."""
    return np.random.default_rng(config.vocab_size).integers(config.vocab_size, size=TOKENS).tolist()


def changes_of(config: GPT2Config, changed: bool) -> Interventions:
    """No interventions, or one at each place."""
    return some_interventions(config, TOKENS) if changed else Interventions()


def main() -> None:
    """Run every model with and without interventions, and write all hooks in float32."""
    held: dict[str, np.ndarray] = {}
    for model in MODELS:
        with folder_of(model) as folder:
            config, reference = GPT2Config.from_file(folder / "config.json"), TransformerLens(folder)
            for changed in CHANGED:
                found = reference.run(prompt_of(config), changes_of(config, changed), config)
                held |= {f"{model}/{changed}/{name}": array.astype(np.float32) for name, array in found.items()}
    np.savez_compressed(FILE, version=np.array(reference.version), **held)
    print(f"{len(held)} arrays of TransformerLens {reference.version} in {FILE}.")


if __name__ == "__main__":
    main()
