"""The texts of base and changed model, side by side, and the step at which they part."""

from dataclasses import dataclass

from gpt2.experiments.twin import Twin
from gpt2.text.vocabulary import Vocabulary
from pages.look.tokens import spoken

TITLE = "The texts, each model on its own"


@dataclass(frozen=True)
class Texts:
    """The text that both have, and how each goes on from where they part; empty where it has ended."""

    common: str
    base: str
    changed: str


def texts_of(found: Twin, vocabulary: Vocabulary) -> Texts:
    """Split both texts where they part; while they are the same, all is in common."""
    at = len(found.changed_ids) if found.parted_at is None else found.parted_at
    rests = (
        vocabulary.text(ids[at:]) if found.parted_at is not None else "" for ids in (found.base_ids, found.changed_ids)
    )
    return Texts(vocabulary.text((*found.prompt_ids, *found.changed_ids[:at])), *rests)


def texts_sentence(found: Twin, vocabulary: Vocabulary) -> str:
    """Where the texts part, and by which tokens."""
    at, drawn = found.parted_at, len(found.changed_ids)
    if at is None:
        if not found.base_ids:
            return "The base has drawn no token, so there are no texts to compare."
        done = "all" if found.is_complete else f"the first {drawn} of"
        return f"Both drew the same tokens at {done} {len(found.base_ids)} steps, with the same settings and seed."
    one, other = (
        spoken(vocabulary.label(ids[at])) if at < len(ids) else "nothing, as its text had ended"
        for ids in (found.base_ids, found.changed_ids)
    )
    return f"With the same settings and seed they part at step {at}: the base drew {one}, the changed model {other}."
