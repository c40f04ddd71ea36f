"""Configs and checkpoints of shapes that no published model has: small, and chosen to be awkward."""

from typing import Any

from gpt2.model.config import GPT2Config

TINY = GPT2Config(vocab_size=11, n_positions=8, n_embd=6, n_layer=1, n_head=2, n_inner=10)
# What `checkpoints.write_checkpoint` makes each of; each takes some variants of the checkpoint format with it.
ODD: dict[str, dict[str, Any]] = {
    # One head; an MLP narrower than 4x; a vocabulary of 101; a large epsilon; bfloat16 shards with prefix and masks.
    "one head": {
        "n_head": 1,
        "n_embd": 40,
        "n_layer": 2,
        "n_inner": 72,
        "vocab_size": 101,
        "n_positions": 96,
        "layer_norm_epsilon": 1e-3,
        "dtype": "BF16",
        "shards": 3,
        "mask_buffers": True,
        "prefix": True,
    },
    # Heads of 48, three layers, a head of its own, float16 without prefix.
    "own head": {
        "n_head": 2,
        "n_embd": 96,
        "n_layer": 3,
        "vocab_size": 300,
        "n_positions": 160,
        "dtype": "F16",
        "prefix": False,
        "tied": False,
    },
}
