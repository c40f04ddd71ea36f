"""A checkpoint in the Hugging Face layout: config, tokenizer, and weights as float32 arrays.

Only safetensors files are read; a pickle is refused by its name and never opened.
"""

import hashlib
import json
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize, safe_open

from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config, check_content
from gpt2.text.tokenizer import Tokenizer

from .end_of_text import end_of_text

Array = NDArray[np.float32]

# GPT-2's checkpoints keep these matrices as [in, out] (Conv1D); ours are [out, in], so loading transposes them.
CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
FLOATS = ("F16", "BF16", "F32", "F64")
# What programs that train a model put before its names: the model's own class, data parallelism, adapters, Lightning.
PREFIXES = ("transformer", "module", "base_model", "model")
# What they put anywhere inside: torch.compile, fully sharded data parallelism, activation checkpoints.
WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


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


def load_checkpoint(folder: str | PathLike[str], name: str | None = None) -> Checkpoint:
    """Read a checkpoint folder.

    Raises:
        CheckpointError: if the folder is not a GPT-2 checkpoint that this program can run; the message says why.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder.")
    if (folder / "adapter_config.json").exists():
        raise CheckpointError(
            f"{folder} is a LoRA adapter (adapter_config.json), not a whole model; merge it into its base model with "
            "peft's merge_and_unload, and give the folder where that is saved."
        )
    config = GPT2Config.from_file(folder / "config.json")
    tokenizer = Tokenizer.from_folder(folder, config.vocab_size)
    ends = end_of_text(folder, config.vocab_size)
    return Checkpoint(name or folder.name, config, tokenizer, load_weights(folder, config), ends)


def load_weights(folder: Path, config: GPT2Config) -> dict[str, Array]:
    """Load all parameters from a folder's safetensors files, and check them against the config.

    Other tensors, such as the masks of old checkpoints or another head, are not read.

    Raises:
        CheckpointError: if a file is missing, damaged or a pickle, or a tensor is missing, has the wrong shape
            or is not finite.
    """
    found: dict[str, Array] = {}
    shapes = expected_shapes(config)
    files = weight_files(folder)
    for path in files:
        keys = {key: parameter_name(key) for key in tensor_types(path)}
        if lora := [key for key in keys if ".lora_" in key or ".base_layer." in key]:
            raise CheckpointError(f"{path} has a LoRA adapter in it ({lora[0]}); merge it with merge_and_unload first.")
        for key, array in read_safetensors(path, {key for key, name in keys.items() if name in shapes}):
            name = keys[key]
            is_conv1d = name.endswith(CONV1D)
            check_tensor(f"{key} in {path}", array, shapes[name][::-1] if is_conv1d else shapes[name])
            # Transposed one by one: keeping the originals until all are read would double the memory.
            array = np.ascontiguousarray(array.T) if is_conv1d else array
            if name in found and not np.array_equal(found[name], array):
                raise CheckpointError(f"The weights in {folder} have {name} twice and differently, once as {key}.")
            found[name] = array
    if config.tie_word_embeddings:  # a checkpoint may keep the one table under either name
        for kept, other in (("wte.weight", "lm_head.weight"), ("lm_head.weight", "wte.weight")):
            if kept in found:
                found.setdefault(other, found[kept])
    if missing := [name for name in shapes if name not in found]:
        like = [key for path in files for key in tensor_types(path) if key.endswith(f".{missing[0]}")]
        hint = f"; rename {like[0]}, if that is it" if like else ""
        raise CheckpointError(f"The weights in {folder} lack {missing[0]}{hint}.")
    if np.array_equal(found["lm_head.weight"], found["wte.weight"]):
        found["lm_head.weight"] = found["wte.weight"]
    return {name: found[name] for name in shapes}


def parameter_name(key: str) -> str:
    """A tensor's name without what a program that trained it put before or between its parts."""
    parts = [part for part in key.split(".") if part not in WRAPPERS]
    return ".".join(dropwhile(PREFIXES.__contains__, parts))


def check_tensor(name: str, array: Array, shape: tuple[int, ...]) -> None:
    """Refuse a tensor of another shape than the file should have, or with a value that is no number.

    Raises:
        CheckpointError: if it is one.
    """
    if array.shape != shape:
        is_turned = array.shape == shape[::-1]
        hint = " (GPT-2's files keep this matrix as [in, out], and it is transposed)" if is_turned else ""
        raise CheckpointError(f"{name} has shape {array.shape}; config.json asks for {shape}{hint}.")
    if not np.isfinite(array).all():
        raise CheckpointError(f"{name} has values that are not finite; download the checkpoint again.")


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
        check_content(index)
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        paths = [folder / str(name) for name in names]
    except CheckpointError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(f"{index} cannot be read as an index of shards.") from None
    if not paths:
        raise CheckpointError(f"{index} names no shards; download it again.")
    for path in paths:
        if path.parent != folder or path.suffix != ".safetensors":
            raise CheckpointError(f"{index} names {path.name}, which is not a safetensors file in the same folder.")
        if not path.exists():
            raise CheckpointError(f"{path} is missing; the checkpoint has {len(paths)} shards.")
    return paths


def tensor_types(path: Path) -> dict[str, str]:
    """The type of every tensor of one file, such as F32; the tensors themselves are not read.

    Raises:
        CheckpointError: if the file is empty, truncated or damaged.
    """
    with opened(path) as file:
        return {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118


def read_safetensors(path: Path, wanted: Container[str] | None = None) -> Iterator[tuple[str, Array]]:
    """Yield one file's tensors, or the wanted ones, as float32: shorter floats are widened, float64 is narrowed.

    Raises:
        CheckpointError: if the file is truncated or damaged, or a weight is not a float, or too large for float32.
    """
    types = {name: kind for name, kind in tensor_types(path).items() if wanted is None or name in wanted}
    if other := [name for name in types if types[name] not in FLOATS]:
        raise CheckpointError(
            f"{other[0]} in {path} has type {types[other[0]]}; "
            "only float16, bfloat16, float32 and float64 are supported."
        )
    with opened(path) as file:
        for name in types:
            if types[name] != "BF16":
                yield name, narrowed(file.get_tensor(name), f"{name} in {path}")
        if "BF16" in types.values():  # NumPy has no bfloat16: its bits are the upper half of a float32's
            for name, raw in deserialize(path.read_bytes()):
                if types.get(name) == "BF16":
                    bits = np.frombuffer(raw["data"], np.uint16).astype(np.uint32) << 16
                    yield name, bits.view(np.float32).reshape(raw["shape"])


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A safetensors file; what goes wrong while it is open becomes one sentence.

    Raises:
        CheckpointError: if the file is empty, truncated or damaged.
    """
    try:
        check_content(path)
        with safe_open(path, framework="numpy") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path.resolve()} is not a whole safetensors file ({error}); delete it, then download it again."
        ) from None


def narrowed(array: NDArray[np.floating], name: str) -> Array:
    """The array as float32.

    Raises:
        CheckpointError: if a number is too large for it.
    """
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32, copy=False)
    if array.dtype == np.float64 and (np.isfinite(array) & ~np.isfinite(narrow)).any():
        raise CheckpointError(f"{name} has float64 values that are too large for float32, in which this program runs.")
    return narrow


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
