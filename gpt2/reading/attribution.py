"""Why this token: direct logit attribution, what each part of the residual stream adds to a logit. NumPy alone.

The vector that leaves the last block is a sum: the two embeddings, what each head, each bias of attention and each MLP
wrote, and what interventions added. The final norm subtracts its mean, divides by its scale s and multiplies by a gain
w; the unembedding takes the dot product with a token's row u. With s as it was, all of that is linear, so a part c adds

    (c - mean(c)) / s * w @ u

and all parts, with the final norm's bias b @ u as one of its own, add up to the logit (Elhage et al., 2021; like
`logit_attrs` in TransformerLens, which leaves the bias out). It is the *direct* effect: what later parts make of c
counts as theirs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.errors import SettingsError, TraceError
from gpt2.model.inputs import MLP_OUT, PLACES, RESID_POST, RESID_PRE, LayerInputs, Z
from gpt2.model.plain import integer
from gpt2.trace.step import Step
from gpt2.trace.trace import Trace

from .lens import read_lens
from .logit_parts import ATTENTION_BIAS, CHANGE, FINAL_BIAS, HEAD, MLP, POSITION, TOKEN, Attribution, LookedAt, Part
from .tables import Tables

Floats = NDArray[np.float64]


def attribute(
    trace: Trace, checkpoint: Checkpoint, token: int, against: int | None = None, position: int = -1
) -> Attribution:
    """What each part of the model adds to a token's logit, or to the difference of two tokens' logits.

    Interventions count as they were: a scale in the parts that it scaled, a vector that was added as a part of its own.

    Args:
        trace: any run; captures that it dropped are recomputed if it can.
        checkpoint: the weights that made it.
        token: an id of the vocabulary.
        against: the token whose logit is subtracted, if any.
        position: the position after which the token comes; -1 is the newest.

    Raises:
        SettingsError: if there is no such token or position, or both tokens are the same.
        TraceError: if other weights made the run, or a capture was dropped and cannot be recomputed; it is named.
    """
    at = checked_position(trace, position)
    tokens = [_checked_token(trace, one) for one in (token, against) if one is not None]
    if len(set(tokens)) < len(tokens):
        raise SettingsError("Give two different tokens: the logits of one and the same differ by 0.")
    check_weights(trace, checkpoint, at)
    reader = Reader.of(trace, checkpoint, tokens, at)
    logits, is_captured = logits_at(trace, checkpoint, at)
    logit = float(logits[tokens[0]]) - (float(logits[tokens[1]]) if len(tokens) == 2 else 0.0)
    parts = tuple(reader.parts(trace, checkpoint))
    return Attribution(at, tokens[0], tokens[1] if len(tokens) == 2 else None, parts, logit, is_captured, reader.scale)


def looked_at(trace: Trace, checkpoint: Checkpoint, found: Attribution, layer: int, head: int) -> LookedAt:
    """What each token that a head looked at brought to its part of an attribution of the same run.

    Raises:
        SettingsError: if the model has no such head.
        TraceError: if a capture was dropped and cannot be recomputed; it is named.
    """
    parts = [part for part in found.of_kind(HEAD) if (part.layer, part.head) == (layer, head)]
    if not parts:
        raise SettingsError(f"There is no head L{layer}·H{head} in this model; give a layer and a head that it has.")
    at, reader = found.position, Reader.of_attribution(trace, checkpoint, found)
    name = f"blocks.{layer}.attn"
    pattern = trace.queries(f"{name}.hook_pattern", at, at + 1)[head, 0, : at + 1].astype(np.float64)  # [key]
    values = trace[f"{name}.hook_v"][: at + 1, head].astype(np.float64)  # [key, d_head]
    scale = reader.factors[2 * layer + 1] * float(reader.changes[layer].head_scale[0, head])
    return LookedAt(parts[0], pattern, scale * pattern * (values @ reader.of_heads(checkpoint, layer)[head]))


def logits_at(trace: Trace, checkpoint: Checkpoint, position: int) -> tuple[NDArray[np.float32], bool]:
    """The logits after a position, and whether they were captured; others are read from the top of the stream.

    Shapes: [vocab].
    """
    captures = step_at(trace, position).captures
    if "logits" in captures and step_at(trace, position).stop - 1 == position:
        return captures["logits"][-1], True
    top = trace.row(f"blocks.{trace.config.n_layer - 1}.hook_resid_post", position)
    return read_lens(checkpoint, top[None])[0], False


def first_and_runner_up(trace: Trace, logits: NDArray[np.float32], position: int) -> tuple[int, int]:
    """The token drawn after a position, or the likeliest if none was, and the likeliest other one.

    Shapes: logits [vocab], those after the position.
    """
    step = step_at(trace, position)
    is_drawn = step.draw is not None and step.stop - 1 == position
    first = step.draw.token if is_drawn and step.draw is not None else int(logits.argmax())
    others = logits.copy()
    others[first] = -np.inf
    return first, int(others.argmax())


def checked_position(trace: Trace, position: int) -> int:
    """A position of the run; one that counts from the end made plain.

    Raises:
        SettingsError: if the run has no such position.
        TraceError: if it has none at all.
    """
    if not trace.seq:
        raise TraceError("This run has no steps yet.")
    at = integer(position, "A position")
    if not -trace.seq <= at < trace.seq:
        raise SettingsError(f"There is no position {at}; this run's go from 0 to {trace.seq - 1}.")
    return at % trace.seq


@dataclass(frozen=True)
class Reader:
    """How a logit is read from the stream at one position.

    Attributes:
        position, scale: the position, and the final norm's scale there.
        unembedding: of the token, less the other's if there is one; the final norm's bias is read along it.
        changes: the interventions at this position, layer by layer.
    Shapes: unembedding, direction [d_model]; a vector c of the stream adds c @ direction. factors [2 layer + 1]: by
        what all later scales of interventions multiply what is in the stream before each of its two places in a block,
        and at the end.
    """

    position: int
    scale: float
    unembedding: Floats
    direction: Floats
    factors: Floats
    changes: list[LayerInputs]

    @classmethod
    def of(cls, trace: Trace, checkpoint: Checkpoint, tokens: list[int], position: int) -> "Reader":
        """For a token's logit, or the first token's less the second's."""
        weights, n_layer = checkpoint.weights, trace.config.n_layer
        rows = weights["lm_head.weight"][tokens].astype(np.float64)
        unembedding = rows[0] - rows[1] if len(rows) == 2 else rows[0]  # [d_model]
        gained = weights["ln_f.weight"] * unembedding
        scale = float(trace.row("ln_final.hook_scale", position))
        inputs = step_at(trace, position).interventions.inputs(trace.config, position, position + 1)
        changes = [inputs.layer(layer) for layer in range(n_layer)]
        places = [PLACES.index(RESID_PRE), PLACES.index(RESID_POST)]
        scales = np.array([change.stream_scale[places, 0] for change in changes], np.float64).ravel()
        factors = np.append(np.cumprod(scales[::-1])[::-1], 1.0)
        # (c - mean(c)) @ g is c @ (g - mean(g)): centring the direction once centres every part.
        direction = (gained - gained.mean()) / scale
        return cls(position, scale, unembedding, direction, factors, changes)

    def of_heads(self, checkpoint: Checkpoint, layer: int) -> Floats:
        """The same direction before c_proj, whose weight is [out, in]. Shapes: -> [head, d_head]."""
        weight = checkpoint.weights[f"h.{layer}.attn.c_proj.weight"]
        return (self.direction @ weight.astype(np.float64)).reshape(checkpoint.config.n_head, -1)

    def operands(self, trace: Trace, checkpoint: Checkpoint, part: Part) -> tuple[Floats, Floats]:
        """The vector of a part that no intervention added, and what it is read along; their product is the part.

        Shapes: both [d_model], of a head [d_head].
        """
        if part.kind == FINAL_BIAS:
            return checkpoint.weights[part.hook].astype(np.float64), self.unembedding
        if part.kind in (TOKEN, POSITION):
            return self._row(trace, part.hook), self.factors[0] * self.direction
        layer = part.layer or 0
        after = self.factors[2 * layer + 1]
        if part.kind == ATTENTION_BIAS:
            return checkpoint.weights[part.hook].astype(np.float64), after * self.direction
        change, place = self.changes[layer], PLACES.index(Z if part.kind == HEAD else MLP_OUT)
        row = self._row(trace, part.hook)
        own = row - change.vectors[change.added[place, 0]].reshape(row.shape)
        if part.kind == MLP:
            return own, after * self.direction
        return own[part.head], after * self.of_heads(checkpoint, layer)[part.head]

    @classmethod
    def of_attribution(cls, trace: Trace, checkpoint: Checkpoint, found: Attribution) -> "Reader":
        """As an attribution of the same run was read."""
        tokens = [found.token] if found.against is None else [found.token, found.against]
        return cls.of(trace, checkpoint, tokens, found.position)

    def parts(self, trace: Trace, checkpoint: Checkpoint) -> Iterator[Part]:
        """Every part, in the order of the forward pass."""
        for kind, hook in ((TOKEN, "hook_embed"), (POSITION, "hook_pos_embed")):
            yield Part(kind, float(self.factors[0] * (self._row(trace, hook) @ self.direction)), hook)
        for layer in range(trace.config.n_layer):
            yield from self._block(trace, checkpoint, layer)
        yield Part(FINAL_BIAS, float(checkpoint.weights["ln_f.bias"] @ self.unembedding), "ln_f.bias")

    def _block(self, trace: Trace, checkpoint: Checkpoint, layer: int) -> Iterator[Part]:
        block, after, later = f"blocks.{layer}", float(self.factors[2 * layer + 1]), float(self.factors[2 * layer + 2])
        change = self.changes[layer]
        added = {place: change.vectors[change.added[PLACES.index(place), 0]].astype(np.float64) for place in PLACES}
        write = self.of_heads(checkpoint, layer)  # [head, d_head]
        z, added_z = self._row(trace, f"{block}.{Z}"), added[Z].reshape(write.shape)
        name = f"h.{layer}.attn.c_proj.bias"

        def change_at(place: str, logit: float) -> Iterator[Part]:
            if added[place].any():
                yield Part(CHANGE, logit, f"{block}.{place}", layer)

        yield from change_at(RESID_PRE, after * float(added[RESID_PRE] @ self.direction))
        for head, logit in enumerate(after * ((z - added_z) * write).sum(axis=1)):
            yield Part(HEAD, float(logit), f"{block}.{Z}", layer, head)
        yield from change_at(Z, after * float((added_z * write).sum()))
        yield Part(ATTENTION_BIAS, after * float(checkpoint.weights[name] @ self.direction), name, layer)
        own = self._row(trace, f"{block}.{MLP_OUT}") - added[MLP_OUT]
        yield Part(MLP, after * float(own @ self.direction), f"{block}.{MLP_OUT}", layer)
        yield from change_at(MLP_OUT, after * float(added[MLP_OUT] @ self.direction))
        yield from change_at(RESID_POST, later * float(added[RESID_POST] @ self.direction))

    def _row(self, trace: Trace, hook: str) -> Floats:
        return trace.row(hook, self.position).astype(np.float64)


def step_at(trace: Trace, position: int) -> Step:
    """The step that took a position."""
    return next(step for step in trace.steps if step.start <= position < step.stop)


def _checked_token(trace: Trace, token: int) -> int:
    found = integer(token, "A token id")
    if not 0 <= found < trace.config.vocab_size:
        raise SettingsError(f"There is no token {found}; this model's go from 0 to {trace.config.vocab_size - 1}.")
    return found


def check_weights(trace: Trace, checkpoint: Checkpoint, position: int) -> None:
    """Refuse weights that did not make this run, as far as its token and position there can tell."""
    tables = Tables(checkpoint.weights["wte.weight"], checkpoint.weights["wpe.weight"])
    token = trace.computed_ids[position]
    if checkpoint.config != trace.config or not tables.hold([token], trace.row("hook_embed", position)[None]):
        raise TraceError(f"{checkpoint.name} did not make this run; load {trace.model}, which did.")
