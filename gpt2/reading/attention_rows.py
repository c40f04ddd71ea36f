"""Rows of one layer's attention in NumPy, computed from the layer's input: patterns, and the output of attention.

A layer graph runs all positions at once. If a page needs only a few positions of every layer, NumPy is faster.
"""

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.trace.captures import Storage
from gpt2.trace.trace import Trace

from .lens import layer_norm

Array = NDArray[np.float32]


def keys(checkpoint: Checkpoint, layer: int, resid_pre: Array) -> Array:
    """The keys of every position, split by head. Shapes: resid_pre [seq, d_model] -> [head, d_head, seq]."""
    heads = (-1, checkpoint.config.n_head, checkpoint.config.d_head)
    weight, bias = _projection(checkpoint, layer, 1)
    return (layer_norm(checkpoint, resid_pre, f"h.{layer}.ln_1") @ weight.T + bias).reshape(heads).transpose(1, 2, 0)


def pattern_rows(checkpoint: Checkpoint, layer: int, resid_pre: Array, start: int, k: Array) -> Array:
    """The attention pattern of the queries from position `start` on, over the layer's `keys`.

    Shapes: resid_pre [query, d_model], k [head, d_head, key] -> [head, query, key].
    """
    heads = (-1, checkpoint.config.n_head, checkpoint.config.d_head)
    weight, bias = _projection(checkpoint, layer, 0)
    q = (layer_norm(checkpoint, resid_pre, f"h.{layer}.ln_1") @ weight.T + bias).reshape(heads)  # [query, head, d_head]
    pattern = np.zeros((heads[1], len(q), k.shape[2]), np.float32)
    seen = pattern[:, :, : start + len(q)]  # no query attends to a later key
    np.matmul((q / np.float32(np.sqrt(heads[2]))).transpose(1, 0, 2), k[:, :, : start + len(q)], out=seen)
    seen[:, ~np.tri(len(q), seen.shape[2], start, dtype=bool)] = -np.inf
    np.exp(seen - seen.max(axis=2, keepdims=True), out=seen)
    seen /= seen.sum(axis=2, keepdims=True)
    return pattern


def attn_out_row(
    checkpoint: Checkpoint, layer: int, resid_pre: Array, pattern: Array, head_scale: Array, added: Array
) -> Array:
    """The vector that attention adds to the residual stream at the last of these positions.

    A pattern row sums to 1, so the function mixes the positions first, and projects only the mixture to values.
    Interventions scale the heads' outputs and add to them.

    Shapes: resid_pre [key, d_model], pattern [head, key], head_scale [head], added [d_model] -> [d_model].
    """
    config, name = checkpoint.config, f"h.{layer}.attn.c_proj"
    weight, bias = (part.reshape(config.n_head, config.d_head, -1) for part in _projection(checkpoint, layer, 2))
    mixed = pattern @ layer_norm(checkpoint, resid_pre, f"h.{layer}.ln_1")  # [head, d_model]
    z = (weight @ mixed[:, :, None] + bias)[:, :, 0] * head_scale[:, None]  # [head, d_head]
    return checkpoint.weights[f"{name}.weight"] @ (z.ravel() + added) + checkpoint.weights[f"{name}.bias"]


def head_results(checkpoint: Checkpoint, layer: int, z: Array) -> Array:
    """What each head writes to the stream, `hook_result`; with the bias of c_proj they add up to `hook_attn_out`.

    Shapes: z [seq, head, d_head] -> [seq, head, d_model].
    """
    return (z.transpose(1, 0, 2) @ _output(checkpoint, layer)).transpose(1, 0, 2)


def written_norms(trace: Trace, checkpoint: Checkpoint) -> Array:
    """The length of what each head would write of each position's value alone, v W_O; biases of c_proj are no head's.

    Shapes: -> [layer, seq, head].
    """
    config, norms = checkpoint.config, []
    for layer in range(config.n_layer):
        name = f"blocks.{layer}.attn.hook_v"
        if trace.storage_of(name) == Storage.FLOAT32:
            v = trace[name]  # [seq, head, d_head]
        else:
            weight, bias = _projection(checkpoint, layer, 2)
            resid_pre = layer_norm(checkpoint, trace[f"blocks.{layer}.hook_resid_pre"], f"h.{layer}.ln_1")
            v = (resid_pre @ weight.T + bias).reshape(-1, config.n_head, config.d_head)
        by_head = _output(checkpoint, layer).astype(np.float64)
        products = by_head @ by_head.transpose(0, 2, 1)  # of W_O's rows: [head, d_head, d_head]
        vectors = v.transpose(1, 0, 2).astype(np.float64)  # [head, seq, d_head]
        norms.append(np.sqrt(((vectors @ products) * vectors).sum(axis=2)).T)
    return np.array(norms, np.float32)


def _output(checkpoint: Checkpoint, layer: int) -> Array:
    """The part of c_proj that each head writes with, W_O. Shapes: -> [head, d_head, d_model]."""
    weight = checkpoint.weights[f"h.{layer}.attn.c_proj.weight"]  # [out, in]
    by_head: Array = weight.reshape(len(weight), checkpoint.config.n_head, -1).transpose(1, 2, 0)
    return by_head


def _projection(checkpoint: Checkpoint, layer: int, part: int) -> tuple[Array, Array]:
    """Weight [d_model, d_model] and bias [d_model] of a layer's queries (part 0), keys (1) or values (2)."""
    name, width = f"h.{layer}.attn.c_attn", checkpoint.config.n_embd
    rows = slice(part * width, (part + 1) * width)
    return checkpoint.weights[f"{name}.weight"][rows], checkpoint.weights[f"{name}.bias"][rows]
