"""The texts of two runs, with the token at which they part, and what is compared at a step."""

from gpt2.experiments.trace_pair import TracePair
from pages.charts.branches.tree import marked_text
from pages.look.tokens import spoken, spoken_at

TITLE = "The two texts"


def texts_of(pair: TracePair) -> tuple[str, str]:
    """Both texts; the first token that differs is marked in each."""
    one, other = (
        marked_text(trace.ids, len(trace.ids) if pair.parted_at is None else pair.parted_at, trace.vocabulary)
        for trace in pair.both
    )
    return one, other


def texts_sentence(pair: TracePair) -> str:
    """Where the texts part, and by which tokens."""
    place = pair.parted_at
    if pair.has_one_text:
        return "Both read the same text, token by token, so each step compares two models on one text."
    if place is None:
        return "One text is the beginning of the other."
    one, other = (spoken(trace.vocabulary.label(trace.ids[place])) for trace in pair.both)
    return f"The texts part at position {place}: the first has {one} there, the second {other}."


def step_sentence(pair: TracePair, step: int, on_stage: int) -> str:
    """Which step of both is shown, and what each has read."""
    first, second = (trace.cut(step + 1) for trace in pair.both)
    ends = "" if step == on_stage else f"The second run ends before step {on_stage}, so its last is shown. "
    if pair.has_one_text:
        return f"{ends}Step {step}: both have read {first.seq} tokens, the newest is {spoken_at(first, -1)}."
    return (
        f"{ends}Step {step} of both: the first has read {first.seq} tokens up to {spoken_at(first, -1)}, the second "
        f"{second.seq} up to {spoken_at(second, -1)}. The same step is compared, not the same text."
    )
