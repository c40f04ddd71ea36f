"""Questions of lesson 10, on the way of the newest token through all blocks."""

import numpy as np

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import MOST_OPTIONS, Contest, Question, of_contest, of_numbers
from gpt2.learn.what_if import lens_rows
from gpt2.learn.words import number, percent, spoken, token_at
from gpt2.model.sampling import softmax
from gpt2.trace.trace import Trace

CLEAR = 0.05  # of a logit, by which one token leads at the depth where it comes first


def first_after(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """After which block the final prediction comes first, and stays first."""
    rows = lens_rows(trace, checkpoint)  # [depth, vocab]
    final = int(rows[-1].argmax())
    leads = [float(row[final] - np.delete(row, final).max()) for row in rows]  # above 0 where it comes first
    depth = len(rows) - 1
    while depth and leads[depth - 1] > 0:
        depth -= 1
    if leads[depth] < CLEAR or (depth and leads[depth - 1] > -CLEAR):
        return None
    names = ["Before the first block", *(f"After block {at}" for at in range(len(rows) - 1))]
    others = sorted(set(range(len(rows))) - {depth}, key=lambda at: (abs(at - depth) % 3 != 1, abs(at - depth)))
    shown = sorted([depth, *others[: MOST_OPTIONS - 1]])
    if len(shown) < 2:
        return None
    text = spoken(trace.vocabulary.label(final))
    return Question(
        "first_after",
        f"The model's likeliest next token is {text}. Where on the way up does it come first, to stay?",
        tuple(names[at] for at in shown),
        names[depth],
        f"{names[depth]}: read there with the final norm and the head, it has {percent(softmax(rows[depth])[final])}, "
        f"and {percent(softmax(rows[-1])[final])} at the end.",
        "A prediction is not made at one place. Each block moves the vector a little, and often the last ones only "
        "make it surer.",
    )


def grown(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How many times as long the stream leaves as it entered."""
    at, last = trace.seq - 1, checkpoint.config.n_layer - 1
    hooks = "blocks.0.hook_resid_pre", f"blocks.{last}.hook_resid_post"
    bottom, top = (float(np.linalg.norm(trace.row(hook, at).astype(np.float64))) for hook in hooks)
    if not bottom:
        return None
    times = top / bottom
    wrong = [other for other in (1.0, times / 3, times * 3) if abs(other / times - 1) > 0.2]
    return of_numbers(
        "grown",
        f"The vector of {token_at(trace, at)} enters the first block with length {number(bottom)}. How many times as "
        "long does it leave the last?",
        f"{times:.1f}",
        [f"{other:.1f}" for other in wrong],
        f"{times:.1f} times: it leaves with length {number(top)}.",
        "The blocks only add, so the stream grows. The final norm brings it back to one size before the head reads it.",
    )


def turns_most(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Which block adds most to the final prediction's lead over the next best token."""
    rows = lens_rows(trace, checkpoint)
    first, second = (int(token) for token in np.argsort(-rows[-1], kind="stable")[:2])
    leads = rows[:, first] - rows[:, second]  # [depth]
    gains = np.diff(leads)
    one, other = (spoken(trace.vocabulary.label(token)) for token in (first, second))
    return of_contest(
        "turns_most",
        f"{one} is likeliest at the end, {other} comes second. Which of these blocks does most for the lead?",
        Contest.of(gains.tolist()),
        {at: f"Block {at}" for at in range(len(gains))},
        lambda at: (
            f"Block {at}: before it the lead in logits is {number(float(leads[at]))}, after it "
            f"{number(float(leads[at + 1]))}."
        ),
        "Some blocks work for the token that wins, and some against it. What counts at the end is the sum.",
    )


ASKING = (first_after, grown, turns_most)
