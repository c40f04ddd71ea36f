"""Questions of lesson 12, on the newest step's scores under another temperature, and its throw of the dice."""

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import MOST_OPTIONS, Question, of_numbers
from gpt2.learn.words import percent, spoken
from gpt2.model.sampling import Distribution, Sampling
from gpt2.trace.trace import Trace

COLD, HOT = 0.5, 2.0
APART = 0.04  # of two probabilities that are offered side by side
EDGE = 1e-6  # of the bar from 0 to 1, on which a throw is too near to a border


def colder(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """What the likeliest token's probability becomes at temperature 0.5."""
    distribution = Distribution.of(trace.step(-1).logits, Sampling(COLD))
    token = int(distribution.order[0])
    before, after = float(distribution.raw[token]), float(distribution.tempered[token])
    wrong = [before, before / 2, min(2 * before, 1.0), (1 + after) / 2, after / 2]
    apart = [share for share in wrong if abs(share - after) > APART]
    return of_numbers(
        "colder",
        f"{spoken(trace.vocabulary.label(token))} is likeliest with {percent(before)}. How likely is "
        f"it at temperature {COLD}?",
        percent(after),
        [percent(share) for share in apart],
        f"{percent(after)}: all scores are divided by {COLD}, and all differences between them double.",
        "So every probability is squared, and then they are brought to 100 % again. The likely ones gain, the unlikely "
        "ones lose.",
    )


def likeliest_stays(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which token is likeliest at temperature 2."""
    distribution = Distribution.of(trace.step(-1).logits, Sampling(HOT))
    places = [place for place in (0, 1, 2, len(distribution.order) - 1) if place < len(distribution.order)]
    labels = list(dict.fromkeys(trace.vocabulary.label(int(distribution.order[place])) for place in places))
    raw, hot = (shares[distribution.order[:2]] for shares in (distribution.raw, distribution.tempered))
    if len(labels) < 2 or raw[0] - raw[1] < 1e-4:
        return None
    best = spoken(labels[0])
    return Question(
        "likeliest_stays",
        f"{best} is likeliest at temperature 1 with {percent(raw[0])}. Which of these is likeliest at temperature "
        f"{HOT:g}?",
        tuple(sorted(map(spoken, labels))),
        best,
        f"{best}, still: it has {percent(hot[0])} there, and the second {percent(hot[1])}.",
        "All scores are divided by the same number, so their order stays. Temperature changes how far they lie apart, "
        "and never which is first.",
    )


def same_throw(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which token the step's own throw takes at temperature 0.5, with no filter."""
    step = trace.step(-1)
    if step.draw is None or step.draw.u is None:
        return None
    distribution, u = Distribution.of(step.logits, Sampling(COLD)), step.draw.u
    ends = np.cumsum(distribution.final[distribution.order])
    taken = distribution.pick(u)
    place = distribution.rank(taken) - 1
    start, end = float(ends[place - 1]) if place else 0.0, float(ends[place])
    if min(abs(u - start), abs(u - end)) < EDGE:
        return None
    tokens = [taken, step.draw.token, *(int(token) for token in distribution.order[:MOST_OPTIONS])]
    labels = list(dict.fromkeys(trace.vocabulary.label(token) for token in tokens))[:MOST_OPTIONS]
    if len(labels) < 2:
        return None
    drawn, right = spoken(trace.vocabulary.label(step.draw.token)), spoken(labels[0])
    first = int(distribution.order[0])
    return Question(
        "same_throw",
        f"The dice showed u = {u:.3f}, and {drawn} was drawn. Which token does the same u take at temperature {COLD}, "
        f"where {spoken(trace.vocabulary.label(first))} has {percent(distribution.final[first])}?",
        tuple(sorted(map(spoken, labels))),
        right,
        f"{right}: at temperature {COLD} its stretch of the bar goes from {start:.3f} to {end:.3f}.",
        "The tokens lie end to end from 0 to 1, the likeliest first, each as wide as it is likely. The token on which "
        "u falls is taken.",
    )


ASKING = (colder, likeliest_stays, same_throw)
