"""Claims about text and tokens: nothing is lost, nothing is added, nothing is invisible."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as BPE
from tokenizers import normalizers, pre_tokenizers

from gpt2.checkpoints.weights import Checkpoint
from gpt2.errors import CheckpointError, PromptError, TraceError
from gpt2.model.config import GPT2Config
from gpt2.text.prompt import encode_prompt
from gpt2.text.tokenizer import Tokenizer
from gpt2.text.vocabulary import Vocabulary
from tests.checkpoints import byte_tokenizer

TEXT = st.text(st.characters(codec="utf-8"))
HARD = [
    " ",
    "   \n\n\t ",
    "\r\n",
    "<script>alert(1)</script>",
    "👩‍👩‍👧‍👦 🇩🇪 é e\u0301",
    "\u202eשלום\u202c مرحبا",
    "\x00\x07\x1b[31m\x7f\x85\u200b\ufeff",
    "don't  stop\u00a0",
    "漢字かな交じり文",
    "<|endoftext|>",
]


@given(TEXT)
def test_any_text_comes_back_exactly(checkpoint: Checkpoint, text: str) -> None:
    tokenizer = checkpoint.tokenizer
    assert tokenizer.vocabulary.text(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", HARD)
def test_hard_text_comes_back_exactly(checkpoint: Checkpoint, text: str) -> None:
    ids = encode_prompt(text, checkpoint.tokenizer, checkpoint.config)
    assert checkpoint.tokenizer.vocabulary.text(ids) == text


@given(TEXT, TEXT)
def test_every_id_fits_the_model(checkpoint: Checkpoint, left: str, right: str) -> None:
    ids = checkpoint.tokenizer.encode(left + right)
    assert all(0 <= token < checkpoint.config.vocab_size for token in ids)


@pytest.mark.parametrize("half", ["\ud800", "\udfff", "a\udc80b"])
def test_half_a_character_is_refused_with_its_place(checkpoint: Checkpoint, half: str) -> None:
    with pytest.raises(PromptError, match=r"lone surrogate.*position \d"):
        checkpoint.tokenizer.encode(half)


def test_what_the_tokenizer_cannot_write_is_refused_and_not_dropped(tmp_path: Path) -> None:
    byte_tokenizer(101).save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.from_folder(tmp_path)
    assert tokenizer.vocabulary.text(tokenizer.encode("plain ASCII, all of it")) == "plain ASCII, all of it"
    with pytest.raises(PromptError, match=r"exactly, from 'ïve' at position 2"):
        tokenizer.encode("naïve")


@pytest.mark.parametrize("change", ["normalizer", "prefix space"])
def test_a_tokenizer_that_would_alter_the_text_is_refused(tmp_path: Path, change: str) -> None:
    bpe = byte_tokenizer(300)
    if change == "normalizer":
        bpe.normalizer = normalizers.Lowercase()
    else:
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(PromptError, match="exactly" if change == "normalizer" else "add_prefix_space"):
        Tokenizer.from_folder(tmp_path).encode("The Fox")


def test_vocab_and_merges_equal_tokenizer_json(tmp_path: Path) -> None:
    """GPT-2's own two files, as OpenAI published its tokenizer, give the same tokens as the one new file."""
    bpe = byte_tokenizer(400)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    bpe.save(str(whole / "tokenizer.json"))
    bpe.model.save(str(parts))
    model = json.loads(bpe.to_str())["model"]
    # The trained file keeps the special token among the added ones; GPT-2's vocab.json lists it with the others.
    vocab = {**model["vocab"], "<|endoftext|>": bpe.token_to_id("<|endoftext|>")}
    (parts / "vocab.json").write_text(json.dumps(vocab))
    one, two = Tokenizer.from_folder(whole), Tokenizer.from_folder(parts)
    assert one.vocabulary == two.vocabulary
    assert one.encode("<|endoftext|>") == two.encode("<|endoftext|>") == [bpe.token_to_id("<|endoftext|>")]

    @given(TEXT)
    @settings(max_examples=60)
    def same(text: str) -> None:
        assert one.encode(text) == two.encode(text)

    same()
    for text in [*HARD, "the quick brown fox jumps over the lazy dog<|endoftext|>once upon a time"]:
        assert one.encode(text) == two.encode(text)
        assert two.vocabulary.text(two.encode(text)) == text


@pytest.mark.parametrize("content", ["", "{}", "not JSON", '{"model": {"type": "BPE"}}', "[]"])
def test_a_damaged_tokenizer_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        Tokenizer.from_folder(tmp_path)


def test_a_tokenizer_on_which_the_library_panics_is_one_sentence(tmp_path: Path) -> None:
    whole = json.loads(byte_tokenizer(300).to_str())
    whole["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": ""}
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(CheckpointError, match="cannot be read"):
        Tokenizer.from_folder(tmp_path)


def test_how_a_tokenizer_was_padded_and_cut_in_training_changes_no_prompt(tmp_path: Path) -> None:
    bpe = byte_tokenizer(300)
    plain = bpe.encode("the quick brown fox").ids
    bpe.enable_padding(length=64)
    bpe.enable_truncation(3)
    bpe.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer.from_folder(tmp_path).encode("the quick brown fox") == plain


