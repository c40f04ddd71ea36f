"""Changes side by side, in words: which one is on, and how far each moved the model."""

from gpt2.experiments.plan import Planned
from gpt2.experiments.twin import Twin
from pages.look.numbers import bits

TITLE = "The changes that you keep"
NOT_MADE = "not run on this text yet"


def on_sentence(plan: Planned, name: str) -> str:
    """Which change is on."""
    if not plan.says:
        return "On: nothing; the model is as it was."
    return f"On: {name}: {plan.says}." if name else f"On: {plan.says}."


def effect_words(found: Twin | None, step: int) -> str:
    """How far a change moved the next token at a step and on average, and where its text left the base's."""
    if found is None:
        return NOT_MADE
    at, parted = min(step, len(found.kl) - 1), found.parted_at
    text = "the text stays the base's" if parted is None else f"the text parts at step {parted}"
    return f"{bits(float(found.kl[at]))} at step {at}, {bits(float(found.kl.mean()))} on average; {text}"
