"""The parts of a logit: what `attribution` gives, and what one head's part is made of."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TOKEN, POSITION, HEAD, ATTENTION_BIAS, MLP, FINAL_BIAS, CHANGE = KINDS = (
    *("token embedding", "position embedding", "head", "attention bias", "MLP", "final norm's bias", "change"),
)


@dataclass(frozen=True)
class Part:
    """One part of the sum.

    Attributes:
        kind: one of `KINDS`; a change is a vector that an intervention added, wherever it did.
        logit: what it adds to the logit, or to the difference of two.
        hook: the capture that holds its vector, or the weights.
        layer, head: where it stands; None where it has none.
    """

    kind: str
    logit: float
    hook: str
    layer: int | None = None
    head: int | None = None

    @property
    def name(self) -> str:
        """Its name in a sentence: 'L2·H4', 'MLP of L2'."""
        if self.kind == HEAD:
            return f"L{self.layer}·H{self.head}"
        if self.kind == CHANGE:
            return f"change of L{self.layer}'s {self.hook.split('.', 2)[-1]}"
        return self.kind if self.layer is None else f"{self.kind} of L{self.layer}"


@dataclass(frozen=True)
class Attribution:
    """All parts of one logit, or of the difference of two, after the token at `position`.

    Attributes:
        position: the position after which the token comes.
        token, against: the token, and the one whose logit is subtracted; None for the token's own logit.
        parts: in the order of the forward pass.
        logit: what they should add up to: the model's own number.
        is_captured: whether that was captured; else it was read anew from the top of the stream.
        scale: the final norm's scale at that position, as it was.
    """

    position: int
    token: int
    against: int | None
    parts: tuple[Part, ...]
    logit: float
    is_captured: bool
    scale: float

    @property
    def total(self) -> float:
        """The sum of all parts."""
        return math.fsum(part.logit for part in self.parts)

    @property
    def error(self) -> float:
        """How far the sum is from the logit."""
        return abs(self.total - self.logit)

    @property
    def largest(self) -> list[Part]:
        """The parts by their size, whatever their sign, the largest first."""
        return sorted(self.parts, key=lambda part: -abs(part.logit))

    def of_kind(self, kind: str) -> list[Part]:
        """The parts of one kind."""
        return [part for part in self.parts if part.kind == kind]

    @property
    def heads(self) -> Floats:
        """What each head adds. Shapes: [layer, head]."""
        parts = self.of_kind(HEAD)
        return np.array([part.logit for part in parts]).reshape(1 + (parts[-1].layer or 0), -1)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        parts = [{"name": part.name, **asdict(part)} for part in self.parts]
        return {**asdict(self), "parts": parts, "total": self.total, "error": self.error}


@dataclass(frozen=True)
class LookedAt:
    """What each token that a head looked at brought: weight times value, written and read as the head's own part.

    Attributes: `part` is the head's own, to which they add up; the vectors that an intervention added are none of it.
    Shapes: pattern, logits [key], up to the position itself.
    """

    part: Part
    pattern: Floats
    logits: Floats

    @property
    def error(self) -> float:
        """How far the sum is from the head's part."""
        return abs(float(self.logits.sum()) - self.part.logit)

    @property
    def shares(self) -> Floats:
        """Each token's share of the head's part; below 0 where it works against it. Shapes: [key]."""
        return self.logits / (self.part.logit or np.nan)

    @property
    def order(self) -> list[int]:
        """The positions by the size of what they brought, the largest first."""
        return [int(key) for key in np.argsort(-np.abs(self.logits), kind="stable")]
