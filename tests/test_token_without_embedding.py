"""Claims about a tokenizer with more tokens than the model has embeddings, as transformers leaves one after adding."""

import json
from pathlib import Path

import pytest

import gpt2
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.errors import PromptError
from gpt2.text.prompt import encode_prompt
from tests.models import PROMPT, copies
from tests.tokenizer_folders import flags


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The bundled model, with the token <pad> added to its tokenizer and not to its embeddings."""
    (name,) = copies(tmp_path, "padded")
    whole = json.loads((Path(name) / "tokenizer.json").read_text())
    whole["added_tokens"].append({"id": 2048, **flags("<pad>", special=True)})
    (Path(name) / "tokenizer.json").write_text(json.dumps(whole))
    return Path(name)


def test_only_a_prompt_with_such_a_token_is_refused(folder: Path) -> None:
    model = load_checkpoint(folder)
    assert encode_prompt(PROMPT, model.tokenizer, model.config)
    with pytest.raises(
        PromptError, match=r"'<pad>', token 2048 of the tokenizer.*embeddings for only 2048 tokens; take"
    ):
        encode_prompt(f"{PROMPT}<pad>", model.tokenizer, model.config)


@pytest.mark.slow
def test_its_trace_is_read_back_as_it_was_saved(folder: Path, tmp_path: Path) -> None:
    trace = gpt2.load(str(folder)).run(PROMPT)
    assert len(trace.vocabulary) == trace.config.vocab_size == 2048
    trace.save(file := tmp_path / "run.npz")
    opened = gpt2.Trace.load(file)
    assert (opened.vocabulary, opened.text) == (trace.vocabulary, PROMPT)
