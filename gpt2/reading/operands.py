"""The terms of every number that a hook captures, with the run's own operands, in the order of the forward pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.model.inputs import MLP_OUT, PLACES, RESID_POST, RESID_PRE, Z
from gpt2.trace.norms import stream_read
from gpt2.trace.trace import Trace

from .neurons import gelu
from .terms import AS_IT_IS, SQUARE_ROOT, Finish, Floats, Terms, divided, share, single

Array = NDArray[np.float32]


class Parts(NamedTuple):
    """What a number is made of.

    Attributes:
        where: what the letters of its formula stand for, one a line.
        kinds: its terms.
        finish: what becomes of their sum.
    """

    where: str
    kinds: tuple[Terms, ...]
    finish: Finish = AS_IT_IS


Make = Callable[..., Parts]


@dataclass(frozen=True)
class Site:
    """Where a number is: the run, the weights that made it, and the hook that captured it.

    Shapes: a position's row, and a weight's, are [d_model] unless they say more.
    """

    trace: Trace
    checkpoint: Checkpoint
    hook: str

    @property
    def layer(self) -> int:
        """The block of the hook; the last one for what comes after it."""
        return int(self.hook.split(".")[1]) if self.hook.startswith("blocks.") else self.trace.config.n_layer - 1

    def row(self, hook: str, position: int) -> Floats:
        """What a hook of this block captured at a position."""
        return self.trace.row(self.name(hook), position).astype(np.float64)

    def name(self, hook: str) -> str:
        """A hook's whole name."""
        return f"blocks.{self.layer}.{hook}"

    def number(self, name: str, position: int, column: int) -> Terms:
        """One number of a row as a term of its own."""
        return single(f"{name}[{position}, {column}]", float(self.trace.row(name, position)[column]))

    def weight(self, name: str) -> Array:
        """A parameter of this block."""
        return self.checkpoint.weights[f"h.{self.layer}.{name}"]

    def product(self, x: str, vector: Floats, weight: str, out: int) -> Parts:
        """One number of `x Wᵀ + b`."""
        name, row = f"h.{self.layer}.{weight}", self.weight(f"{weight}.weight")[out].astype(np.float64)
        terms = Terms(lambda i: f"x[{i}] · W[{out}, {i}]", (vector, row))
        bias = single(f"b[{out}]", float(self.weight(f"{weight}.bias")[out]))
        return Parts(f"x = {x}\nW = {name}.weight\nb = {name}.bias", (terms, bias))

    def normed(self, norm: str, position: int) -> Floats:
        """What a norm of this block, or the final one, gives: its captured vector with gain and bias."""
        weights = {"ln1": f"h.{self.layer}.ln_1", "ln2": f"h.{self.layer}.ln_2", "ln_final": "ln_f"}[norm]
        gain, bias = (self.checkpoint.weights[f"{weights}.{part}"] for part in ("weight", "bias"))
        name = f"{norm}.hook_normalized"
        row = self.trace.row(name if norm == "ln_final" else self.name(name), position)
        return row.astype(np.float64) * gain + bias

    def changed(self, parts: Parts, place: str, position: int, column: int, head: int | None = None) -> Parts:
        """The same with what interventions make of it at one of the places that can be changed."""
        change, at = self.trace.layer_inputs(self.layer, (place,)), PLACES.index(place)
        scale = change.stream_scale[at, position] if head is None else change.head_scale[position, head]
        added = float(change.vectors[change.added[at, position], column])
        kinds = tuple(kind.scaled(float(scale)) for kind in parts.kinds)
        return parts._replace(kinds=(*kinds, single("added by an intervention", added)) if added else kinds)


def embedding(site: Site, position: int, column: int) -> Parts:
    """A number of the token's row."""
    token = site.trace.computed_ids[position]
    value = float(site.checkpoint.weights["wte.weight"][token, column])
    return Parts("", (single(f"wte.weight[{token}, {column}]", value),))


