"""Store what transformers gives for the app's own texts: `python -m tests.ship_reference`, after they or it changed."""

from collections.abc import Sequence

import numpy as np

from gpt2.bench.parity import HuggingFace, Pass
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.reading.stored_reference import FILE, Array, Stored, picked, save
from gpt2.text.prompt import encode_prompt
from pages.visit.examples import EXAMPLES, RECORDED, recorded_run
from tests.models import BUNDLED


def texts() -> list[tuple[int, ...]]:
    """The recorded runs, and the other examples' prompts."""
    checkpoint = load_checkpoint(BUNDLED, "bundled")
    runs = [recorded_run(name).computed_ids for name in RECORDED]
    prompts = [encode_prompt(example.prompt, checkpoint.tokenizer, checkpoint.config) for example in EXAMPLES]
    return [*runs, *(ids for ids in prompts if not any(run[: len(ids)] == ids for run in runs))]


def rows_of(found: Pass, position: int) -> list[Array]:
    """The numbers of a pass at a position, kind by kind."""
    patterns = [pattern[:, position, : position + 1] for pattern in found.patterns]
    return [*(hidden[position] for hidden in found.hidden_states), *patterns, found.logits[position]]


def read(model: HuggingFace, ids: Sequence[int]) -> Stored:
    """One text as transformers reads it."""
    found = model.run(ids)
    values = np.array([picked(rows_of(found, position), position) for position in range(len(ids))])
    kinds = (*found.hidden_states, *found.patterns, found.logits)
    return Stored(tuple(ids), values, np.array([np.abs(kind).max() for kind in kinds]))


if __name__ == "__main__":
    model = HuggingFace(BUNDLED)
    save([read(model, ids) for ids in texts()])
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
