"""A checkpoint in the Hugging Face layout: config, tokenizer, and weights as float32 arrays.

Only safetensors files are read; a pickle is refused by its name and never opened.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize, safe_open

from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config
from gpt2.text.tokenizer import Tokenizer

from .end_of_text import end_of_text

Array = NDArray[np.float32]

# GPT-2's checkpoints keep these matrices as [in, out] (Conv1D); ours are [out, in], so loading transposes them.
CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
# Causal masks that old checkpoints carry as buffers; they are not weights.
MASK_BUFFERS = (".attn.bias", ".attn.masked_bias")


@dataclass(frozen=True)
class Checkpoint:
    """A model loaded from disk: all its data, without the engine that runs it.

    Attributes: `weights` by name without the `transformer.` prefix, float32, matrices [out, in]; `lm_head.weight` is
    the same array as `wte.weight` if the head is tied; `end_of_text` has the token ids that end a text.
    """

    name: str
    config: GPT2Config
    tokenizer: Tokenizer
    weights: dict[str, Array]
    end_of_text: frozenset[int] = frozenset()


def expected_shapes(config: GPT2Config) -> dict[str, tuple[int, ...]]:
    """Every parameter's name and shape; matrices are [out, in]."""
    d, inner = config.n_embd, config.n_inner
    block = {
        "ln_1.weight": (d,),
        "ln_1.bias": (d,),
        "attn.c_attn.weight": (3 * d, d),
        "attn.c_attn.bias": (3 * d,),
        "attn.c_proj.weight": (d, d),
        "attn.c_proj.bias": (d,),
        "ln_2.weight": (d,),
        "ln_2.bias": (d,),
        "mlp.c_fc.weight": (inner, d),
        "mlp.c_fc.bias": (inner,),
        "mlp.c_proj.weight": (d, inner),
        "mlp.c_proj.bias": (d,),
    }
    return {
        "wte.weight": (config.vocab_size, d),
        "wpe.weight": (config.n_positions, d),
        **{f"h.{layer}.{name}": shape for layer in range(config.n_layer) for name, shape in block.items()},
        "ln_f.weight": (d,),
        "ln_f.bias": (d,),
        "lm_head.weight": (config.vocab_size, d),
    }


def load_checkpoint(folder: Path, name: str | None = None) -> Checkpoint:
    """Read a checkpoint folder.

    Raises:
        CheckpointError: if the folder is not a GPT-2 checkpoint that this program can run; the message says why.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder.")
    config = GPT2Config.from_file(folder / "config.json")
    tokenizer = Tokenizer.from_folder(folder, config.vocab_size)
    ends = end_of_text(folder, config.vocab_size)
    return Checkpoint(name or folder.name, config, tokenizer, load_weights(folder, config), ends)


def load_weights(folder: Path, config: GPT2Config) -> dict[str, Array]:
    """Load all parameters from a folder's safetensors files, and check them against the config.

    Raises:
        CheckpointError: if a file is missing, damaged or a pickle, or a tensor is missing, has the wrong shape
            or is not finite.
    """
    found: dict[str, Array] = {}
    for path in weight_files(folder):
        for key, array in read_safetensors(path):
            name = key.removeprefix("transformer.")
            # Transposed one by one: keeping the originals until all are read would double the memory.
            is_transposed = name.endswith(CONV1D) and array.ndim == 2
            found[name] = np.ascontiguousarray(array.T) if is_transposed else array
    if config.tie_word_embeddings and "wte.weight" in found:
        found.setdefault("lm_head.weight", found["wte.weight"])
    weights = {}
    for name, shape in expected_shapes(config).items():
        if name not in found:
            raise CheckpointError(f"The weights in {folder} lack {name}.")
        array = found[name]
        if array.shape != shape:
            raise CheckpointError(f"{name} in {folder} has shape {array.shape}; config.json asks for {shape}.")
        if not np.isfinite(array).all():
            raise CheckpointError(f"{name} in {folder} has values that are not finite; download the checkpoint again.")
        weights[name] = array
    if np.array_equal(weights["lm_head.weight"], weights["wte.weight"]):
        weights["lm_head.weight"] = weights["wte.weight"]
    return weights


def weight_files(folder: Path) -> list[Path]:
    """Return a folder's safetensors files: one, or the shards that its index names.

    Raises:
        CheckpointError: if the folder has none, or a shard is missing or named outside the folder.
    """
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.exists():
        return [whole]
    if not index.exists():
        if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.ckpt")):
            raise CheckpointError(
                f"{folder} has its weights only as a pickle, which could run code and is never opened; "
                "convert it to model.safetensors."
            )
        raise CheckpointError(f"{folder} has no model.safetensors.")
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        paths = [folder / str(name) for name in names]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{index} cannot be read as an index of shards.") from None
    if not paths:
        raise CheckpointError(f"{index} names no shards; download it again.")
    for path in paths:
        if path.parent != folder or path.suffix != ".safetensors":
            raise CheckpointError(f"{index} names {path.name}, which is not a safetensors file in the same folder.")
        if not path.exists():
            raise CheckpointError(f"{path} is missing; the checkpoint has {len(paths)} shards.")
    return paths


def read_safetensors(path: Path) -> Iterator[tuple[str, Array]]:
    """Yield the floating-point tensors of one file as float32 (float16 and bfloat16 are widened).

    Raises:
        CheckpointError: if the file is truncated or damaged, or a weight is not a float of 16 or 32 bits.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if not name.endswith(MASK_BUFFERS)]  # noqa: SIM118
            types = {name: file.get_slice(name).get_dtype() for name in names}
            if other := [name for name in names if types[name] not in ("F16", "F32", "BF16")]:
                raise CheckpointError(
                    f"{other[0]} in {path} has type {types[other[0]]}; "
                    "only float32, float16 and bfloat16 are supported."
                )
            for name in names:
                if types[name] != "BF16":
                    yield name, file.get_tensor(name).astype(np.float32, copy=False)
        if "BF16" in types.values():  # NumPy has no bfloat16: its bits are the upper half of a float32's
            for name, raw in deserialize(path.read_bytes()):
                if types.get(name) == "BF16":
                    bits = np.frombuffer(raw["data"], np.uint16).astype(np.uint32) << 16
                    yield name, bits.view(np.float32).reshape(raw["shape"])
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path.resolve()} is not a whole safetensors file ({error}); delete it, then download it again."
        ) from None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
