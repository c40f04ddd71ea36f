"""The head shown large while none is locked: it rests on one head while tokens come, so that steps can be compared."""

from dataclasses import dataclass

from gpt2.trace.trace import Trace

from .pack import pattern_rows
from .sentences import sharpest_head

ENOUGH = 3  # tokens: after fewer there is no head to rest on, as almost all of them look at the first token


@dataclass(frozen=True)
class RestingHead:
    """Where the frame rests: on the sharpest head of a step, which is told beside it."""

    layer: int
    head: int
    step: int


class Rest:
    """The resting head of one visit, the same on every page: that of the first step shown of these tokens.

    Attributes:
        follows: whether the visitor lets the frame follow each step's sharpest head instead.
        head: where it rests; None before a step has read enough, or if the step's patterns are not in memory.
    """

    def __init__(self) -> None:
        """Rest on no head yet."""
        self.follows = False
        self.head: RestingHead | None = None
        self._read: tuple[str, tuple[int, ...]] = "", ()  # by which model, and which tokens

    def settle(self, run: Trace, cursor: int) -> None:
        """Rest on a head of this run, whose step `cursor` is shown; another run of the same tokens keeps the head."""
        model, ids = self._read
        if self.head is not None and run.model == model and run.ids[: len(ids)] == ids:
            return
        self.head = None
        shown = min(cursor, len(run.steps) - 1)
        for number, step in enumerate(run.steps):
            if number >= shown and step.stop >= ENOUGH:
                patterns = pattern_rows(run, step, len(step.ids) - 1)[:, :, -1]  # [layer, head, key]
                if patterns.size:
                    layer, head, _ = sharpest_head(patterns)
                    self.head, self._read = RestingHead(layer, head, number), (run.model, run.ids[: step.stop])
                return
