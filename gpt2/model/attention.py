"""Multi-head causal self-attention: how positions read from earlier positions."""

import math
from typing import NamedTuple

from max.experimental import functional as F
from max.experimental.nn import Module
from max.experimental.tensor import Tensor

from .changes import Change
from .config import GPT2Config
from .hooks import PER_HEAD, SQUARE, HookPoint
from .linear import Linear


class Past(NamedTuple):
    """Keys and values of the positions before this run, as `hook_k` and `hook_v` gave them.

    Shapes: both [key, head, d_head].
    """

    k: Tensor
    v: Tensor


class Attention(Module[..., Tensor]):
    """Each head mixes the values of the positions it looks at: `z = softmax(q kᵀ / √d_head + mask) v`.

    Shapes: c_attn [3 d_model, d_model] (queries, keys, values), c_proj [d_model, d_model].
    """

    def __init__(self, config: GPT2Config, name: str) -> None:
        """Declare the projections; `name` is the TransformerLens name, such as `blocks.0.attn`."""
        self.n_head, self.d_head = config.n_head, config.d_head
        self.c_attn = Linear(config.n_embd, 3 * config.n_embd)
        self.c_proj = Linear(config.n_embd, config.n_embd)
        self.hook_q, self.hook_k, self.hook_v, self.hook_z = (
            HookPoint(f"{name}.hook_{part}", PER_HEAD) for part in "qkvz"
        )
        self.hook_attn_scores = HookPoint(f"{name}.hook_attn_scores", SQUARE)
        self.hook_pattern = HookPoint(f"{name}.hook_pattern", SQUARE)

    def forward(self, x: Tensor, mask: Tensor | None, past: Past | None, change: Change) -> Tensor:
        """Attend from the new positions to the past ones and to each other.

        Shapes: x [seq, d_model], mask [query, key] among the new positions (None for a single one); `change`, what an
        intervention makes of z, [seq, head, d_head] -> [seq, d_model].
        """
        heads = [-1, self.n_head, self.d_head]
        q, k, v = (part.reshape(heads) for part in F.chunk(self.c_attn(x), 3, axis=1))
        q, k, v = self.hook_q(q), self.hook_k(k), self.hook_v(v)  # [seq, head, d_head]
        z = self.hook_z(change.apply(self.attend(q, k, v, mask, past)))  # a scale of 0 ablates the head
        return self.c_proj(z.reshape([-1, self.n_head * self.d_head]))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, past: Past | None) -> Tensor:
        """Where each query looks, and what it finds there; the one part that depends on how the past is kept.

        Shapes: q, k, v [seq, head, d_head] -> z [seq, head, d_head].
        """
        # Past and new positions are looked at apart, so that the cache is read in place and never copied.
        keys = [k] if past is None else [past.k, k]
        values = [v] if past is None else [past.v, v]
        parts = [score(q / math.sqrt(self.d_head), key) for key in keys]  # each [head, query, key]
        if mask is not None:
            parts[-1] = parts[-1] + mask
        attn_scores = self.hook_attn_scores(F.concat(parts, axis=-1))  # [head, query, key]
        pattern = self.hook_pattern(F.softmax(attn_scores, axis=-1))  # [head, query, key]

        n_past = 0 if past is None else past.k.shape[0]
        parts = [pattern] if past is None else [pattern[:, :, :n_past], pattern[:, :, n_past:]]
        mixed = [mix(part, value) for part, value in zip(parts, values, strict=True)]
        return sum(mixed[1:], start=mixed[0])


def score(q: Tensor, k: Tensor) -> Tensor:
    """How well every key answers every query: `q kᵀ` in each head.

    A single query is multiplied and summed where the keys lie, because turning them costs more than the products.

    Shapes: q [query, head, d_head], k [key, head, d_head] -> [head, query, key].
    """
    if q.shape[0] == 1:
        return F.sum(k * q, axis=-1).permute([1, 2, 0])
    return q.permute([1, 0, 2]) @ k.permute([1, 2, 0])


def mix(pattern: Tensor, v: Tensor) -> Tensor:
    """The values that each query looks at, weighted by how much: `pattern v` in each head.

    A single query is summed where the values lie, as in `score`.

    Shapes: pattern [head, query, key], v [key, head, d_head] -> [query, head, d_head].
    """
    if pattern.shape[1] == 1:
        return F.sum(v * pattern.permute([2, 0, 1]), axis=0)
    return (pattern @ v.permute([1, 0, 2])).permute([1, 0, 2])
