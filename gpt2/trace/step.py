"""One forward pass of a run: the tokens that went in, the captures, and the token drawn."""

from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import TraceError
from gpt2.model.inputs import RESID_POST
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Distribution, Draw, entropy_bits, softmax

from .captures import Captures, Level
from .timing import Timing

Array = NDArray[np.float32]

# The points of a block whose vectors' lengths a summary stores, in the order of the forward pass.
NORMS = ("hook_resid_pre", "hook_attn_out", "hook_resid_mid", "hook_mlp_out", "hook_resid_post")


@dataclass(frozen=True)
class LensRows:
    """The logit lens at one position, top tokens only, from the embedding up to the last block.

    Shapes: tokens, probabilities [n_layer + 1, k], most likely first; drawn [n_layer + 1], the probability that each
    row gives to the token drawn at this step. Row 0 reads `blocks.0.hook_resid_pre`, row l + 1
    `blocks.{l}.hook_resid_post`.
    """

    tokens: NDArray[np.int32]
    probabilities: Array
    drawn: Array

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.tokens.nbytes + self.probabilities.nbytes + self.drawn.nbytes


@dataclass(frozen=True)
class Summary:
    """A few numbers of a step that pictures of the whole run need, kept when the captures behind them are dropped.

    Attributes:
        norms: lengths of the vectors at the points `NORMS`.
        value_norms: lengths of the value vectors `attn.hook_v`.
        entropy: of the model's own next-token distribution, in bits.
        surprisal: of the token drawn, in bits; None if nothing was drawn.
    Shapes: norms [5, layer, seq], value_norms [layer, seq, head].
    """

    norms: Array
    value_norms: Array
    entropy: float
    surprisal: float | None

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.norms.nbytes + self.value_norms.nbytes


class StepId:
    """Tells one step from every other. A squeezed step keeps its identity: the same step in fewer bytes."""


@dataclass(frozen=True)
class Step:
    """One forward pass, and the token sampled from its last row of logits.

    Attributes:
        ids: the tokens that went in: the prompt, or the one token drawn before.
        start: position of the first of them.
        captures: every hook by name, for these positions only (`query` is these positions, `key` all up to them),
            and `logits` [1, vocab] of the last position. Arrays are read-only. A squeezed step lacks some.
        draw: the next token and how it was chosen; None if the run only looked.
        ms: milliseconds the forward pass took: `timing`'s model and capture.
        lens: the logit lens at the last position, or None if it was not read.
        interventions: the changes made during this pass.
        summary: numbers that were read from the captures before some were dropped; None while all are stored.
        timing: all its milliseconds, part by part; None in runs recorded before they were measured.
        identity: this very step's; a resampled step has another.
    """

    ids: tuple[int, ...]
    start: int
    captures: Captures
    draw: Draw | None
    ms: float
    lens: LensRows | None = None
    interventions: Interventions = field(default_factory=Interventions)
    summary: Summary | None = None
    timing: Timing | None = None
    identity: StepId = field(default_factory=StepId, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Lock the arrays: a step that is on a screen must not change."""
        lens = () if self.lens is None else (self.lens.tokens, self.lens.probabilities, self.lens.drawn)
        for array in lens:
            array.setflags(write=False)

    @property
    def stop(self) -> int:
        """One past the position of the newest token."""
        return self.start + len(self.ids)

    @property
    def logits(self) -> Array:
        """Logits after the newest token. Shapes: [vocab].

        Raises:
            TraceError: if they were dropped; `Trace.step` recomputes them if the model is loaded.
        """
        if "logits" not in self.captures:
            raise TraceError(
                "The logits of this step were dropped to save memory; load the model that made this run to see them."
            )
        return self.captures["logits"][-1]

    @property
    def distribution(self) -> Distribution:
        """The next-token distribution as the draw saw it, stage by stage.

        Raises:
            TraceError: if nothing was drawn at this step, or its logits were dropped.
        """
        if self.draw is None:
            raise TraceError("Nothing was drawn at this step.")
        return Distribution.of(self.logits, self.draw.sampling)

    @cached_property
    def nbytes(self) -> int:
        """Bytes that the captures, the lens and the summary hold."""
        return self.captures.nbytes + sum(part.nbytes for part in (self.lens, self.summary) if part is not None)

    @cached_property
    def norms(self) -> Array:
        """Lengths of the stream's vectors and of its additions. Shapes: [5, layer, seq], in the order of `NORMS`."""
        if self.summary is not None:
            return self.summary.norms
        layers = range(self.captures.n_layer)
        rows = [[lengths(self.captures[f"blocks.{layer}.{name}"]) for layer in layers] for name in NORMS]
        return np.array(rows, np.float32)

    @cached_property
    def value_norms(self) -> Array:
        """Lengths of the value vectors. Shapes: [layer, seq, head]."""
        if self.summary is not None:
            return self.summary.value_norms
        layers = range(self.captures.n_layer)
        return np.array([lengths(self.captures[f"blocks.{layer}.attn.hook_v"]) for layer in layers], np.float32)

    @cached_property
    def choice(self) -> tuple[float, float | None]:
        """Entropy of the model's own distribution and surprisal of the token drawn, in bits."""
        if self.summary is not None:
            return self.summary.entropy, self.summary.surprisal
        return choice_bits(self.logits, self.draw)

    def squeezed(self, level: Level) -> "Step":
        """The same step with its captures stored as `level` stores them."""
        captures = self.captures.squeezed(level, mlp_out_layers(self.interventions))
        if captures is self.captures:
            return self
        summary = self.summary or Summary(self.norms, self.value_norms, *self.choice)
        return replace(self, captures=captures, summary=summary)

    def timed(self, timing: Timing) -> "Step":
        """The same step with all its milliseconds, which are known only once it has been stored.

        A copy, unlike `replace`, keeps the norms that have been computed.
        """
        step = copy(self)
        object.__setattr__(step, "timing", timing)
        return step

    def with_logits(self, logits: Array) -> "Step":
        """The same step with its logits [vocab], recomputed from the stream."""
        return replace(self, captures=self.captures.with_logits(logits[None]))

    def resampled(self, draw: Draw, lens: LensRows) -> "Step":
        """Another step with the same captures and another draw."""
        summary = self.summary
        if summary is not None:
            summary = replace(summary, surprisal=choice_bits(self.logits, draw)[1])
        return replace(self, draw=draw, lens=lens, summary=summary, identity=StepId())


def mlp_out_layers(interventions: Interventions) -> frozenset[int]:
    """The layers of which a squeezed step stores `hook_mlp_out`, since no difference of two stored points gives it.

    There an intervention changes the sum of stream and MLP.
    """
    return interventions.layers_changed(RESID_POST)


def choice_bits(logits: Array, draw: Draw | None) -> tuple[float, float | None]:
    """Entropy of the softmax of these logits [vocab], and surprisal of the token drawn, in bits."""
    probabilities = softmax(logits)
    if draw is None:
        return entropy_bits(probabilities), None
    # The smallest double keeps a probability that underflowed to 0 finite.
    chance = max(float(probabilities[draw.token]), float(np.finfo(np.float64).tiny))
    return entropy_bits(probabilities), float(-np.log2(chance))


def cosine(one: Array, other: Array) -> float:
    """How far two vectors point the same way, from -1 to 1; 0 if one of them has no length. Shapes: both [width]."""
    scale = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(one @ other) / scale if scale else 0.0


def lengths(vectors: Array) -> Array:
    """Each vector's length. Shapes: [..., width] -> [...]."""
    return np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
