"""A number of a run opened into its arithmetic: a hook and an index in, the sum that the model makes of it out.

Each sum is computed in float64 from the captures just before the number, so that it can be held against the number
that the run captured. NumPy alone.
"""

import re

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.errors import TraceError
from gpt2.model.hooks import STREAM
from gpt2.model.inputs import MLP_OUT, RESID_POST, RESID_PRE, Z
from gpt2.model.sampling import Distribution
from gpt2.text.vocabulary import Vocabulary
from gpt2.trace.step import cosine, lengths
from gpt2.trace.trace import Trace

from .attribution import Reader, logits_at
from .lens import read_lens
from .logit_parts import ATTENTION_BIAS, FINAL_BIAS, HEAD, Attribution, Part
from .operands import OPERANDS, Site
from .terms import SQUARE_ROOT, Rule, Sum, Terms, divided, share

BLOCK, ATTENTION, LINEAR = "model/block.py", "model/attention.py", "model/linear.py"
PRODUCT = LINEAR, "return x @ self.weight.T + self.bias"
PROJECTION = (ATTENTION, "F.chunk(self.c_attn(x), 3, axis=1)"), PRODUCT
NORM, SAMPLING = "model/layer_norm.py", "model/sampling.py"
RULES = {
    "hook_embed": Rule(r"x = \mathrm{wte}[\text{token}]", (("model/embeddings.py", "self.hook_embed("),)),
    "hook_pos_embed": Rule(r"x = \mathrm{wpe}[\text{position}]", (("model/embeddings.py", "self.hook_pos_embed("),)),
    RESID_PRE: Rule(
        r"x^{\text{pre}}_0 = \text{token} + \text{position}, \quad x^{\text{pre}}_l = x^{\text{post}}_{l-1}",
        (("model/embeddings.py", "return token + position"), (BLOCK, "self.hook_resid_pre(")),
    ),
    "hook_scale": Rule(
        r"s = \sqrt{\tfrac{1}{n} \textstyle\sum_i (x_i - \bar x)^2 + \epsilon}",
        ((NORM, "variance = "), (NORM, "self.hook_scale(")),
    ),
    "hook_normalized": Rule(r"(x_j - \bar x) / s", ((NORM, "centred = "), (NORM, "self.hook_normalized("))),
    **{f"attn.hook_{part}": Rule(rf"{part}_j = \textstyle\sum_i x_i W_{{ji}} + b_j", PROJECTION) for part in "qkv"},
    "attn.hook_attn_scores": Rule(
        r"s_{qk} = \textstyle\sum_i q_i k_i / \sqrt{d_{\text{head}}}",
        ((ATTENTION, "parts = [score("), (ATTENTION, "return q.permute([1, 0, 2]) @ k")),
    ),
    "attn.hook_pattern": Rule(
        r"\text{pattern}_{qk} = e^{s_{qk} - m} \,/\, \textstyle\sum_j e^{s_{qj} - m}", ((ATTENTION, "F.softmax("),)
    ),
    Z: Rule(
        r"z_j = \textstyle\sum_k \text{pattern}_{qk}\, v_{kj}",
        ((ATTENTION, "return (pattern @ v"), (ATTENTION, "self.hook_z(")),
    ),
    "hook_attn_out": Rule(
        r"\text{attn}_j = \textstyle\sum_h z_h \cdot W_{j,h} + b_j",
        ((ATTENTION, "return self.c_proj(z"), PRODUCT),
    ),
    "hook_resid_mid": Rule(r"x^{\text{mid}} = x^{\text{pre}} + \text{attn}", ((BLOCK, "self.hook_resid_mid("),)),
    "mlp.hook_pre": Rule(
        r"\text{pre}_n = \textstyle\sum_i x_i W_{ni} + b_n", (("model/mlp.py", "self.hook_pre("), PRODUCT)
    ),
    "mlp.hook_post": Rule(
        r"\text{post}_n = \text{gelu}\big(\textstyle\sum_i x_i W_{ni} + b_n\big)",
        (("model/mlp.py", "self.hook_pre("), ("model/mlp.py", "self.hook_post(")),
    ),
    MLP_OUT: Rule(
        r"\text{mlp}_j = \textstyle\sum_n \text{post}_n W_{jn} + b_j",
        (("model/mlp.py", "return self.c_proj(post)"), PRODUCT),
    ),
    RESID_POST: Rule(r"x^{\text{post}} = x^{\text{mid}} + \text{mlp}", ((BLOCK, "self.hook_resid_post("),)),
    "logits": Rule(
        r"\text{logit}_t = \textstyle\sum_i x_i W_{ti}", (("model/lm_head.py", "return x @ self.weight.T"),)
    ),
    "norm": Rule(r"\lVert x \rVert = \sqrt{\textstyle\sum_i x_i^2}", (("trace/step.py", "return np.sqrt(np.einsum("),)),
    "cosine": Rule(
        r"\text{cos}(x, y) = \textstyle\sum_i x_i y_i \,/\, (\lVert x \rVert \, \lVert y \rVert)",
        (("trace/step.py", "return float(one @ other) / scale if"),),
    ),
    "lens": Rule(
        r"\text{logit}_t = \textstyle\sum_i \text{ln}_f(x)_i W_{ti}",
        (("model/graphs.py", "self.lm_head(self.ln_f(rows))"), ("model/lm_head.py", "return x @ self.weight.T")),
    ),
    "part": Rule(
        r"\text{part} = \textstyle\sum_i c_i d_i, \quad d = (w \odot u - \overline{w \odot u}) / s",
        (("reading/attribution.py", "direction = (gained - gained.mean()) / scale"),),
    ),
    "final bias": Rule(
        r"\text{part} = \textstyle\sum_i b_i u_i", (("reading/attribution.py", "yield Part(FINAL_BIAS, "),)
    ),
    "probability": Rule(
        r"p_t = e^{(z_t - m) / T} \,/ \textstyle\sum_{\text{kept } j} e^{(z_j - m) / T}",
        ((SAMPLING, "return exponentials / exponentials.sum()"), (SAMPLING, "return kept / kept.sum()")),
    ),
}
# What stands before a hook's name within its part of the model.
PREFIX = re.compile(r"^(blocks\.\d+\.)?((ln1|ln2|ln_final)\.)?")


