"""What would come out of a run if one thing were otherwise, in NumPy and cheap enough for a slider.

Only the newest token is computed anew, or one layer: what came before it stands in the trace.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.reading.attention_rows import keys, pattern_rows
from gpt2.reading.lens import layer_norm, read_lens
from gpt2.trace.trace import Trace

Array = NDArray[np.float32]


def scores_of(trace: Trace, layer: int) -> Array:
    """A layer's scores before the mask, `q kᵀ / √d_head`. Shapes: -> [head, query, key]."""
    q, k = (trace[f"blocks.{layer}.attn.hook_{part}"].transpose(1, 0, 2) for part in "qk")  # [head, seq, d_head]
    return q @ k.transpose(0, 2, 1) / np.float32(math.sqrt(trace.config.d_head))


def shares_of(scores: Array) -> Array:
    """Softmax over the last axis. Shapes: [..., key] -> [..., key]."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def gelu(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """GELU in its tanh form (Hendrycks & Gimpel, 2016)."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def lens_rows(trace: Trace, checkpoint: Checkpoint) -> Array:
    """The newest token's vector before the first block and after each, read by the head. Shapes: -> [depth, vocab]."""
    hooks = ["blocks.0.hook_resid_pre", *(f"blocks.{at}.hook_resid_post" for at in range(trace.config.n_layer))]
    return read_lens(checkpoint, np.stack([trace.row(hook, trace.seq - 1) for hook in hooks]))


def swapped_pattern(trace: Trace, checkpoint: Checkpoint, one: int, other: int) -> tuple[Array, Array]:
    """Where the newest token looks in layer 0, as the run has its tokens, and with two of them swapped.

    Shapes: -> [head, key] twice; the columns are the places, not the tokens.
    """
    tokens, at = np.array(trace.computed_ids), np.arange(trace.seq)
    at[[one, other]] = other, one
    made = []
    for ids in (tokens, tokens[at]):
        stream = checkpoint.weights["wte.weight"][ids] + checkpoint.weights["wpe.weight"][: trace.seq]
        k = keys(checkpoint, 0, stream)
        made.append(pattern_rows(checkpoint, 0, stream[-1:], trace.seq - 1, k)[:, 0])
    return made[0], made[1]


@dataclass(frozen=True)
class Strength:
    """How strongly a layer's parts write to the newest token: 1 as they are, 0 not at all.

    Shapes: heads [head], of what each head finds; `attention` and `mlp`, of all that they write, biases too.
    """

    heads: Array
    attention: float = 1.0
    mlp: float = 1.0

    @property
    def is_neutral(self) -> bool:
        """Whether nothing is changed."""
        return bool((self.heads == 1).all()) and self.attention == self.mlp == 1


@dataclass(frozen=True)
class Newest:
    """The newest token's way through the model.

    Shapes: stream [layer + 1, d_model], before the first block and after each; logits [vocab].
    """

    stream: Array
    logits: Array


def newest(trace: Trace, checkpoint: Checkpoint, strengths: Mapping[int, Strength]) -> Newest:
    """Compute the newest token anew, with some layers' parts louder, softer or mute at it.

    The tokens before it stay as they are, since none of them sees it. Their keys and values stand in the trace, and so
    does the newest token's own vector up to the first layer that is changed.
    """
    config, weights, at = checkpoint.config, checkpoint.weights, trace.seq - 1
    first = min(strengths, default=config.n_layer)
    below = ["blocks.0.hook_resid_pre", *(f"blocks.{layer}.hook_resid_post" for layer in range(first))]
    stream = [trace.row(hook, at) for hook in below]
    for layer in range(first, config.n_layer):
        strength = strengths.get(layer, Strength(np.ones(config.n_head, np.float32)))
        x = stream[-1]
        qkv = layer_norm(checkpoint, x[None], f"h.{layer}.ln_1") @ weights[f"h.{layer}.attn.c_attn.weight"].T
        q, k, v = (qkv[0] + weights[f"h.{layer}.attn.c_attn.bias"]).reshape(3, config.n_head, config.d_head)
        past = (trace[f"blocks.{layer}.attn.hook_{part}"][:at] for part in "kv")  # each [key, head, d_head]
        k, v = (np.concatenate([old, new[None]]) for old, new in zip(past, (k, v), strict=True))
        pattern = shares_of(np.einsum("hd,khd->hk", q, k) / np.float32(math.sqrt(config.d_head)))
        z = (np.einsum("hk,khd->hd", pattern, v) * strength.heads[:, None]).reshape(-1)  # [d_model]
        written = weights[f"h.{layer}.attn.c_proj.weight"] @ z + weights[f"h.{layer}.attn.c_proj.bias"]
        x = x + np.float32(strength.attention) * written
        pre = layer_norm(checkpoint, x[None], f"h.{layer}.ln_2") @ weights[f"h.{layer}.mlp.c_fc.weight"].T
        post = gelu(pre[0] + weights[f"h.{layer}.mlp.c_fc.bias"]).astype(np.float32)
        written = weights[f"h.{layer}.mlp.c_proj.weight"] @ post + weights[f"h.{layer}.mlp.c_proj.bias"]
        stream.append(x + np.float32(strength.mlp) * written)
    return Newest(np.stack(stream), read_lens(checkpoint, stream[-1][None])[0])
