"""Ablation: heads and MLPs set to zero, to a mean, or scaled, at all positions or at some."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gpt2.errors import SettingsError
from gpt2.model.interventions import Interventions
from gpt2.model.plain import quoted
from gpt2.text.one_token import token_id
from gpt2.trace.trace import Trace

from .effect import Effect, effect_of
from .part import Part, Positions, parts_of, where
from .passes import Prompt, observe, read

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

Kind = Literal["zero", "mean"]


@dataclass(frozen=True)
class Result:
    """A change that was tried: the interventions, the change in words, and the effect on the next token."""

    interventions: Interventions
    says: str
    effect: Effect


def ablation(
    parts: Sequence[Part],
    kind: Kind = "zero",
    positions: Positions = None,
    references: Sequence[Trace] = (),
) -> Interventions:
    """The interventions that set parts to zero, or to their means.

    Zero: a head's `hook_z` becomes zero, with its share of the value bias; the output bias stays. An MLP's output
    becomes zero with its bias. Mean: the part's mean over all positions of the references stands in its place.

    Raises:
        SettingsError: if `kind` is neither, or a mean is asked for without references.
        TraceError: if a reference has dropped what is averaged.
    """
    if kind not in ("zero", "mean"):
        raise SettingsError(f"An ablation is 'zero' or 'mean', not {quoted(kind)}.")
    scales = tuple(part.scaled(0, positions) for part in parts)
    if kind == "zero":
        return Interventions(scales)
    if not references:
        raise SettingsError("A mean ablation needs the run, or the references, whose positions are averaged.")
    means = [np.concatenate([part.values(trace) for trace in references]).mean(axis=0) for part in parts]
    additions = tuple(part.added(mean, positions) for part, mean in zip(parts, means, strict=True))
    return Interventions(scales, additions)


def scaling(parts: Sequence[Part], factor: float, positions: Positions = None) -> Interventions:
    """The interventions that multiply parts by a factor; 1 changes nothing.

    Raises:
        SettingsError: if the factor is not a number within the limit of a scale.
    """
    return Interventions(tuple(part.scaled(factor, positions) for part in parts))


def ablation_in_words(parts: Iterable[Part], kind: Kind, positions: Positions, n_references: int = 0) -> str:
    """What an ablation does, for a label: its kind, its parts, and always the positions."""
    over = "this prompt's positions" if not n_references else f"the positions of {n_references} references"
    to = "set to zero" if kind == "zero" else f"set to the mean over {over}"
    return f"{', '.join(part.name for part in parts)} {to} {where(positions)}"


def ablate(
    engine: "Engine",
    prompt: Prompt,
    heads: Iterable[Sequence[int]] = (),
    mlps: Iterable[int] = (),
    kind: Kind = "zero",
    positions: Positions = None,
    references: Sequence[Prompt] = (),
    token: str | int | None = None,
    against: str | int | None = None,
) -> Result:
    """Ablate heads and MLPs, and measure what becomes of the next token.

    >>> import gpt2
    >>> engine = gpt2.load("bundled")
    >>> found = gpt2.ablate(engine, "Once upon a time", heads=[(2, 4)], mlps=[0])
    >>> found.says
    'L2·H4, the MLP of L0 set to zero at all positions'
    >>> before, after = found.effect.probability
    >>> after < before and found.effect.kl > 0
    True

    Args:
        engine: the model.
        prompt: a text, or token ids.
        heads: pairs of layer and head.
        mlps: layers.
        kind: zero, or mean: over the prompt's own positions, or over those of the references.
        positions: where; None is everywhere, and -1 is the prompt's last.
        references: prompts whose positions are averaged instead.
        token: the token that is watched, its text or its id; unless given, the one that was most likely before.
        against: the token that its logit is compared with; unless given, the runner-up.

    Raises:
        PromptError: if a prompt cannot be run.
        SettingsError: if the model has no such part, position or token.
        EngineError: if a pass overflowed.
    """
    parts = parts_of(heads, mlps)
    for part in parts:
        part.check(engine.config)
    base = observe(engine, prompt)
    averaged = [observe(engine, reference) for reference in references] or [base]
    changes = ablation(parts, kind, positions, averaged)
    after = read(engine, base.computed_ids, changes).logits
    says = ablation_in_words(parts, kind, positions, len(references))
    watched = token_id(token, engine.tokenizer), token_id(against, engine.tokenizer)
    return Result(changes, says, effect_of(base.steps[-1].logits, after, *watched))