def explain(trace: Trace, checkpoint: Checkpoint, hook: str, index: tuple[int, ...]) -> Sum:
    """One captured number as the sum that the model makes of it.

    Args:
        trace: any run; captures that it dropped are recomputed if it can.
        checkpoint: the weights that made it.
        hook: a capture's name, or `logits`.
        index: as the axes of the hook say, from 0; of `logits` the position after which the token comes, and the token.

    Raises:
        TraceError: if there is no such number, or a capture was dropped and cannot be recomputed.
    """
    config, axes = trace.config, trace.axes.get(hook, ())
    sizes = {"head": config.n_head, "d_head": config.d_head, "d_model": config.n_embd, "d_mlp": config.n_inner}
    sizes["vocab"] = config.vocab_size
    within = [0 <= at < sizes.get(axis, trace.seq) for at, axis in zip(index, axes, strict=False)]
    if not axes or len(index) != len(axes) or not all(within):
        raise TraceError(f"There is no number {hook}{list(index)} in this run.")
    name = PREFIX.sub("", hook)
    where, kinds, finish = OPERANDS[name](Site(trace, checkpoint, hook), *index)
    return Sum(f"{hook}{list(index)}", captured(trace, checkpoint, hook, index), RULES[name], where, kinds, finish)


def open_number(trace: Trace, checkpoint: Checkpoint, kind: str, hook: str, index: tuple[int, ...]) -> Sum:
    """The arithmetic of a number that is asked for by name.

    Args:
        trace: as for `explain`.
        checkpoint: as for `explain`.
        kind: `hook` for a captured number, `norm` for a vector's length, `lens` for a token's logit at a hook.
        hook: a capture's name.
        index: of the captured number; of a norm the position, of the lens the position and the token.

    Raises:
        TraceError: if there is no such number, or a capture was dropped and cannot be recomputed.
    """
    if kind == "hook":
        return explain(trace, checkpoint, hook, index)
    sizes = {"norm": (trace.seq,), "lens": (trace.seq, trace.config.vocab_size)}.get(kind, ())
    is_there = len(index) == len(sizes) and all(0 <= at < size for at, size in zip(index, sizes, strict=True))
    if not sizes or not is_there or trace.axes.get(hook) != STREAM:
        raise TraceError(f"There is no number {hook}{list(index)} in this run.")
    return explain_norm(trace, hook, *index) if kind == "norm" else explain_lens(trace, checkpoint, hook, *index)


def captured(trace: Trace, checkpoint: Checkpoint, hook: str, index: tuple[int, ...]) -> float:
    """The number itself; a logit that was not captured is read from the top of the stream."""
    if hook == "logits":
        return float(logits_at(trace, checkpoint, index[0])[0][index[1]])
    if trace.axes[hook][0] == "head":
        head, query, key = index
        return float(trace.queries(hook, query, query + 1)[head, 0, key])
    return float(trace.row(hook, index[0])[index[1:]])


