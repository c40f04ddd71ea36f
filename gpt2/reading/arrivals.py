"""What arrives at one place of the residual stream: a share for each part of the sum that stands there. NumPy alone.

After attention the stream is a sum of what was carried on, of a vector for every head and position that it read (weight
times value, written by the head), and of the bias; after the MLP of what was carried on and what the MLP wrote; at the
embeddings of the token's and the position's. A part c of a sum y counts by how much nearer it leads to y than nothing,

    max(‖y‖₁ - ‖y - c‖₁, 0)

and its share is that over the same of all parts together (Ferrando et al., 2022; the LLM Transparency Tool, 2024).
Published measures differ: rollout takes the attention weights alone (Abnar and Zuidema, 2020), others the norm of
weight times value (Kobayashi et al., 2020), and neither asks what the other parts are. The tool gives each part at
least 0.00001 and leaves the bias out; here a part that leads away has 0, and the bias is a part. If all parts lead
away, as large ones do that cancel, each counts by its own norm, ‖c‖₁.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.model.inputs import MLP_OUT, PLACES, RESID_POST, RESID_PRE, Z
from gpt2.trace.trace import Trace

from .attribution import step_at
from .logit_parts import ATTENTION_BIAS, CHANGE, MLP, POSITION, TOKEN

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
CARRIED, ATTENTION = "carried on", "attention"


class Place(NamedTuple):
    """A place of the residual stream.

    Attributes:
        depth: 0 is the embeddings, 1 the stream after attention of layer 0, 2 after its MLP, 3 after attention of 1.
        position: the position in the text.
    """

    depth: int
    position: int

    @property
    def layer(self) -> int:
        """The layer that has written last; -1 at the embeddings."""
        return (self.depth + 1) // 2 - 1

    @property
    def is_after_attention(self) -> bool:
        """Whether attention has written last."""
        return self.depth % 2 == 1

    @property
    def name(self) -> str:
        """Where it is, in a sentence: 'after the MLP of L2'."""
        part = "attention" if self.is_after_attention else "the MLP"
        return f"after {part} of L{self.layer}" if self.depth else "at the embeddings"

    @property
    def hook(self) -> str:
        """The capture of what stands there; at the embeddings, the two that are added."""
        name = "hook_resid_mid" if self.is_after_attention else "hook_resid_post"
        return f"blocks.{self.layer}.{name}" if self.depth else "hook_embed + hook_pos_embed"


@dataclass(frozen=True)
class Arrival:
    """The shares of all parts at a place; they add up to 1, or are all 0 where the stream is.

    Attributes:
        place: where they arrive.
        shares: of the parts that no head wrote, by kind.
        error: how far the sum of all parts is from the captured vector, as a share of that one's norm; both L1.
        cancels: whether every part led away, so that each counts by its norm.
    Shapes: heads [head, key], up to the position itself; no head but after attention.
    """

    place: Place
    shares: dict[str, float]
    heads: Floats
    error: float
    cancels: bool

    @property
    def total(self) -> float:
        """The sum of all shares."""
        return math.fsum([*self.shares.values(), *self.heads.ravel()])

    @property
    def keys(self) -> Floats:
        """The shares that attention brought from each position, all heads together. Shapes: [key]."""
        return self.heads.sum(axis=0)


def nearness(whole: Array, parts: Array) -> Floats:
    """How much nearer each part leads to the whole than nothing, in L1; 0 if it leads away.

    Shapes: whole [d_model], parts [..., d_model] -> [...].
    """
    nearer = np.abs(whole) - np.abs(whole - parts)  # [..., d_model]
    return np.maximum(nearer.sum(axis=-1, dtype=np.float64), 0)


def arrival(trace: Trace, checkpoint: Checkpoint, place: Place) -> Arrival:
    """What arrives at a place of a run that these weights made.

    Raises:
        TraceError: if a capture was dropped and cannot be recomputed; it is named.
    """
    vectors = other_parts(trace, checkpoint, place)
    stacked = np.stack(list(vectors.values()))  # [part, d_model]
    together = stacked.sum(axis=0)  # [d_model]
    whole = trace.row(place.hook, place.position) if place.depth else together
    near, norms = nearness(whole, stacked), np.abs(stacked).sum(axis=-1)
    shape = (checkpoint.config.n_head if place.is_after_attention else 0, place.position + 1)
    near_heads, norms_of_heads = np.zeros(shape), np.zeros(shape)
    for head, parts in enumerate(head_parts(trace, checkpoint, place) if place.is_after_attention else ()):
        near_heads[head], norms_of_heads[head] = nearness(whole, parts), np.abs(parts).sum(axis=-1)
        together = together + parts.sum(axis=0)
    cancels = not (near.any() or near_heads.any())
    amounts, of_heads = (norms, norms_of_heads) if cancels else (near, near_heads)
    total = float(amounts.sum() + of_heads.sum()) or 1.0
    shares = dict(zip(vectors, (amounts / total).tolist(), strict=True))
    error = float(np.abs(together - whole).sum() / (np.abs(whole).sum() or 1.0))
    return Arrival(place, shares, of_heads / total, error, cancels)


def other_parts(trace: Trace, checkpoint: Checkpoint, place: Place) -> dict[str, Array]:
    """The parts at a place that no head wrote, by kind; what interventions added is one of its own.

    Shapes: [d_model] each.
    """
    at, block = place.position, f"blocks.{place.layer}"
    if not place.depth:
        return {TOKEN: trace.row("hook_embed", at), POSITION: trace.row("hook_pos_embed", at)}
    change = step_at(trace, at).interventions.inputs(trace.config, at, at + 1).layer(place.layer)
    added = {hook: change.vectors[change.added[PLACES.index(hook), 0]] for hook in PLACES}
    if place.is_after_attention:
        name = f"h.{place.layer}.attn.c_proj"
        parts = {
            CARRIED: trace.row(f"{block}.{RESID_PRE}", at) - added[RESID_PRE],
            ATTENTION_BIAS: checkpoint.weights[f"{name}.bias"],
            CHANGE: added[RESID_PRE] + checkpoint.weights[f"{name}.weight"] @ added[Z],
        }
    else:
        scale = change.stream_scale[PLACES.index(RESID_POST), 0]
        parts = {
            CARRIED: scale * trace.row(f"{block}.hook_resid_mid", at),
            MLP: scale * (trace.row(f"{block}.{MLP_OUT}", at) - added[MLP_OUT]),
            CHANGE: scale * added[MLP_OUT] + added[RESID_POST],
        }
    return {kind: vector for kind, vector in parts.items() if kind != CHANGE or vector.any()}


def head_parts(trace: Trace, checkpoint: Checkpoint, place: Place) -> Iterator[Array]:
    """What each head wrote after reading each position: weight times value, through its columns of c_proj.

    One head at a time: all of them would be as large as the run's captures.

    Shapes: [key, d_model] each.
    """
    at, name = place.position, f"blocks.{place.layer}.attn"
    change = step_at(trace, at).interventions.inputs(trace.config, at, at + 1).layer(place.layer)
    pattern = trace.queries(f"{name}.hook_pattern", at, at + 1)[:, 0, : at + 1]  # [head, key]
    weights = change.head_scale[0][:, None] * pattern
    values = trace[f"{name}.hook_v"][: at + 1]  # [key, head, d_head]
    columns = np.split(checkpoint.weights[f"h.{place.layer}.attn.c_proj.weight"], len(weights), axis=1)
    for head, write in enumerate(columns):  # [d_model, d_head]
        yield weights[head][:, None] * (values[:, head] @ write.T)
