"""The divergence of the changed model from the base at every step, on the base's own text, in bits."""

import numpy as np

from gpt2.experiments.twin import Twin
from gpt2.text.vocabulary import Vocabulary
from pages.look.numbers import bits, fixed
from pages.look.tokens import spoken
from pages.matrix.blob import Picture
from pages.matrix.scale import size

TITLE = "How far the changed model is from the base, step by step"
NEXT = "next"


def step_labels(found: Twin, vocabulary: Vocabulary) -> list[str]:
    """What the base drew at each step."""
    drawn = [vocabulary.label(token) for token in found.base_ids]
    return drawn + [NEXT] * (len(found.kl) - len(drawn))


def kl_strip(found: Twin, vocabulary: Vocabulary, step: int, height: int) -> Picture:
    """One cell a step; both models have read the same text there."""
    at = min(step, len(found.kl) - 1)
    return Picture(
        found.kl[None],
        ["KL"],
        step_labels(found, vocabulary),
        size("KL(base ‖ changed), bits", "sampling", found.kl, square_root=True),
        TITLE,
        strip_sentence(found, vocabulary),
        "Σ p log₂(p / q) at step {c}",
        column_title="before",
        mark_column=at,
        height=height,
    )


def operands(found: Twin, step: int) -> list[str]:
    """The vectors that one step's logits are read from, and what comes of them."""
    at = min(step, len(found.kl) - 1)
    tops = {"base": found.base[at], "changed": found.changed[at]}
    return [
        *(
            f"{name}: the top of the stream at step {at} = [{', '.join(fixed(value, 3) for value in top[:6])}, "
            f"… {len(top)} numbers], norm {np.linalg.norm(top):.3f}"
            for name, top in tops.items()
        ),
        f"KL(base ‖ changed) at step {at} = {fixed(float(found.kl[at]), 6)} bits, over the whole vocabulary.",
    ]


def strip_sentence(found: Twin, vocabulary: Vocabulary) -> str:
    """The largest divergence and the mean."""
    if not found.kl.any():
        return f"The change changes nothing: all {len(found.kl)} steps differ by {bits(0)}."
    most = int(np.argmax(found.kl))
    token = spoken(step_labels(found, vocabulary)[most])
    return (
        f"Both read the base's text, step by step. They differ most before {token}, "
        f"step {most}: {bits(float(found.kl[most]))}; over all {len(found.kl)} steps {bits(float(found.kl.mean()))} on "
        "average."
    )
