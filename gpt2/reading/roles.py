"""What heads do, measured: the mean weight that each head gives to the key that a role would have it look at.

A head may have several roles, or none. Tokens said twice show induction and duplicate tokens (Olsson et al., 2022).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2.trace.trace import Trace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Each role, and the key that it would have a query look at.
ROLES = {
    "previous token": "the token before",
    "induction": "the token after the last one that is the same",
    "duplicate token": "the last token that is the same",
    "first-token sink": "the first token of all",
    "positional": "the token a fixed distance back (its best of 0 to 8, the first token left out)",
}
DISTANCES = 9
LEAST = 0.3  # a head with a smaller score is not said to have the role
AT_ONCE = 64  # queries of a layer that are read at a time


@dataclass(frozen=True, eq=False)
class HeadRoles:
    """How far every head has every role.

    Attributes:
        scores: the mean weight on the role's key, NaN where no query has one; in the order of `ROLES`.
        distance: how many tokens back each head looks most: the one that its positional score is of.
        queries: how many queries the means are over, role by role; the positional role's most.
        measured_on: the tokens that were read, in words.
    Shapes: scores [role, layer, head], distance [layer, head].
    """

    scores: Floats
    distance: Ints
    queries: tuple[int, ...]
    measured_on: str

    @classmethod
    def of(cls, means: Floats, keys: Ints, measured_on: str) -> "HeadRoles":
        """From the means over `keys`, the rows of `role_keys`. Shapes: means [row, layer, head], keys [row, query]."""
        named = len(ROLES) - 1
        by_distance, counts = means[named:], (keys >= 0).sum(axis=1)
        scores = np.concatenate([means[:named], np.fmax.reduce(by_distance)[None]])
        distance = np.nan_to_num(by_distance, nan=-1.0).argmax(axis=0)
        return cls(scores, distance, (*counts[:named].tolist(), int(counts[named:].max())), measured_on)

    def score(self, role: str) -> Floats:
        """Every head's score in one role. Shapes: -> [layer, head]."""
        scores: Floats = self.scores[list(ROLES).index(role)]
        return scores

    def leaders(self, role: str) -> list[tuple[int, int, float]]:
        """The layer, head and score of all that have a role, the strongest first."""
        score = self.score(role)
        order = np.argsort(-np.nan_to_num(score, nan=-1.0), axis=None, kind="stable")
        places = [(int(at) // score.shape[1], int(at) % score.shape[1]) for at in order]
        return [(*place, float(score[place])) for place in places if score[place] >= LEAST]

    def to_dict(self) -> dict[str, Any]:
        """All of it, as it is written to JSON; a score that could not be measured is null."""
        scores = np.where(np.isnan(self.scores), None, self.scores).tolist()  # type: ignore[call-overload]
        return {
            "measured_on": self.measured_on,
            "least": LEAST,
            "roles": {
                role: {"looks_at": looks_at, "queries": queries, "scores": score}
                for (role, looks_at), queries, score in zip(ROLES.items(), self.queries, scores, strict=True)
            },
            "distance": self.distance.tolist(),
        }


def role_keys(ids: Sequence[int]) -> Ints:
    """The key that each role would have each query look at, -1 where there is none.

    Shapes: [row, query]; the last `DISTANCES` rows are the distances of the positional role, shortest first.
    """
    at, last = np.arange(len(ids)), _last_like(ids)
    after = np.where((last >= 0) & (last + 1 < at), last + 1, -1)
    first = np.where(at > 0, 0, -1)
    # The first token is left out: else a sink of attention would seem to look at every distance.
    back = [np.where((at > distance) & (distance <= len(ids) // 2), at - distance, -1) for distance in range(DISTANCES)]
    return np.stack([at - 1, after, last, first, *back])


def _last_like(ids: Sequence[int]) -> Ints:
    """For each token the position of the last one before it that is the same, -1 if there is none."""
    seen: dict[int, int] = {}
    last = np.full(len(ids), -1)
    for at, token in enumerate(ids):
        last[at] = seen.get(token, -1)
        seen[token] = at
    return last


def mean_weights(trace: Trace, keys: Ints) -> Floats:
    """The mean weight on the wanted keys, over the queries that have one; NaN if none has.

    Shapes: keys [row, query] -> [row, layer, head].
    """
    config = trace.config
    totals = np.zeros((len(keys), config.n_layer, config.n_head))
    for layer, start in product(range(config.n_layer), range(0, trace.seq, AT_ONCE)):
        stop = min(start + AT_ONCE, trace.seq)
        pattern = trace.queries(f"blocks.{layer}.attn.hook_pattern", start, stop)  # [head, query, key]
        wanted = keys[:, start:stop]
        weights = pattern[:, np.arange(stop - start), np.maximum(wanted, 0)]  # [head, row, query]
        totals[:, layer] += np.where(wanted >= 0, weights, 0).sum(axis=2, dtype=np.float64).T
    with np.errstate(invalid="ignore"):
        means: Floats = totals / (keys >= 0).sum(axis=1)[:, None, None]
    return means


def roles_in_run(trace: Trace) -> HeadRoles:
    """What heads do in a run, over all its positions."""
    keys = role_keys(trace.computed_ids)
    return HeadRoles.of(mean_weights(trace, keys), keys, f"the {trace.seq} tokens of this run")


def roles_in_repeats(traces: Iterable[Trace], measured_on: str) -> HeadRoles:
    """What heads do, by runs of equal length whose tokens, all different, are said twice; the mean over the runs.

    Counted is the second time alone, but for the positional role the first: a head that looks at the same token's first
    time always looks as far back.
    """
    means, named = [], len(ROLES) - 1
    for trace in traces:
        keys, half = role_keys(trace.computed_ids), trace.seq // 2
        keys[:named, :half], keys[named:, half:] = -1, -1
        means.append(mean_weights(trace, keys))
    return HeadRoles.of(np.mean(means, axis=0), keys, measured_on)


def table(found: HeadRoles, shown: int = 5) -> str:
    """The strongest heads of each role and their scores, as text."""
    lines = [f"Mean attention weight on the role's key, over {found.measured_on}; heads from {LEAST:.0%}"]
    for role, looks_at in ROLES.items():
        leaders = [f"L{layer}·H{head} {score:.1%}" for layer, head, score in found.leaders(role)[:shown]]
        lines.append(f"{role:<17} {', '.join(leaders) or 'none'}  (looks at {looks_at})")
    return "\n".join(lines)