def position_embedding(site: Site, position: int, column: int) -> Parts:
    """A number of the position's row."""
    value = float(site.checkpoint.weights["wpe.weight"][position, column])
    return Parts("", (single(f"wpe.weight[{position}, {column}]", value),))


def resid_pre(site: Site, position: int, column: int) -> Parts:
    """What comes into a block: the two embeddings, or what leaves the block below."""
    before = ("hook_embed", "hook_pos_embed")
    names = before if site.layer == 0 else (f"blocks.{site.layer - 1}.{RESID_POST}",)
    kinds = tuple(site.number(name, position, column) for name in names)
    return site.changed(Parts("", kinds), RESID_PRE, position, column)


def resid_mid(site: Site, position: int, column: int) -> Parts:
    """The stream and what attention adds."""
    return Parts("", tuple(site.number(site.name(hook), position, column) for hook in (RESID_PRE, "hook_attn_out")))


def resid_post(site: Site, position: int, column: int) -> Parts:
    """The stream and what the MLP adds."""
    kinds = tuple(site.number(site.name(hook), position, column) for hook in ("hook_resid_mid", MLP_OUT))
    return site.changed(Parts("", kinds), RESID_POST, position, column)


def norm_scale(site: Site, position: int) -> Parts:
    """What a norm divides by: the root of its stream's variance and epsilon."""
    name, x, mean = _stream(site, position)
    terms = Terms(lambda i: f"(x[{i}] − mean)² / {len(x)}", (np.square(x - mean) / len(x),))
    epsilon = single("epsilon", site.trace.config.layer_norm_epsilon)
    return Parts(f"x = {name}[{position}]\nmean = {mean:.6f}", (terms, epsilon), SQUARE_ROOT)


def normalized(site: Site, position: int, column: int) -> Parts:
    """A number of the stream less the mean, by the scale."""
    name, x, mean = _stream(site, position)
    scale_hook = site.hook.replace("hook_normalized", "hook_scale")
    kinds = single(f"x[{column}]", float(x[column])), single("− mean", -mean)
    where = f"x = {name}[{position}]\ns = {scale_hook}[{position}]"
    return Parts(where, kinds, divided(float(site.trace.row(scale_hook, position))))


def _stream(site: Site, position: int) -> tuple[str, Floats, float]:
    """The stream that a norm reads: its hook, its row and the row's mean."""
    name = stream_read(site.hook, site.trace.config.n_layer)
    x = site.trace.row(name, position).astype(np.float64)
    return name, x, float(x.mean())


def projected(part: int) -> Make:
    """A number of a head's query (part 0), key (1) or value (2)."""

    def make(site: Site, position: int, head: int, column: int) -> Parts:
        config = site.trace.config
        out = part * config.n_embd + head * config.d_head + column
        return site.product("ln_1", site.normed("ln1", position), "attn.c_attn", out)

    return make


def attn_score(site: Site, head: int, query: int, key: int) -> Parts:
    """Query times key; minus infinity for a key that comes after the query."""
    q, k = (site.row(f"attn.hook_{part}", at)[head] for part, at in (("q", query), ("k", key)))  # [d_head]
    root = np.full(len(q), 1 / np.sqrt(len(q)))
    terms = Terms(lambda i: f"q[{i}] · k[{i}] / √{len(q)}", (q, k, root))
    q_name, k_name = site.name("attn.hook_q"), site.name("attn.hook_k")
    where = f"q = {q_name}[{query}, {head}]\nk = {k_name}[{key}, {head}]"
    return Parts(where, (terms, single("mask: the key comes later", -np.inf)) if key > query else (terms,))


