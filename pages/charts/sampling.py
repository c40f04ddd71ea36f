"""One step's outcome under some sampling settings, stage by stage, and the tokens that a picture shows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpt2.model.sampling import Distribution, Sampling, entropy_bits
from gpt2.trace.trace import Step

from .style import bits, percent, spoken

SHOWN_TOKENS = 16
# Limits of the page's controls: a slider's end, and the largest integer that a browser holds exactly.
HOTTEST = 2.0
LARGEST_SEED = 2**53 - 1


@dataclass(frozen=True)
class Outcome:
    """One step's next token under some settings: as it was drawn, or as these settings would draw it.

    Attributes: `u` is the uniform number that chose `token`; `distribution` is every stage on the way to it.
    """

    sampling: Sampling
    distribution: Distribution
    u: float
    token: int

    @classmethod
    def drawn(cls, step: Step) -> "Outcome":
        """The run's own draw at this step.

        Raises:
            TraceError: if nothing was drawn at this step.
        """
        distribution = step.distribution
        assert step.draw is not None  # `distribution` has raised otherwise
        return cls(step.draw.sampling, distribution, step.draw.u, step.draw.token)

    @classmethod
    def preview(cls, step: Step, sampling: Sampling) -> "Outcome":
        """The draw of these settings from the same logits; the run is not changed.

        Raises:
            SettingsError: if a setting does not fit the vocabulary.
        """
        distribution = Distribution.of(step.logits, sampling)
        u = sampling.uniform(step.stop)
        return cls(sampling, distribution, u, distribution.pick(u))

    @property
    def stretch(self) -> tuple[float, float]:
        """Where the token's stretch of the cumulative bar, most likely first, begins and ends."""
        return stretch(self.distribution, self.token)

    @property
    def settings(self) -> str:
        """The settings in words; a filter that is off says so."""
        sampling = self.sampling
        temperature = f"T {sampling.temperature:g}" if sampling.temperature else "T 0 (greedy)"
        top_k = f"top-k {sampling.top_k:,}" if sampling.top_k else "top-k off"
        top_p = f"top-p {sampling.top_p:g}" if sampling.top_p < 1 else "top-p off"
        return f"{temperature} · {top_k} · {top_p} · seed {sampling.seed}"


@dataclass(frozen=True)
class Stage:
    """One column of the picture.

    Attributes: `name` is its headline, `note` what it did, `entropy` the bits of choice left after it.
    Shapes: arrived, left [vocab], the probabilities before the stage and those it let through, both on one scale,
    so that their difference was removed by it.
    """

    name: str
    note: str
    entropy: float
    arrived: np.ndarray
    left: np.ndarray


def stages(outcome: Outcome) -> list[Stage]:
    """The five stages from the model's own probabilities to what the draw sees, in the order they are computed."""
    distribution, sampling = outcome.distribution, outcome.sampling
    raw, tempered, top_k, top_p = (
        distribution.raw,
        distribution.tempered,
        distribution.after_top_k,
        distribution.after_top_p,
    )
    of_k = np.where(top_k > 0, tempered, 0)
    of_p = np.where(top_p > 0, top_k, 0)
    cut_k = f"cuts {percent(distribution.removed_by_top_k)}" if sampling.top_k else "off"
    cut_p = f"cuts {percent(distribution.removed_by_top_p)}" if sampling.top_p < 1 else "off"
    heat = f"logits ÷ {sampling.temperature:g}" if sampling.temperature else "greedy: all on the first"
    return [
        Stage("Model", "softmax of the logits", entropy_bits(raw), raw, raw),
        Stage(f"Temperature {sampling.temperature:g}", heat, entropy_bits(tempered), tempered, tempered),
        Stage(f"Top-k {sampling.top_k or ''}".strip(), cut_k, entropy_bits(top_k), tempered, of_k),
        Stage(f"Top-p {sampling.top_p:g}" if sampling.top_p < 1 else "Top-p", cut_p, entropy_bits(top_p), top_k, of_p),
        Stage("Final", f"{np.count_nonzero(top_p):,} left, rescaled", entropy_bits(top_p), top_p, top_p),
    ]


def shown_tokens(outcome: Outcome, *also: int, count: int = SHOWN_TOKENS) -> list[int]:
    """The model's `count` likeliest tokens, the last of them replaced by drawn tokens that are not among them."""
    distribution = outcome.distribution
    wanted = list(dict.fromkeys((outcome.token, *also)))
    head = distribution.order[:count].tolist()
    while extra := [token for token in wanted if token not in head]:
        if len(head) + len(extra) <= count:
            break
        head.pop()
    return head + sorted(extra, key=distribution.rank)


def stretch(distribution: Distribution, token: int) -> tuple[float, float]:
    """Where a token's stretch of the cumulative bar begins and ends; the two are equal if it was removed."""
    before = distribution.final[distribution.order[: distribution.rank(token) - 1]].sum()
    return float(before), float(before + distribution.final[token])


def outcome_sentence(outcome: Outcome, label: str) -> str:
    """The drawn token's rank and probability for the model, and its probability after the settings."""
    distribution, token = outcome.distribution, outcome.token
    return (
        f"{spoken(label)} is the model's number {distribution.rank(token):,} with {percent(distribution.raw[token])} "
        f"(surprisal {bits(distribution.surprisal_bits(token))}); after temperature and filters it has "
        f"{percent(distribution.final[token])}."
    )


def control_values(sampling: Sampling) -> dict[str, float | int]:
    """The settings as the page's controls can hold them."""
    values = sampling.to_dict()
    return values | {"temperature": min(HOTTEST, values["temperature"]), "seed": min(LARGEST_SEED, values["seed"])}


def chosen_sampling(drawn: Sampling, values: dict[str, float | int | None]) -> Sampling:
    """Settings from the page's controls; one that is empty or was not moved keeps the run's own number.

    Raises:
        SettingsError: if a setting is out of its range.
    """
    start = control_values(drawn)
    moved: dict[str, Any] = {
        name: value for name, value in values.items() if value is not None and value != start[name]
    }
    return replace(drawn, **moved)
