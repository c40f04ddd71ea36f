"""Questions of lesson 11, on the scores that the head gives after the newest token."""

import math

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import Question, of_numbers
from gpt2.learn.words import number, spoken, token_at
from gpt2.model.sampling import ranking
from gpt2.trace.trace import Trace

CLEAR = 0.02  # of a logit


def highest(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which token the head scores highest."""
    logits, vocabulary = trace.step(-1).logits.astype(np.float64), trace.vocabulary
    order = ranking(trace.step(-1).logits)
    best, newest = int(order[0]), trace.computed_ids[-1]
    others = [newest, *(int(order[place]) for place in (2, 9, len(order) // 2) if place < len(order))]
    others = [token for token in others if logits[best] - logits[token] > CLEAR]
    labels = {vocabulary.label(token): token for token in (best, *others)}
    if len(labels) < 2 or labels.get(vocabulary.label(best)) != best:
        return None
    chosen = list(labels)[:4]
    texts = sorted(chosen)
    return Question(
        "highest",
        f"Which of these does the head score highest as the token after {token_at(trace, trace.seq - 1)}?",
        tuple(map(spoken, texts)),
        spoken(vocabulary.label(best)),
        f"{spoken(vocabulary.label(best))}: its score is {number(float(logits[best]))}. That of the newest token "
        f"itself is {number(float(logits[newest]))}.",
        "A score is how far the final vector points along the token's row in the table. It is high for what fits next, "
        "and not for what the token is.",
    )


def how_many_scores(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How many scores the head gives in all."""
    seq, vocab, width = trace.seq, checkpoint.config.vocab_size, checkpoint.config.n_embd
    return of_numbers(
        "how_many_scores",
        f"The head reads {seq} vectors of {width} numbers. How many scores does it give?",
        f"{seq * vocab:,}",
        (f"{vocab:,}", f"{seq * width:,}", f"{seq:,}"),
        f"{seq * vocab:,}: one for each of {vocab:,} tokens, at each of {seq} positions.",
        "Every position guesses the token after it. When text is generated, only the scores of the last position are "
        "used.",
    )


def times_as_likely(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How many times as likely as the second the first token is, from their scores."""
    logits = trace.step(-1).logits
    first, second = (int(token) for token in ranking(logits)[:2])
    high, low = float(logits[first]), float(logits[second])
    times = math.exp(high - low)
    wrong = [other for other in (high - low, high / low if low else 0.0, 2 * times) if abs(other / times - 1) > 0.1]
    one, other = (spoken(trace.vocabulary.label(token)) for token in (first, second))
    return of_numbers(
        "times_as_likely",
        f"The head gives {one} the score {number(high)} and {other} {number(low)}. How many times as likely is {one}?",
        f"{times:,.2f}",
        [f"{value:,.2f}" for value in wrong if value > 0],
        f"{times:,.2f} times: e to the power of {number(high - low)}.",
        "Only differences of scores count. The same number added to all of them changes no probability.",
    )


ASKING = (highest, how_many_scores, times_as_likely)
