"""One step's logits under some sampling settings, column by column, and the tokens that a picture shows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpt2.model.sampling import Distribution, Sampling, entropy_bits
from gpt2.trace.trace import Step
from pages.look.numbers import bits, percent
from pages.look.tokens import spoken

SHOWN_TOKENS = 16
# The option that stands for the token that the settings draw.
DRAWN = -1
# The limits of the page's controls: a slider's end, and the largest whole number that a browser holds exactly.
HOTTEST = 2.0
LARGEST_SEED = 2**53 - 1


@dataclass(frozen=True)
class Outcome:
    """One step's next token under some settings: as drawn, or as it would have been drawn.

    Attributes: `u` is the uniform number that chose `token`, None if a person did; `distribution` holds the
    probabilities on the way to it.
    """

    sampling: Sampling
    distribution: Distribution
    u: float | None
    token: int

    @classmethod
    def drawn(cls, step: Step) -> "Outcome":
        """The outcome that the run has at this step.

        Raises:
            TraceError: if nothing was drawn at this step.
        """
        distribution = step.distribution
        assert step.draw is not None  # `distribution` has raised otherwise
        return cls(step.draw.sampling, distribution, step.draw.u, step.draw.token)

    @classmethod
    def preview(cls, step: Step, sampling: Sampling) -> "Outcome":
        """The outcome of these settings with the same logits; the run does not change.

        Raises:
            SettingsError: if a setting does not fit the vocabulary.
        """
        distribution = Distribution.of(step.logits, sampling)
        u = sampling.uniform(step.stop)
        return cls(sampling, distribution, u, distribution.pick(u))

    @property
    def stretch(self) -> tuple[float, float]:
        """The begin and the end of the token's stretch of the cumulative bar, which has the most likely token first."""
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
class Column:
    """One column of the picture: the model's probabilities, a setting applied to them, or the final ones.

    Attributes: `name` is its headline, `note` says what it does, `entropy` is the entropy after it.
    Shapes: arrived, passed [vocab], the probabilities before the column and those that it lets through, on the same
    scale, so that their difference is what it removes.
    """

    name: str
    note: str
    entropy: float
    arrived: np.ndarray
    passed: np.ndarray


def columns_of(outcome: Outcome) -> list[Column]:
    """The five columns, from the model's own probabilities to the final ones, in the order of computation."""
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
    heat = f"logits ÷ {sampling.temperature:g}" if sampling.temperature else "greedy: top token only"
    return [
        Column("Model", "softmax of the logits", entropy_bits(raw), raw, raw),
        Column(f"Temperature {sampling.temperature:g}", heat, entropy_bits(tempered), tempered, tempered),
        Column(f"Top-k {sampling.top_k or ''}".strip(), cut_k, entropy_bits(top_k), tempered, of_k),
        Column(f"Top-p {sampling.top_p:g}" if sampling.top_p < 1 else "Top-p", cut_p, entropy_bits(top_p), top_k, of_p),
        Column("Final", f"{np.count_nonzero(top_p):,} left, rescaled", entropy_bits(top_p), top_p, top_p),
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


def token_options(outcome: Outcome, as_drawn: Outcome, chosen: object) -> list[int]:
    """The tokens whose arithmetic can be asked for: the drawn one, those of the picture, and the one chosen already."""
    already = [chosen] if isinstance(chosen, int) and 0 <= chosen < len(outcome.distribution.raw) else []
    return list(dict.fromkeys([DRAWN, *shown_tokens(outcome, as_drawn.token), *already]))


def other_than_drawn(as_drawn: Outcome, token: int) -> int:
    """A token to branch with: this one, or the likeliest other if this one was drawn, with which no branch begins."""
    if token != as_drawn.token:
        return token
    first, second = as_drawn.distribution.order[:2].tolist()
    return int(second if first == token else first)


def stretch(distribution: Distribution, token: int) -> tuple[float, float]:
    """The begin and the end of a token's stretch of the cumulative bar; they are equal if the token was removed."""
    before = distribution.final[distribution.order[: distribution.rank(token) - 1]].sum()
    return float(before), float(before + distribution.final[token])


def outcome_sentence(outcome: Outcome, label: str) -> str:
    """The drawn token's rank and probability in the model, and its final probability."""
    distribution, token = outcome.distribution, outcome.token
    return (
        f"By the model alone {spoken(label)} has rank {distribution.rank(token):,} with "
        f"{percent(distribution.raw[token])} (surprisal {bits(distribution.surprisal_bits(token))}); after temperature "
        f"and filters it has {percent(distribution.final[token])}."
    )


def control_values(sampling: Sampling) -> dict[str, float | int]:
    """The settings, limited to the range of the page's controls."""
    values = sampling.to_dict()
    return values | {"temperature": min(HOTTEST, values["temperature"]), "seed": min(LARGEST_SEED, values["seed"])}


def chosen_sampling(drawn: Sampling, values: dict[str, float | int | None]) -> Sampling:
    """Settings from the page's controls; a control that is empty or unchanged keeps the run's own number.

    Raises:
        SettingsError: if a setting is out of its range.
    """
    start = control_values(drawn)
    changed: dict[str, Any] = {
        name: value for name, value in values.items() if value is not None and value != start[name]
    }
    return replace(drawn, **changed)