def attn_weight(site: Site, head: int, query: int, key: int) -> Parts:
    """The share of a key among all keys that the query may look at."""
    name, labels = site.name("attn.hook_attn_scores"), site.trace.labels
    scores = site.trace.queries(name, query, query + 1)[head, 0, : query + 1].astype(np.float64)  # [key]
    powers = np.exp(scores - scores.max())
    terms = Terms(lambda at: f"e^(s[{at}] − m) of {labels[at]}, s[{at}] = {scores[at]:.4f}", (powers,))
    where = f"s = {name}[{head}, {query}]\nm = {scores.max():.6f}, the largest of them"
    return Parts(where, (terms,), share(float(powers[key]) if key <= query else 0.0))


def mixed(site: Site, position: int, head: int, column: int) -> Parts:
    """A number of what a head found: the values, by their weights."""
    pattern, v, labels = site.name("attn.hook_pattern"), site.name("attn.hook_v"), site.trace.labels
    weights = site.trace.queries(pattern, position, position + 1)[head, 0, : position + 1].astype(np.float64)  # [key]
    values = site.trace[v][: position + 1, head, column].astype(np.float64)  # [key]
    terms = Terms(lambda at: f"pattern[{at}] · v[{at}, {column}] of {labels[at]}", (weights, values))
    where = f"pattern = {pattern}[{head}, {position}]\nv = {v}[:, {head}]"
    place = head * site.trace.config.d_head + column
    return site.changed(Parts(where, (terms,)), Z, position, place, head)


def attn_out(site: Site, position: int, column: int) -> Parts:
    """A number of what attention adds: each head's write, and the bias."""
    z, name = site.row(Z, position), f"h.{site.layer}.attn.c_proj"  # [head, d_head]
    writes = (z * site.weight("attn.c_proj.weight")[column].reshape(z.shape)).sum(axis=1)  # [head]
    terms = Terms(lambda head: f"z[{head}] · W[{column}] of L{site.layer}·H{head}", (writes,))
    bias = single(f"b[{column}]", float(site.weight("attn.c_proj.bias")[column]))
    return Parts(f"z = {site.name(Z)}[{position}]\nW = {name}.weight, by head\nb = {name}.bias", (terms, bias))


def neuron_pre(site: Site, position: int, neuron: int) -> Parts:
    """What a neuron reads."""
    return site.product("ln_2", site.normed("ln2", position), "mlp.c_fc", neuron)


def neuron_post(site: Site, position: int, neuron: int) -> Parts:
    """How far a neuron fires."""
    finish = Finish("gelu({})", lambda total: float(gelu(np.array(total))))
    return neuron_pre(site, position, neuron)._replace(finish=finish)


def mlp_out(site: Site, position: int, column: int) -> Parts:
    """A number of what the MLP adds: each neuron's write, and the bias."""
    parts = site.product(site.name("mlp.hook_post"), site.row("mlp.hook_post", position), "mlp.c_proj", column)
    return site.changed(parts, MLP_OUT, position, column)


def logit(site: Site, position: int, token: int) -> Parts:
    """The final vector times a token's row of the unembedding."""
    row = site.checkpoint.weights["lm_head.weight"][token].astype(np.float64)
    terms = Terms(lambda i: f"x[{i}] · W[{token}, {i}]", (site.normed("ln_final", position), row))
    return Parts(f"x = ln_f of blocks.{site.layer}.{RESID_POST}[{position}]\nW = lm_head.weight", (terms,))


OPERANDS: dict[str, Make] = {
    "hook_embed": embedding,
    "hook_pos_embed": position_embedding,
    RESID_PRE: resid_pre,
    "hook_scale": norm_scale,
    "hook_normalized": normalized,
    "attn.hook_q": projected(0),
    "attn.hook_k": projected(1),
    "attn.hook_v": projected(2),
    "attn.hook_attn_scores": attn_score,
    "attn.hook_pattern": attn_weight,
    Z: mixed,
    "hook_attn_out": attn_out,
    "hook_resid_mid": resid_mid,
    "mlp.hook_pre": neuron_pre,
    "mlp.hook_post": neuron_post,
    MLP_OUT: mlp_out,
    RESID_POST: resid_post,
    "logits": logit,
}
