"""Steering: a direction added to the residual stream before a block, as long as a share of the stream itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import SettingsError
from gpt2.model.interventions import Interventions
from gpt2.model.plain import number, quoted
from gpt2.text.one_token import token_id
from gpt2.trace.step import lengths
from gpt2.trace.trace import Trace

from .ablation import Result
from .effect import effect_of
from .part import Positions, share_in_words, stream, where
from .passes import Prompt, observe, read

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Direction:
    """A unit vector [d_model], and what it is in words."""

    vector: Array
    says: str


@dataclass(frozen=True)
class Steering:
    """A direction added to the stream before a block.

    Attributes:
        interventions: the addition.
        factor: the length of the added vector.
        mean_length: the stream's mean length there, over the run's positions but the first, whose vector is often many
            times as long as all others.
    """

    interventions: Interventions
    factor: float
    mean_length: float


def token_direction(engine: "Engine", token: int) -> Direction:
    """The unembedding's row of a token, raw, of length 1.

    Raises:
        SettingsError: if there is no such token.
    """
    if not 0 <= token < engine.config.vocab_size:
        raise SettingsError(f"There is no token {token}; this model's run from 0 to {engine.config.vocab_size - 1}.")
    weights = engine.checkpoint.weights
    row = weights.get("lm_head.weight", weights["wte.weight"])[token]
    return _unit(row, f"the unembedding of {engine.tokenizer.vocabulary.label(token)}")


def prompt_direction(toward: Trace, away: Trace, layer: int) -> Direction:
    """The difference of two prompts' streams before a block, at the newest token of each.

    Raises:
        SettingsError: if the model has no such layer, or both streams are the same there.
    """
    ends = [stream(layer).values(trace)[-1] for trace in (toward, away)]
    return _unit(ends[0] - ends[1], f"the stream of {toward.text!r} minus that of {away.text!r}")


def _unit(vector: Array, says: str) -> Direction:
    length = float(np.linalg.norm(vector))
    if not 0 < length < np.inf:
        raise SettingsError("This direction has no length, so nothing can be added along it; choose another.")
    return Direction(np.asarray(vector / length, np.float32), says)


def steering(trace: Trace, direction: Direction, layer: int, dose: float, positions: Positions = None) -> Steering:
    """Add a direction to the stream before a block of this run; a dose of 1 is as long as the stream itself.

    Raises:
        SettingsError: if the model has no such layer, or the dose is not finite, or far too large.
    """
    share = number(dose)
    if share is None or not np.isfinite(share):
        raise SettingsError(f"A dose must be a finite number, such as 0.5, not {quoted(dose)}.")
    norms = lengths(stream(layer).values(trace))
    mean = float(norms[1:].mean() if len(norms) > 1 else norms[0])
    factor = float(share) * mean
    added = stream(layer).added(np.asarray(factor * direction.vector.astype(np.float64)), positions)
    return Steering(Interventions(additions=(added,)), factor, mean)


def steering_in_words(direction: Direction, layer: int, made: Steering, dose: float, positions: Positions) -> str:
    """What a steering does, for a label: the dose, the factor beside it, and always the positions."""
    return (
        f"{direction.says} added to {stream(layer).name} {where(positions)}, {abs(made.factor):.1f} long: "
        f"{share_in_words(dose)} of the "
        f"stream's mean length there, {made.mean_length:.1f}"
    )


def steer(
    engine: "Engine",
    prompt: Prompt,
    layer: int,
    dose: float,
    toward: int | Prompt,
    away: Prompt | None = None,
    positions: Positions = None,
    token: str | int | None = None,
    against: str | int | None = None,
) -> Result:
    """Add a direction to the stream before a block, and measure what becomes of the next token.

    >>> import gpt2
    >>> engine = gpt2.load("bundled")
    >>> (king,) = engine.tokenizer.encode(" king")
    >>> found = gpt2.steer(engine, "Once upon a time there was a", layer=4, dose=0.5, toward=king, token=king)
    >>> before, after = found.effect.probability
    >>> after > before
    True

    Args:
        engine: the model.
        prompt: a text, or token ids.
        layer: the block before which the stream is steered.
        dose: how long the added vector is, as a share of the stream's mean length there; below 0 it points away.
        toward: a token, whose unembedding is the direction; or a prompt, and then `away` is another.
        away: the prompt whose stream is taken off that of `toward`.
        positions: where; None is everywhere, and -1 is the prompt's last.
        token: the token that is watched, its text or its id; unless given, the one that was most likely before.
        against: the token that its logit is compared with; unless given, the runner-up.

    Raises:
        PromptError: if a prompt cannot be run.
        SettingsError: if the model has no such layer, position or token, or the dose cannot be added.
        EngineError: if the pass overflowed.
    """
    stream(layer).check(engine.config)
    base = observe(engine, prompt)
    if isinstance(toward, int):
        direction = token_direction(engine, toward)
    elif away is None:
        raise SettingsError("Steering towards a prompt needs another to steer away from; give `away` too.")
    else:
        direction = prompt_direction(observe(engine, toward), observe(engine, away), layer)
    made = steering(base, direction, layer, dose, positions)
    after = read(engine, base.computed_ids, made.interventions).logits
    says = steering_in_words(direction, layer, made, dose, positions)
    watched = token_id(token, engine.tokenizer), token_id(against, engine.tokenizer)
    return Result(made.interventions, says, effect_of(base.steps[-1].logits, after, *watched))