@pytest.mark.parametrize("model", [{"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}])
def test_a_tokenizer_of_another_kind_is_one_sentence(tmp_path: Path, model: dict) -> None:
    whole = json.loads(byte_tokenizer(300).to_str())
    whole["model"] = model
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    with pytest.raises(CheckpointError, match="not GPT-2's byte-level one"):
        Tokenizer.from_folder(tmp_path)


def test_a_tokenizer_that_is_not_byte_level_bpe_is_one_sentence(tmp_path: Path) -> None:
    words = BPE.from_str(
        json.dumps({"version": "1.0", "model": {"type": "WordLevel", "vocab": {"漢": 0, "?": 1}, "unk_token": "?"}})
    )
    words.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match="byte-level"):
        Tokenizer.from_folder(tmp_path)


def test_no_tokenizer_is_said(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"neither tokenizer\.json nor vocab\.json"):
        Tokenizer.from_folder(tmp_path)


def vocabulary_of(*tokens: bytes) -> Vocabulary:
    return Vocabulary(tokens)


@pytest.mark.parametrize(
    ("token", "label"),
    [
        (b" the", "·the"),
        (b"  ", "··"),
        (b"\n", "↵"),
        (b"\n\n", "↵↵"),
        (b"\t", "⇥"),
        (b"\r", "⟨d⟩"),
        (b"\x00", "⟨0⟩"),
        (b"\x1b[0m", "⟨1b⟩[0m"),
        ("\u200b".encode(), "⟨200b⟩"),
        ("\u202e".encode(), "⟨202e⟩"),
        ("\u00a0".encode(), "⟨a0⟩"),
        ("\ufeff".encode(), "⟨feff⟩"),
        (b"\xe2\x80", "⟨e2⟩⟨80⟩"),
        (b" \xf0\x9f", "·⟨f0⟩⟨9f⟩"),
        ("é".encode(), "é"),
        ("😀".encode(), "😀"),
        (b"<b>", "<b>"),
        (b"", "[0]"),
    ],
)
def test_labels_show_what_is_there(token: bytes, label: str) -> None:
    assert vocabulary_of(token).label(0) == label


@given(st.binary(min_size=1, max_size=8))
def test_no_label_has_anything_invisible(token: bytes) -> None:
    label = vocabulary_of(token).label(0)
    assert label
    assert "\ufffd" not in label or "\ufffd".encode() in token
    assert all(unicodedata.category(char)[0] not in "CZ" for char in label)


def test_every_label_of_the_bundled_vocabulary_is_visible(checkpoint: Checkpoint) -> None:
    for token in range(checkpoint.config.vocab_size):
        label = checkpoint.tokenizer.vocabulary.label(token)
        assert label
        assert label.isprintable()
        assert " " not in label


def test_an_id_without_bytes_is_shown_by_its_number() -> None:
    vocabulary = vocabulary_of(b"a", b"b")
    assert [vocabulary.label(7), vocabulary.text([7]), vocabulary[-1]] == ["[7]", "", b""]


def test_half_characters_join_to_a_whole_one_in_text() -> None:
    first, second = "é".encode()[:1], "é".encode()[1:]
    vocabulary = vocabulary_of(first, second)
    assert [vocabulary.text([0, 1]), vocabulary.text([0])] == ["é", "\ufffd"]


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_vocabulary_survives_its_file_form(tokens: list[bytes]) -> None:
    vocabulary = Vocabulary(tuple(tokens))
    assert Vocabulary.from_bytes(vocabulary.to_bytes()) == vocabulary


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=5), st.data())
def test_a_cut_off_vocabulary_is_refused(tokens: list[bytes], data: st.DataObject) -> None:
    whole = Vocabulary(tuple(tokens)).to_bytes()
    ends = {len(Vocabulary(tuple(tokens[:n])).to_bytes()) for n in range(len(tokens) + 1)}
    cut = data.draw(st.integers(1, len(whole)).filter(lambda n: n not in ends))
    with pytest.raises(TraceError, match="cut off"):
        Vocabulary.from_bytes(whole[:cut])


def test_an_empty_prompt_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(PromptError, match="empty"):
        encode_prompt("", checkpoint.tokenizer, checkpoint.config)


def test_an_over_long_prompt_says_how_many_tokens_are_over(checkpoint: Checkpoint) -> None:
    space = checkpoint.tokenizer.encode(" a" * 4)
    fits = 4 * checkpoint.config.n_positions // len(space)
    assert len(encode_prompt(" a" * fits, checkpoint.tokenizer, checkpoint.config)) == checkpoint.config.n_positions
    with pytest.raises(PromptError, match=rf"{fits + 3} tokens, 3 more than the {checkpoint.config.n_positions}"):
        encode_prompt(" a" * (fits + 3), checkpoint.tokenizer, checkpoint.config)


def test_a_prompt_fits_a_context_of_one() -> None:
    tokenizer = Tokenizer(byte_tokenizer(300))
    config = GPT2Config(300, 1, 8, 1, 1, 8)
    assert len(encode_prompt("~", tokenizer, config)) == 1
    with pytest.raises(PromptError, match="1 more than the 1 "):
        encode_prompt("~~", tokenizer, config)