def explain_norm(trace: Trace, hook: str, position: int) -> Sum:
    """The length of one of the stream's vectors, as the root of its numbers' squares.

    Raises:
        TraceError: if the capture was dropped and cannot be recomputed.
    """
    row = trace.row(hook, position)
    x = row.astype(np.float64)
    terms = Terms(lambda i: f"x[{i}]²", (x, x))
    name = f"{hook}[{position}]"
    return Sum(f"‖{name}‖", float(lengths(row)), RULES["norm"], f"x = {name}", (terms,), SQUARE_ROOT)


def explain_cosine(trace: Trace, hook: str, other: str, position: int) -> Sum:
    """The cosine of two of the stream's vectors, as the sum of their numbers' products.

    Raises:
        TraceError: if a capture was dropped and cannot be recomputed.
    """
    rows = trace.row(hook, position), trace.row(other, position)
    x, y = (row.astype(np.float64) for row in rows)
    terms = Terms(lambda i: f"x[{i}] · y[{i}]", (x, y))
    names = [f"{name}[{position}]" for name in (hook, other)]
    where = f"x = {names[0]}\ny = {names[1]}"
    finish = divided(float(np.linalg.norm(x) * np.linalg.norm(y)) or 1.0)
    return Sum(f"cos({names[0]}, {names[1]})", cosine(*rows), RULES["cosine"], where, (terms,), finish)


def explain_lens(trace: Trace, checkpoint: Checkpoint, hook: str, position: int, token: int) -> Sum:
    """A token's logit as the logit lens reads it from the stream at a hook.

    Raises:
        TraceError: if the capture was dropped and cannot be recomputed.
    """
    row, weights = trace.row(hook, position), checkpoint.weights
    unembedding = weights["lm_head.weight"][token].astype(np.float64)
    centred = row.astype(np.float64) - row.mean(dtype=np.float64)
    scale = np.sqrt(np.square(centred).mean() + trace.config.layer_norm_epsilon)
    x = centred / scale * weights["ln_f.weight"] + weights["ln_f.bias"]
    terms = Terms(lambda i: f"ln_f(x)[{i}] · W[{token}, {i}]", (x, unembedding))
    where, read = f"x = {hook}[{position}]\nW = lm_head.weight", read_lens(checkpoint, row[None])[0, token]
    return Sum(f"lens of {hook}[{position}], token {token}", float(read), RULES["lens"], where, (terms,))


def explain_part(trace: Trace, checkpoint: Checkpoint, found: Attribution, part: Part) -> Sum:
    """What a part that no intervention added adds to a logit, or to the difference of two.

    Raises:
        TraceError: if a capture was dropped and cannot be recomputed.
    """
    vector, along = Reader.of_attribution(trace, checkpoint, found).operands(trace, checkpoint, part)
    if part.kind == FINAL_BIAS:
        terms = Terms(lambda i: f"b[{i}] · u[{i}]", (vector, along))
        less = "" if found.against is None else f" − lm_head.weight[{found.against}]"
        where = f"b = {part.hook}\nu = lm_head.weight[{found.token}]{less}"
        return Sum(f"the part of {part.name}", part.logit, RULES["final bias"], where, (terms,))
    terms = Terms(lambda i: f"c[{i}] · d[{i}]", (vector, along))
    c = part.hook if part.kind == ATTENTION_BIAS else f"{part.hook}[{found.position}]"
    if part.kind == HEAD:
        where = f"c = {c}[{part.head}]\nd as read before h.{part.layer}.attn.c_proj"
    else:
        where = f"c = {c}\nd as the formula says"
    return Sum(f"the part of {part.name}", part.logit, RULES["part"], where, (terms,))


def explain_probability(
    logits: NDArray[np.floating], distribution: Distribution, temperature: float, token: int, vocabulary: Vocabulary
) -> Sum:
    """A token's probability in the draw: its share among the tokens that the filters kept.

    At temperature 0 only the likeliest token is kept, and its share is 1 at any temperature.

    Shapes: logits [vocab].
    """
    kept = np.flatnonzero(distribution.final)  # [kept]
    temperature, m = temperature or 1.0, float(logits[kept].max())
    z = logits.astype(np.float64)
    terms = Terms(
        lambda at: f"e^((z − m) / T) of {vocabulary.label(int(kept[at]))}, z = {logits[kept[at]]:.4f}",
        (np.exp((z[kept] - m) / temperature),),
    )
    own = float(np.exp((z[token] - m) / temperature)) if distribution.final[token] else 0.0
    where = f"z = logits\nm = {m:.4f}, the largest\nT = {temperature:g}"
    name = f"probability of {vocabulary.label(token)}"
    return Sum(name, float(distribution.final[token]), RULES["probability"], where, (terms,), share(own))
