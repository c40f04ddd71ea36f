"""Random checkpoints in the Hugging Face layout, in every variant that is met in the wild, for tests to load.

Weights are large enough that attention is far from uniform and layer-norm gains stand near 1, so that a mask that
vanished, a matrix that was not turned or a head that was mixed up changes the result by far more than any tolerance.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

Arrays = dict[str, NDArray[np.float32]]
CONFIG: dict[str, Any] = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "activation_function": "gelu_new",
    "vocab_size": 300,
    "n_positions": 32,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_inner": None,
    "layer_norm_epsilon": 1e-5,
    "tie_word_embeddings": True,
}
PRACTICE = "the quick brown fox jumps over the lazy dog; then the dog, once upon a time, jumps over the fox. " * 3


def random_weights(config: dict[str, Any], tied: bool, seed: int) -> Arrays:
    """All parameters by their Hugging Face names without a prefix, Conv1D matrices as [in, out]."""
    rng = np.random.default_rng(seed)
    d, inner = config["n_embd"], config["n_inner"] or 4 * config["n_embd"]

    def normal(scale: float, *shape: int) -> NDArray[np.float32]:
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    weights = {"wte.weight": normal(0.5, config["vocab_size"], d), "wpe.weight": normal(0.3, config["n_positions"], d)}
    for layer in range(config["n_layer"]):
        for norm in ("ln_1", "ln_2"):
            weights[f"h.{layer}.{norm}.weight"] = 1 + normal(0.1, d)
            weights[f"h.{layer}.{norm}.bias"] = normal(0.1, d)
        for name, n_in, n_out, gain in (
            ("attn.c_attn", d, 3 * d, 1.2),
            ("attn.c_proj", d, d, 1.0),
            ("mlp.c_fc", d, inner, 1.0),
            ("mlp.c_proj", inner, d, 1.0),
        ):
            weights[f"h.{layer}.{name}.weight"] = normal(gain / n_in**0.5, n_in, n_out)
            weights[f"h.{layer}.{name}.bias"] = normal(0.1, n_out)
    weights["ln_f.weight"], weights["ln_f.bias"] = 1 + normal(0.1, d), normal(0.1, d)
    if not tied:
        weights["lm_head.weight"] = normal(0.5, config["vocab_size"], d)
    return weights


def safetensors_bytes(tensors: dict[str, NDArray[Any]], dtype: str = "F32") -> bytes:
    """A safetensors file: floats written as `dtype` (F32, F16, BF16 or F64), masks as U8, int64 as it is."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, array in tensors.items():
        if array.dtype == np.uint8:
            kind, raw = "U8", array.tobytes()
        elif array.dtype == np.int64:
            kind, raw = "I64", array.tobytes()
        elif dtype == "BF16":  # cut, not rounded: the test's own weights are then these
            kind, raw = "BF16", (array.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
        else:
            kind, raw = dtype, array.astype({"F32": "<f4", "F16": "<f2", "F64": "<f8"}[dtype]).tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def with_mask_buffers(weights: Arrays, config: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """The weights and the causal-mask buffers that old checkpoints carry."""
    n = config["n_positions"]
    masks: dict[str, NDArray[Any]] = {}
    for layer in range(config["n_layer"]):
        masks[f"h.{layer}.attn.bias"] = np.tril(np.ones((1, 1, n, n), np.uint8))
        masks[f"h.{layer}.attn.masked_bias"] = np.float32([-1e4])
    return {**weights, **masks}


def byte_tokenizer(vocab_size: int) -> Tokenizer:
    """A byte-level BPE with at most this many tokens; below 257 only printable ASCII has tokens."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if vocab_size < len(alphabet) + 1:
        alphabet = ["Ġ", *map(chr, range(ord("!"), ord("~") + 1))]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    bpe.train_from_iterator([PRACTICE], trainer)
    return bpe


def write_checkpoint(
    folder: Path,
    *,
    dtype: str = "F32",
    prefix: bool = True,
    shards: int = 1,
    mask_buffers: bool = False,
    tied: bool = True,
    seed: int = 0,
    **config: Any,
) -> Path:
    """Write a whole checkpoint; `config` overrides CONFIG. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {**CONFIG, "tie_word_embeddings": tied, **config}
    (folder / "config.json").write_text(json.dumps(told))
    byte_tokenizer(told["vocab_size"]).save(str(folder / "tokenizer.json"))
    tensors: dict[str, NDArray[Any]] = dict(random_weights(told, tied, seed))
    if mask_buffers:
        tensors = with_mask_buffers(tensors, told)
    if prefix:
        tensors = {name if name == "lm_head.weight" else f"transformer.{name}": a for name, a in tensors.items()}
    write_weights(folder, tensors, dtype, shards)
    return folder


def write_weights(folder: Path, tensors: dict[str, NDArray[Any]], dtype: str = "F32", shards: int = 1) -> None:
    """Write `model.safetensors`, or that many shards and their index."""
    if shards == 1:
        (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors, dtype))
        return
    weight_map = {}
    for shard in range(shards):
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {key: tensor for index, (key, tensor) in enumerate(tensors.items()) if index % shards == shard}
        (folder / name).write_bytes(safetensors_bytes(part, dtype))
        weight_map |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def edit_config(folder: Path, **changes: Any) -> None:
    """Overwrite settings of a written config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def without(folder: Path, key: str) -> None:
    """Take a setting out of a written config.json."""
    path = folder / "config.json"
    values = json.loads(path.read_text())
    del values[key]
    path.write_text(json.dumps(values))
