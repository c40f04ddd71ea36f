"""The logit lens in NumPy, for recorded runs without an engine: final norm and unembedding of any rows."""

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.trace.norms import normalize

Array = NDArray[np.float32]


def read_lens(checkpoint: Checkpoint, rows: Array) -> Array:
    """Unembed rows of the residual stream as if they came out of the last block.

    Shapes: [seq, d_model] -> logits [seq, vocab].
    """
    return final_norm(checkpoint, rows) @ checkpoint.weights["lm_head.weight"].T


def final_norm(checkpoint: Checkpoint, rows: Array) -> Array:
    """The norm after the last block. Shapes: [seq, d_model] -> [seq, d_model]."""
    return layer_norm(checkpoint, rows, "ln_f")


def layer_norm(checkpoint: Checkpoint, rows: Array, name: str) -> Array:
    """Any layer norm, by the name of its weights. Shapes: [seq, d_model] -> [seq, d_model]."""
    _, normalized = normalize(rows, checkpoint.config.layer_norm_epsilon)
    return normalized * checkpoint.weights[f"{name}.weight"] + checkpoint.weights[f"{name}.bias"]
