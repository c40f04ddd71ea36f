"""The token ids that end a text, as the `generate` of Hugging Face transformers takes them from a checkpoint."""

from pathlib import Path
from typing import Any

from gpt2.errors import CheckpointError
from gpt2.model.config import json_object


def end_of_text(folder: Path, vocab_size: int) -> frozenset[int]:
    """Return the ids after which a text is complete; none if the checkpoint names none.

    `generation_config.json` alone decides if there is one, even by its silence; only without it does `config.json`.
    An id that the model has no embedding for can never be drawn, and is left out.

    Raises:
        CheckpointError: if the file cannot be read, or its `eos_token_id` is neither an id, a list of ids nor null.
    """
    path = folder / "generation_config.json"
    if not path.exists():
        path = folder / "config.json"
    told = json_object(path).get("eos_token_id")
    ids = told if isinstance(told, list) else [] if told is None else [told]
    if not all(_is_id(token) for token in ids):
        raise CheckpointError(f"{path}: eos_token_id must be a token id, a list of them or null, not {told!r}.")
    return frozenset(token for token in ids if 0 <= token < vocab_size)


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
