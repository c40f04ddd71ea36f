"""A random checkpoint has GPT-2's layout and the spread its weights had before training."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.checkpoints.random_checkpoint import PIECE, random_tokenizer, write_random_checkpoint
from gpt2.checkpoints.weights import CONV1D, load_checkpoint, read_safetensors
from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config
from gpt2.text.tokenizer import Tokenizer

SHAPE = GPT2Config(vocab_size=700, n_positions=64, n_embd=64, n_layer=3, n_head=4, n_inner=192)
TOKENIZERS = {size: Tokenizer(random_tokenizer(size)) for size in (257, 300, 50257)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_random_checkpoint(tmp_path_factory.mktemp("random"), SHAPE)


def test_it_loads_with_its_shape_and_is_as_large_as_its_parameters(folder):
    loaded = load_checkpoint(folder)
    assert loaded.config == SHAPE
    assert sum(array.size for name, array in loaded.weights.items() if name != "lm_head.weight") == SHAPE.n_params
    assert loaded.weights["lm_head.weight"] is loaded.weights["wte.weight"]


@pytest.mark.slow
def test_transformers_reads_the_same_numbers(folder):
    from transformers import GPT2LMHeadModel

    model, loading = GPT2LMHeadModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    assert not loading["mismatched_keys"]
    theirs = {name.removeprefix("transformer."): tensor for name, tensor in model.state_dict().items()}
    for name, ours in load_checkpoint(folder).weights.items():
        reference = theirs[name].numpy()
        np.testing.assert_array_equal(ours, reference.T if name.endswith(CONV1D) else reference)


def test_weights_are_spread_as_before_training(folder):
    for name, array in load_checkpoint(folder).weights.items():
        if name.endswith(".bias"):
            assert not array.any(), name
        elif "ln_" in name:
            assert (array == 1).all(), name
        else:
            expected = 0.02 / math.sqrt(2 * SHAPE.n_layer) if "c_proj" in name else 0.02
            assert array.std() == pytest.approx(expected, rel=0.1), name
            assert abs(array.mean()) < 5 * expected / math.sqrt(array.size), name


@pytest.mark.slow
def test_a_tensor_larger_than_a_piece_does_not_repeat_itself(tmp_path):
    shape = GPT2Config(vocab_size=300, n_positions=4, n_embd=(PIECE // 300) + 70, n_layer=1, n_head=1, n_inner=1)
    tensors = dict(read_safetensors(write_random_checkpoint(tmp_path, shape) / "model.safetensors"))
    table = tensors["transformer.wte.weight"]
    assert table.size > PIECE
    assert not np.array_equal(table.ravel()[: table.size - PIECE], table.ravel()[PIECE:])
    assert table.std() == pytest.approx(0.02, rel=0.01)


def test_an_untied_head_has_numbers_of_its_own(tmp_path):
    untied = GPT2Config(300, 8, 16, 1, 2, 64, tie_word_embeddings=False)
    weights = load_checkpoint(write_random_checkpoint(tmp_path, untied)).weights
    assert not np.array_equal(weights["lm_head.weight"], weights["wte.weight"])


def test_the_same_seed_gives_the_same_file_and_another_another(tmp_path):
    written = []
    for at, seed in enumerate((1, 1, 2)):
        (tmp_path / str(at)).mkdir()
        written.append(
            (write_random_checkpoint(tmp_path / str(at), SHAPE, seed) / "model.safetensors").read_bytes(),
        )
    assert written[0] == written[1] != written[2]


@pytest.mark.slow
@given(text=st.text(max_size=40), vocab_size=st.sampled_from([257, 300, 50257]))
def test_its_tokenizer_writes_any_text_exactly(text, vocab_size):
    tokenizer = TOKENIZERS[vocab_size]
    ids = tokenizer.encode(text)
    assert tokenizer.vocabulary.text(ids) == text
    assert all(token < vocab_size for token in ids)


@pytest.mark.parametrize("vocab_size", [257, 300, 50257])
def test_every_token_of_its_vocabulary_has_bytes_and_the_last_ends_the_text(vocab_size):
    tokenizer = TOKENIZERS[vocab_size]
    assert len(tokenizer.vocabulary.tokens) == vocab_size
    assert all(tokenizer.vocabulary.tokens)
    assert tokenizer.encode("<|endoftext|>") == [vocab_size - 1]


def test_a_vocabulary_without_room_for_all_bytes_is_refused():
    with pytest.raises(CheckpointError, match="vocabulary of more than 256"):
        random_tokenizer(256)


def test_a_disk_too_small_is_refused_before_anything_is_written(tmp_path):
    vast = GPT2Config(50257, 1024, 2**20, 10_000, 16, 2**22)
    with pytest.raises(CheckpointError, match="set TMPDIR"):
        write_random_checkpoint(tmp_path, vast)
    assert not list(tmp_path.iterdir())
