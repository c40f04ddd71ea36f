"""The formula of direct logit attribution, with the real operands of one part."""

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.reading.attribution import Reader
from gpt2.reading.logit_parts import ATTENTION_BIAS, CHANGE, FINAL_BIAS, HEAD, MLP, POSITION, TOKEN, Attribution, Part
from gpt2.trace.trace import Trace
from pages.look.numbers import fixed, rounding_error
from pages.look.tokens import spoken

FORMULA = (
    r"\text{logit} = \sum_{\text{parts } c} \Big(\frac{c - \bar c}{s} \odot w\Big) \cdot u \;+\; b \cdot u, \qquad "
    r"c_{\text{head}} = z\,W_O = \sum_k \text{pattern}_{qk}\; v_k W_O"
)


def operands(trace: Trace, checkpoint: Checkpoint, found: Attribution, part: Part) -> list[str]:
    """The frozen scale, the direction that is read along, one part's product, and the sum by kind with its check."""
    reader, label = Reader.of_attribution(trace, checkpoint, found), trace.vocabulary.label
    at, token = found.position, f"u = lm_head.weight[{found.token}], {spoken(label(found.token))}"
    if found.against is not None:
        token += f", minus lm_head.weight[{found.against}], {spoken(label(found.against))}"
    kinds = (TOKEN, POSITION, HEAD, ATTENTION_BIAS, MLP, FINAL_BIAS, CHANGE)
    sums = [(kind, found.of_kind(kind)) for kind in kinds if found.of_kind(kind)]
    terms = ", ".join(f"{kind} {fixed(sum(one.logit for one in parts), 4)}" for kind, parts in sums)
    return [
        f"s = ln_final.hook_scale[{at}] = {fixed(found.scale, 4)}, as it was; w and b are ln_f.weight and ln_f.bias",
        token,
        f"d = (w · u less its mean) / s = {_vector(reader.direction)}: each part adds c · d",
        *_product(trace, checkpoint, reader, part),
        f"In all: {terms}; together {fixed(found.total, 4)}",
        f"The logit is {fixed(found.logit, 4)}; off by {rounding_error(found.error)}.",
    ]


def _product(trace: Trace, checkpoint: Checkpoint, reader: Reader, part: Part) -> list[str]:
    at = reader.position
    if part.kind == HEAD and part.layer is not None and part.head is not None:
        z = trace.row(part.hook, at)[part.head]
        write = reader.of_heads(checkpoint, part.layer)[part.head]
        return [
            f"{part.hook}[{at}, {part.head}] = z = {_vector(z)}",
            f"W_O d, by the columns of h.{part.layer}.attn.c_proj.weight of this head = {_vector(write)}",
            f"{part.name}: z · (W_O d) = {fixed(part.logit, 4)}",
        ]
    if part.kind == MLP:
        return [f"{part.hook}[{at}] = c = {_vector(trace.row(part.hook, at))}", f"c · d = {fixed(part.logit, 4)}"]
    vector, _ = reader.operands(trace, checkpoint, part)
    where, product = ("b", "b · u") if part.kind == FINAL_BIAS else ("c", "c · d")
    return [f"{part.hook} = {where} = {_vector(vector)}", f"{product} = {fixed(part.logit, 4)}"]


def _vector(values: NDArray[np.floating], shown: int = 6) -> str:
    first = ", ".join(fixed(float(value), 3) for value in values[:shown])
    return f"[{first}, … {len(values)} numbers], norm {np.linalg.norm(values):.3f}"
