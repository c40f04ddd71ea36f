"""The formula of a share, with the real operands of the largest part of a place or of an edge."""

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.reading.arrivals import Arrival, head_parts, nearness, other_parts
from gpt2.trace.trace import Trace
from pages.look.names import head_name
from pages.look.numbers import fixed, percent

FORMULA = (
    r"\text{share}(c) = \frac{n(c)}{\sum_{\text{parts } d} n(d)}, \qquad "
    r"n(c) = \max\big(\lVert y \rVert_1 - \lVert y - c \rVert_1,\; 0\big), \qquad "
    r"y = x + \sum_{h,k} \text{pattern}^h_{qk}\; v^h_k W^h_O + b_O \;\text{ or }\; x + \text{MLP}(x)"
)


def operands(trace: Trace, checkpoint: Checkpoint, found: Arrival, key: int | None) -> list[str]:
    """The whole, one part and what is left without it, the sum over all parts, and the share.

    Args:
        trace: the run.
        checkpoint: the weights that made it.
        found: what arrives at the place.
        key: the position that attention read, to take the part of its best head; None for the largest other part.
    """
    place, others = found.place, other_parts(trace, checkpoint, found.place)
    heads = list(head_parts(trace, checkpoint, place)) if place.is_after_attention else []
    whole = trace.row(place.hook, place.position) if place.depth else np.sum(list(others.values()), axis=0)
    if key is None:
        kind = max(found.shares, key=lambda kind: found.shares[kind])
        share, name, part = found.shares[kind], kind, others[kind]
    else:
        head = int(found.heads[:, key].argmax())
        share, part = float(found.heads[head, key]), heads[head][key]
        hooks = f"hook_pattern[{head}, {place.position}, {key}] · hook_v[{key}, {head}]"
        name = f"{hooks} W_O of {head_name(place.layer, head)}"
    parts = np.concatenate([np.stack(list(others.values())), *heads])  # [part, d_model]
    amounts = np.abs(parts).sum(axis=1) if found.cancels else nearness(whole, parts)
    own = np.abs(part).sum() if found.cancels else nearness(whole, part)
    measure = "‖c‖₁, as every part leads away" if found.cancels else "n(c) = max(‖y‖₁ − ‖y − c‖₁, 0)"
    return [
        f"y = {place.hook}, position {place.position} = {_vector(whole)}",
        f"c = {name} = {_vector(part)}; ‖y − c‖₁ = {fixed(float(np.abs(whole - part).sum()), 4)}",
        f"{measure} = {fixed(float(own), 4)}",
        f"All {len(parts)} parts together: {fixed(float(amounts.sum()), 4)}; c has {percent(share, 2)} of it",
        f"All shares add up to {percent(found.total)}.",
    ]


def _vector(values: NDArray[np.floating], shown: int = 6) -> str:
    first = ", ".join(fixed(float(value), 3) for value in values[:shown])
    return f"[{first}, … {len(values)} numbers], ‖·‖₁ = {fixed(float(np.abs(values).sum()), 4)}"
