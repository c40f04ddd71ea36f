"""A random checkpoint of any shape in the Hugging Face layout, to measure a size without its weights.

Tensors are written in pieces, so that the largest GPT-2 needs 6.2 GB of disk and only a few megabytes of memory.
"""

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as BPE

from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config
from gpt2.text.hugging_face import END_OF_TEXT
from gpt2.text.tokenizer import byte_of

from .weights import CONV1D, expected_shapes

STANDARD_DEVIATION = 0.02
PIECE = 1_000_000
N_BYTES = 256


def write_random_checkpoint(folder: Path, config: GPT2Config, seed: int = 0) -> Path:
    """Write config.json, tokenizer.json and model.safetensors (float32), and return the folder.

    Matrices and tables are drawn as GPT-2's were before training: normal with standard deviation 0.02, divided by
    sqrt(2 n_layer) if they write to the residual stream (Radford et al., 2019, section 2.3). Biases are 0, gains 1.

    Raises:
        CheckpointError: if the vocabulary is too small for all bytes, or the disk is too small for the weights.
    """
    needed, free = 4 * config.n_params, shutil.disk_usage(folder).free
    if needed > free:
        raise CheckpointError(
            f"Random weights of this shape take {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free; "
            "set TMPDIR to a folder on a larger disk."
        )
    random_tokenizer(config.vocab_size).save(str(folder / "tokenizer.json"))
    fixed = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new"}
    (folder / "config.json").write_text(json.dumps({**fixed, **config.to_dict()}), encoding="utf-8")
    write_weights(folder / "model.safetensors", config, np.random.default_rng(seed))
    return folder


def random_tokenizer(vocab_size: int) -> BPE:
    """A byte-level BPE that fills the vocabulary with 256 bytes, byte pairs in numerical order, and the end of text.

    Raises:
        CheckpointError: if the vocabulary has no room for all bytes and the end of text.
    """
    if vocab_size <= N_BYTES:
        raise CheckpointError(f"A random checkpoint needs a vocabulary of more than {N_BYTES}, not {vocab_size}.")
    pieces = sorted(byte_of(), key=byte_of().__getitem__)
    n_pairs = min(vocab_size - 1 - N_BYTES, N_BYTES**2)
    pairs = [(pieces[pair // N_BYTES], pieces[pair % N_BYTES]) for pair in range(n_pairs)]
    vocabulary = {piece: token for token, piece in enumerate([*pieces, *(one + other for one, other in pairs)])}
    bpe = BPE(models.BPE(vocab=vocabulary, merges=pairs))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.add_special_tokens([AddedToken(END_OF_TEXT, special=True)])
    return bpe


def write_weights(path: Path, config: GPT2Config, rng: np.random.Generator) -> None:
    """Write the safetensors file: a header with the offsets of every tensor, then the tensors.

    Shapes: the matrices of attention and MLP [in, out], as in GPT-2's checkpoints.
    """
    shapes = {name: shape[::-1] if name.endswith(CONV1D) else shape for name, shape in expected_shapes(config).items()}
    if config.tie_word_embeddings:
        del shapes["lm_head.weight"]
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * math.prod(shape)
        full_name = name if name.startswith("lm_head") else f"transformer.{name}"
        header[full_name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            for piece in pieces_of(name, math.prod(shape), config, rng):
                file.write(piece.astype("<f4", copy=False).data)


def pieces_of(name: str, size: int, config: GPT2Config, rng: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Yield a tensor's numbers in order, at most `PIECE` at a time."""
    deviation = STANDARD_DEVIATION / math.sqrt(2 * config.n_layer) if "c_proj" in name else STANDARD_DEVIATION
    for start in range(0, size, PIECE):
        count = min(PIECE, size - start)
        if name.endswith(".bias"):
            yield np.zeros(count, np.float32)
        elif ".ln_" in f".{name}":
            yield np.ones(count, np.float32)
        else:
            yield rng.standard_normal(count, np.float32) * np.float32(deviation)
