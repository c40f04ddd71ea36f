"""Planned changes: what a person has chosen, as data; made into interventions once the model reads the prompt."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gpt2.errors import SettingsError
from gpt2.model.interventions import Interventions
from gpt2.text.one_token import one_token
from gpt2.trace.trace import Trace

from .ablation import Kind, ablation, ablation_in_words, scaling
from .part import Part, share_in_words, where, written
from .passes import observe
from .patching import Pair, patch_in_words
from .steering import prompt_direction, steering, steering_in_words, token_direction

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

# Looks at a text of the person's: its trace.
Observe = Callable[[str], Trace]


class Plan(Protocol):
    """A change that can be made to any run of a model."""

    @property
    def says(self) -> str:
        """What is changed, in words, before anything is computed."""

    def make(self, engine: "Engine", base: Trace, look: Observe) -> tuple[Interventions, str]:
        """The interventions, and what they are in words; `base` is the trace of the run's prompt.

        Raises:
            GPT2Error: if it cannot be made.
        """


@dataclass(frozen=True)
class Mute:
    """Parts set to zero or to their mean, or multiplied by `factor` where `kind` is "scale"."""

    parts: tuple[Part, ...]
    kind: Kind | str = "zero"
    factor: float = 0.0
    positions: tuple[int, ...] | None = None

    @property
    def says(self) -> str:
        """What is changed."""
        if not self.parts:
            return ""
        if self.kind != "scale":
            return ablation_in_words(self.parts, "mean" if self.kind == "mean" else "zero", self.positions)
        names = ", ".join(part.name for part in self.parts)
        return f"{names} multiplied by {written(self.factor)} {where(self.positions)}"

    def make(self, engine: "Engine", base: Trace, look: Observe) -> tuple[Interventions, str]:
        """The scales, and for a mean the additions.

        Raises:
            SettingsError: if nothing is muted, or the model has no such part.
        """
        if not self.parts:
            raise SettingsError("Nothing is changed yet; pick a head or an MLP in the grid.")
        for part in self.parts:
            part.check(engine.config)
        if self.kind == "scale":
            return scaling(self.parts, self.factor, self.positions), self.says
        return ablation(self.parts, "mean" if self.kind == "mean" else "zero", self.positions, [base]), self.says


@dataclass(frozen=True)
class Steer:
    """A direction added before a block: a token's unembedding, or the difference of two prompts."""

    layer: int
    dose: float
    token: str = ""
    toward: str = ""
    away: str = ""
    positions: tuple[int, ...] | None = None

    @property
    def says(self) -> str:
        """What is added."""
        what = f"the unembedding of {self.token!r}" if self.token else f"{self.toward!r} minus {self.away!r}"
        is_whole = bool(self.token or (self.toward and self.away))
        return (
            f"{what} added before L{self.layer} {where(self.positions)}, dose {share_in_words(self.dose)}"
            if is_whole
            else ""
        )

    def make(self, engine: "Engine", base: Trace, look: Observe) -> tuple[Interventions, str]:
        """The addition.

        Raises:
            SettingsError: if the direction is not whole, has no length, or is too long.
            PromptError: if a prompt cannot be run, or the token is not one.
        """
        if self.token:
            direction = token_direction(engine, one_token(self.token, engine.tokenizer))
        elif self.toward and self.away:
            direction = prompt_direction(look(self.toward), look(self.away), self.layer)
        else:
            raise SettingsError("Nothing is added yet; type a token, or two prompts to steer towards and away from.")
        made = steering(base, direction, self.layer, self.dose, self.positions)
        return made.interventions, steering_in_words(direction, self.layer, made, self.dose, self.positions)


@dataclass(frozen=True)
class Patch:
    """A part as it was while the model read another prompt."""

    source: str
    part: Part
    positions: tuple[int, ...] | None = None
    align_end: bool = False

    @property
    def says(self) -> str:
        """What is taken from where."""
        return f"{self.part.name} taken from {self.source!r} {where(self.positions)}" if self.source else ""

    def make(self, engine: "Engine", base: Trace, look: Observe) -> tuple[Interventions, str]:
        """The scales and the additions.

        Raises:
            SettingsError: if the prompts cannot be paired, or there is no such part or position.
            PromptError: if the other prompt cannot be run.
        """
        if not self.source:
            raise SettingsError("Nothing is patched yet; type the prompt whose activation is to be taken.")
        self.part.check(engine.config)
        pair = Pair.unlike(look(self.source), base, self.align_end)
        return pair.changes(self.part, self.positions), patch_in_words(self.part, pair, self.positions)


Planned = Mute | Steer | Patch


def looking(engine: "Engine", stop: threading.Event, check: Callable[[int], None]) -> Observe:
    """Looks at texts in turns at the engine; `check` may refuse a number of tokens."""

    def look(text: str) -> Trace:
        run = engine.start(text, within_prompt=True)
        check(len(run.prompt_ids))
        return observe(engine, run.prompt_ids, stop)

    return look
