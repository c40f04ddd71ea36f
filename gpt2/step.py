"""One forward pass of a run: what went in, what was captured, what was drawn."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .captures import Captures
from .errors import TraceError
from .interventions import Interventions
from .sampling import Distribution, Draw, entropy_bits, softmax
from .timing import Timing

Array = NDArray[np.float32]

# The points of a block whose vectors' lengths a step remembers, in the order of the forward pass.
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
    """A few numbers of a step that pictures of the whole run need, kept when the captures behind them are let go.

    Attributes:
        norms: lengths of the vectors at the points `NORMS`.
        value_norms: lengths of the value vectors `attn.hook_v`.
        entropy: of the model's own next-token distribution, in bits.
        surprisal: of the token drawn, in bits; None where nothing was drawn.
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


class Mark:
    """What tells one step from every other. A squeezed step keeps its mark: the same step, kept in fewer bytes."""


@dataclass(frozen=True)
class Step:
    """One forward pass, and the draw made from its last row of logits.

    Attributes:
        ids: the tokens that went in: the prompt, or the one token drawn before.
        start: position of the first of them.
        captures: every hook by name, for these positions only (`query` is these positions, `key` all up to them),
            and `logits` [1, vocab] of the last position. Arrays are read-only. A step that was squeezed lacks some.
        draw: the next token and how it was chosen; None where the run only looked.
        ms: milliseconds the forward pass took: `timing`'s model and capture.
        lens: the logit lens at the last position, or None if it was not read.
        interventions: what was changed during this pass.
        known: the step's summary where it was taken before captures were let go.
        timing: where all its milliseconds went; None in runs recorded before that was measured.
        mark: this very step's; a step drawn again is another one.
    """

    ids: tuple[int, ...]
    start: int
    captures: Mapping[str, Array]
    draw: Draw | None
    ms: float
    lens: LensRows | None = None
    interventions: Interventions = field(default_factory=Interventions)
    known: Summary | None = None
    timing: Timing | None = None
    mark: Mark = field(default_factory=Mark, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Lock the arrays: a step that is on a screen must not change."""
        lens = () if self.lens is None else (self.lens.tokens, self.lens.probabilities, self.lens.drawn)
        for array in lens:
            array.setflags(write=False)
        if not isinstance(self.captures, Captures):
            object.__setattr__(self, "captures", Captures(self.captures))

    @property
    def kept(self) -> Captures:
        """The captures, with how each is kept."""
        assert isinstance(self.captures, Captures)
        return self.captures

    @property
    def stop(self) -> int:
        """One past the position of the newest token."""
        return self.start + len(self.ids)

    @property
    def logits(self) -> Array:
        """Logits after the newest token. Shapes: [vocab].

        Raises:
            TraceError: if they were let go; `Trace.step` reads them again where the model is loaded.
        """
        if "logits" not in self.captures:
            raise TraceError(
                "The logits of this step were let go to save memory; load the model that made this run to see them."
            )
        return self.captures["logits"][-1]

    @property
    def distribution(self) -> Distribution:
        """The next-token distribution as the draw saw it, stage by stage.

        Raises:
            TraceError: if nothing was drawn at this step, or its logits were let go.
        """
        if self.draw is None:
            raise TraceError("Nothing was drawn at this step.")
        return Distribution.of(self.logits, self.draw.sampling)

    @cached_property
    def nbytes(self) -> int:
        """Bytes that the captures, the lens and the summary hold."""
        return self.kept.nbytes + sum(part.nbytes for part in (self.lens, self.known) if part is not None)

    @cached_property
    def norms(self) -> Array:
        """Lengths of the stream's vectors and of what is added. Shapes: [5, layer, seq], in the order of `NORMS`."""
        if self.known is not None:
            return self.known.norms
        layers = range(self.kept.n_layer)
        rows = [[lengths(self.captures[f"blocks.{layer}.{name}"]) for layer in layers] for name in NORMS]
        return np.array(rows, np.float32)

    @cached_property
    def value_norms(self) -> Array:
        """Lengths of the value vectors. Shapes: [layer, seq, head]."""
        if self.known is not None:
            return self.known.value_norms
        layers = range(self.kept.n_layer)
        return np.array([lengths(self.captures[f"blocks.{layer}.attn.hook_v"]) for layer in layers], np.float32)

    @cached_property
    def choice(self) -> tuple[float, float | None]:
        """Entropy of the model's own distribution and surprisal of the token drawn, in bits."""
        if self.known is not None:
            return self.known.entropy, self.known.surprisal
        return choice_bits(self.logits, self.draw)

    def squeezed(self, level: int) -> "Step":
        """The same step with its captures kept as `level` keeps them; see `captures`. Its mark stays."""
        kept = self.kept.squeezed(level)
        if kept is self.kept:
            return self
        known = self.known or Summary(self.norms, self.value_norms, *self.choice)
        step = replace(self, captures=kept, known=known)
        object.__setattr__(step, "mark", self.mark)
        return step

    def timed(self, timing: Timing) -> "Step":
        """The same step, told at last how long all of it took."""
        step = copy(self)
        object.__setattr__(step, "timing", timing)
        return step

    def with_logits(self, logits: Array) -> "Step":
        """The same step with its logits [vocab], read again from the stream."""
        step = replace(self, captures=self.kept.having("logits", logits[None]))
        object.__setattr__(step, "mark", self.mark)
        return step

    def drawn_again(self, draw: Draw, lens: LensRows) -> "Step":
        """Another step with the same captures and another draw."""
        known = self.known
        if known is not None:
            known = replace(known, surprisal=choice_bits(self.logits, draw)[1])
        return replace(self, draw=draw, lens=lens, known=known)


def choice_bits(logits: Array, draw: Draw | None) -> tuple[float, float | None]:
    """Entropy of the softmax of these logits [vocab], and surprisal of the token drawn, in bits."""
    probabilities = softmax(logits)
    if draw is None:
        return entropy_bits(probabilities), None
    # The smallest double keeps a probability that underflowed to 0 finite.
    chance = max(float(probabilities[draw.token]), float(np.finfo(np.float64).tiny))
    return entropy_bits(probabilities), float(-np.log2(chance))


def lengths(vectors: Array) -> Array:
    """Each vector's length. Shapes: [..., width] -> [...]."""
    return np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
