"""Claims about the ids that end a text: they are those at which the `generate` of transformers would stop."""

import json
from pathlib import Path
from typing import Any

import pytest

from gpt2.checkpoints.weights import Checkpoint, load_checkpoint
from gpt2.errors import CheckpointError
from tests.checkpoints import edit_config, write_checkpoint


def written(folder: Path, config: dict[str, Any], generation: dict[str, Any] | None) -> Path:
    """A checkpoint with these entries of its config.json, and a generation_config.json unless it is None."""
    edit_config(write_checkpoint(folder), **config)
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("generation", [None, {}, *({"eos_token_id": ids} for ids in (None, 3, [3, 4]))])
@pytest.mark.parametrize("config", [{}, {"eos_token_id": None}, {"eos_token_id": 7}, {"eos_token_id": [7, 8]}])
def test_the_ids_that_end_a_text_are_those_of_transformers(
    tmp_path: Path, config: dict[str, Any], generation: dict[str, Any] | None
) -> None:
    from transformers import GPT2LMHeadModel  # here, as that takes seconds

    folder = written(tmp_path, config, generation)
    told = GPT2LMHeadModel.from_pretrained(folder).generation_config.eos_token_id
    expected = told if isinstance(told, list) else [] if told is None else [told]
    assert load_checkpoint(folder).end_of_text == frozenset(expected)


def test_an_id_outside_the_vocabulary_ends_nothing(tmp_path: Path) -> None:
    folder = written(tmp_path, {"eos_token_id": 50256}, None)
    assert load_checkpoint(folder).end_of_text == frozenset()
    edit_config(folder, eos_token_id=[-1, 299, 300])
    assert load_checkpoint(folder).end_of_text == {299}


def test_the_bundled_model_ends_a_text_with_its_last_token(checkpoint: Checkpoint) -> None:
    assert checkpoint.end_of_text == set(checkpoint.tokenizer.encode("<|endoftext|>"))


@pytest.mark.parametrize("value", ["3", True, 3.0, {}, [[3]], [3, None]])
@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
def test_an_id_of_a_kind_that_no_token_has_is_refused_by_name(tmp_path: Path, file: str, value: Any) -> None:
    told = {"eos_token_id": value}
    folder = written(tmp_path, told, None) if file == "config.json" else written(tmp_path, {}, told)
    with pytest.raises(CheckpointError, match=rf"{file}: eos_token_id must be") as refusal:
        load_checkpoint(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"a": "\xe9"}'])
def test_a_damaged_generation_config_is_one_sentence(tmp_path: Path, text: bytes) -> None:
    folder = write_checkpoint(tmp_path)
    (folder / "generation_config.json").write_bytes(text)
    with pytest.raises(CheckpointError, match=r"generation_config\.json.*cannot be read"):
        load_checkpoint(folder)
