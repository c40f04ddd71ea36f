"""A changed run beside its base: both read the base's text, and the changed model also goes on by itself."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt2.engine.shutdown import CALLS_IN_FLIGHT
from gpt2.errors import SettingsError
from gpt2.model.interventions import Interventions
from gpt2.trace.step import StepId
from gpt2.trace.trace import Trace

from .effect import Effect, effect_of, kl_bits
from .passes import continuation, read

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

Array = NDArray[np.float32]
# How many rows of logits are read at once: those of GPT-2 take 200 kB each.
ROWS = 32


@dataclass(frozen=True, eq=False)
class Twin:
    """Base and changed, step by step. It holds a vector a step, from which the logits are read again when needed.

    Attributes:
        run_id, newest: the base run, and its newest step.
        prompt_ids: the prompt of both.
        base_ids: the tokens that the base drew.
        changed_ids: the tokens that the changed model has drawn so far, going on by itself with the base's settings.
        base, changed: the top of the stream where each step reads its logits, both on the base's text.
        kl: KL(base || changed) of each step's next token, in bits.
        is_complete: whether the changed model has drawn its last token.
    Shapes: base, changed [step, d_model]; kl [step].
    """

    run_id: str
    newest: StepId
    prompt_ids: tuple[int, ...]
    base_ids: tuple[int, ...]
    changed_ids: tuple[int, ...]
    base: Array
    changed: Array
    kl: NDArray[np.float64]
    is_complete: bool = False
    _watched: dict[int, tuple[list[float], list[float]]] = field(default_factory=dict, repr=False)  # the newest alone

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self.base.nbytes + self.changed.nbytes + self.kl.nbytes

    @property
    def parted_at(self) -> int | None:
        """The first step at which the two drew different tokens, or one had ended; None if they never have."""
        for at, (one, other) in enumerate(zip(self.base_ids, self.changed_ids, strict=False)):
            if one != other:
                return at
        if self.is_complete and len(self.base_ids) != len(self.changed_ids):
            return min(len(self.base_ids), len(self.changed_ids))
        return None

    def is_of(self, trace: Trace) -> bool:
        """Whether this run begins with the base as it was: numbers of another must never stand under its name."""
        at = len(self.kl) - 1
        return trace.run_id == self.run_id and len(trace.steps) > at and trace.steps[at].identity is self.newest

    def effect(self, engine: "Engine", step: int, token: int | None = None, against: int | None = None) -> Effect:
        """The effect on the next token at one step."""
        before, after = self.logits(engine, step)
        return effect_of(before, after, token, against)

    def logits(self, engine: "Engine", step: int) -> tuple[Array, Array]:
        """The logits of one step, of the base and of the changed model. Shapes: each [vocab]."""
        with CALLS_IN_FLIGHT:
            before, after = np.array(engine.lens(np.stack([self.base[step], self.changed[step]])))
        return before, after

    def probabilities(self, engine: "Engine", token: int) -> tuple[list[float], list[float]]:
        """One token's probability at every step, of the base and of the changed model."""
        if token in self._watched:
            return self._watched[token]
        found: tuple[list[float], list[float]] = ([], [])
        for rows, into in zip((self.base, self.changed), found, strict=True):
            for start in range(0, len(rows), ROWS):
                with CALLS_IN_FLIGHT:
                    logits = np.asarray(engine.lens(rows[start : start + ROWS]), np.float64)  # [step, vocab]
                powers = np.exp(logits - logits.max(axis=1, keepdims=True))
                into.extend((powers[:, token] / powers.sum(axis=1)).tolist())
        self._watched.clear()
        self._watched[token] = found
        return found


def twin(
    engine: "Engine", base: Trace, interventions: Interventions, stop: threading.Event | None = None
) -> Iterator[Twin]:
    """Run the changed model on a base run: first over the base's text, then on its own from the same prompt.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        SettingsError: if the base was itself made with changes, or these do not fit it.
        EngineError: if a pass overflowed.
    """
    check_unchanged(base)
    ids, prompt = base.computed_ids, base.prompt_ids
    at = [step.stop - 1 for step in base.steps]
    unchanged, changed = (
        np.array(read(engine, ids, changes, stop, len(prompt)).top[at]) for changes in (Interventions(), interventions)
    )
    kl, newest = _divergences(engine, unchanged, changed), base.steps[-1].identity
    made = Twin(base.run_id, newest, prompt, base.generated_ids, (), unchanged, changed, kl)
    yield made
    samplings = [step.draw.sampling for step in base.steps if step.draw is not None]
    for token in continuation(engine, prompt, interventions, samplings, stop):
        made = replace(made, changed_ids=(*made.changed_ids, token))
        yield made
    yield replace(made, is_complete=True)


def check_unchanged(base: Trace) -> None:
    """Refuse a base run that was itself made with changes: what is run beside it would lack them.

    Raises:
        SettingsError: if it was.
    """
    if any(step.interventions for step in base.steps):
        raise SettingsError("The run on the stage was itself made with changes; press Run to make one without.")


def _divergences(engine: "Engine", base: Array, changed: Array) -> NDArray[np.float64]:
    parts: list[NDArray[np.float64]] = []
    for start in range(0, len(base), ROWS):
        with CALLS_IN_FLIGHT:
            before, after = (engine.lens(rows[start : start + ROWS]) for rows in (base, changed))
            parts.append(kl_bits(before, after))
            del before, after
    return np.concatenate(parts)
