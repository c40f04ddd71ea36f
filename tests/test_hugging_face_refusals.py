"""Claims about tokenizers that cannot be obeyed exactly: the refusal names the setting, and what to type instead."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken

from gpt2.errors import CheckpointError, PromptError
from gpt2.text.tokenizer import Tokenizer
from tests.checkpoints import CONFIG
from tests.tokenizer_folders import Make, new_file, old_files


def refused(tmp_path: Path, make: Make, said: str) -> None:
    """The folder is refused in one sentence that says so."""
    make(tmp_path)
    with pytest.raises(CheckpointError, match=said) as refusal:
        Tokenizer.from_folder(tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokenizer_class", "LlamaTokenizer"),
        ("add_prefix_space", "yes"),
        ("split_special_tokens", 1),
        ("fix_mistral_regex", True),
        ("vocab_file", "/etc/passwd"),
        ("init_inputs", ["x"]),
        ("fast_tokenizer_files", ["tokenizer.4.0.0.json"]),
        ("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", True),
    ],
)
def test_a_setting_that_cannot_be_obeyed_is_refused_by_name(tmp_path: Path, name: str, value: Any) -> None:
    refused(tmp_path, lambda at: new_file(at, **{name: value}), name)


def test_a_class_told_by_the_models_config_counts_too(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "tokenizer_class": "BertTokenizer"}))
    refused(tmp_path, new_file, "tokenizer_class = 'BertTokenizer'")


def test_the_general_class_needs_the_new_file(tmp_path: Path) -> None:
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"}
    refused(tmp_path, lambda at: old_files(at, tokenizer_config=settings), r"needs tokenizer\.json")


def test_a_vocabulary_that_lies_on_another_machine_is_named(tmp_path: Path) -> None:
    refused(tmp_path, lambda at: new_file(at, tokenizer_file="/somewhere/else.json"), "tokenizer_file names another")


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [("decoder", None, "decoder is None"), ("decoder", {"type": "Fuse"}, "Fuse"), ("dropout", 0.1, r"dropout = 0\.1")],
)
def test_a_general_tokenizer_that_writes_or_draws_otherwise_is_named(
    tmp_path: Path, part: str, value: Any, said: str
) -> None:
    new_file(tmp_path, tokenizer_class="PreTrainedTokenizerFast")
    whole = json.loads((tmp_path / "tokenizer.json").read_text())
    (whole if part == "decoder" else whole["model"])[part] = value
    refused(tmp_path, lambda at: (at / "tokenizer.json").write_text(json.dumps(whole)), said)


@pytest.mark.parametrize(
    "name",
    [
        "tokenizer.json",
        "vocab.json",
        "merges.txt",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
    ],
)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param('{"é": "é é"}'.encode("latin-1"), "cannot be read", id="Latin-1"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "pointer of Git LFS", id="LFS"
        ),
        pytest.param(b"", "cannot be read", id="empty"),
        pytest.param(b"[" * 100_000, "cannot be read", id="nested"),
    ],
)
def test_a_file_without_its_content_is_one_sentence(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    old_files(tmp_path)
    (tmp_path / name).write_bytes(content)
    refused(tmp_path, lambda at: None, said)


@pytest.mark.slow
@pytest.mark.parametrize("layout", [old_files, new_file])
def test_a_blank_that_the_tokenizer_insists_on_is_named_and_typed(tmp_path: Path, layout: Callable[..., None]) -> None:
    from transformers import AutoTokenizer  # here, as that takes seconds

    told = {"add_prefix_space": True}
    layout(tmp_path, **({"tokenizer_config": told} if layout is old_files else told))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    ours, reference = Tokenizer.from_folder(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    with pytest.raises(PromptError, match=r"blank before 'the fox' at position 0 \(add_prefix_space\); type the blank"):
        ours.encode("the fox")
    with pytest.raises(PromptError, match="blank before 'b' at position 15"):
        ours.encode(" a<|endoftext|>b")
    assert ours.encode(" the fox") == reference("the fox").input_ids == reference(" the fox").input_ids


@pytest.mark.slow
def test_an_end_of_text_put_around_prompts_is_named_and_typed(tmp_path: Path) -> None:
    from transformers import AutoTokenizer  # here, as that takes seconds

    old_files(tmp_path, tokenizer_config={"add_bos_token": True, "add_eos_token": True, "eos_token": "<pad>"})
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    ours, reference = Tokenizer.from_folder(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    with pytest.raises(PromptError, match=r"'<\|endoftext\|>' at the start of every prompt \(add_bos_token.*type it"):
        ours.encode("the fox")
    with pytest.raises(PromptError, match=r"'<pad>' at the end of every prompt \(add_eos_token"):
        ours.encode("<|endoftext|>the fox")
    assert ours.encode("<|endoftext|>the fox<pad>") == reference("the fox").input_ids


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flag", "prompt", "typed"), [("lstrip", "a  <mask> b", "a<mask> b"), ("rstrip", "a <mask> b", "a <mask>b")]
)
def test_a_token_that_takes_blanks_away_is_named(tmp_path: Path, flag: str, prompt: str, typed: str) -> None:
    from transformers import AutoTokenizer  # here, as that takes seconds

    new_file(tmp_path, AddedToken("<mask>", **{flag: True}))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    ours, reference = Tokenizer.from_folder(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    with pytest.raises(PromptError, match=rf"'<mask>' takes away the blanks beside it \({flag}.*delete those"):
        ours.encode(prompt)
    assert ours.encode(typed) == reference(prompt).input_ids


def test_an_added_letter_that_is_a_byte_of_others_stays_that_byte(tmp_path: Path) -> None:
    """GPT-2 shows the byte E9 as é: the token of a typed é would then end many a Chinese character."""
    new_file(tmp_path, "é")
    tokenizer = Tokenizer.from_folder(tmp_path)
    assert tokenizer.vocabulary.text(tokenizer.encode("\u9451")) == "\u9451"
    with pytest.raises(PromptError, match="exactly"):
        tokenizer.encode("é")


@pytest.mark.parametrize("settings", [{}, {"tokenizer_class": "PreTrainedTokenizerFast"}])
def test_a_token_too_long_to_be_one_is_refused(tmp_path: Path, settings: dict[str, str]) -> None:
    refused(tmp_path, lambda at: new_file(at, "x" * 5000, **settings), "more than 4,096 bytes")


def test_a_piece_too_long_to_be_a_token_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, lambda at: old_files(at, "x" * 5000), "more than 4,096 bytes")
