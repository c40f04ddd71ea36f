"""What is asked: the logit of a token after a position, or how far it is above another token's."""

import numpy as np
from numpy.typing import NDArray

from gpt2.reading.attribution import first_and_runner_up
from gpt2.reading.logit_parts import Attribution
from gpt2.text.vocabulary import Vocabulary
from gpt2.trace.trace import Trace
from pages.look.tokens import spoken

Array = NDArray[np.float32]
# Options that are no token's id.
FIRST, RUNNER_UP, ALONE = -1, -1, -2
LIKELIEST = 20


def token_options(logits: Array, already: object) -> list[int]:
    """The likeliest tokens after a position, and the one that is chosen already, if it is one. Shapes: logits [vocab].

    A text that a person has typed is among the options by itself.
    """
    likeliest = [int(token) for token in logits.argsort()[::-1][:LIKELIEST]]
    chosen = [already] if isinstance(already, int) and 0 <= already < len(logits) else []
    return list(dict.fromkeys([*likeliest, *chosen]))


def first_label(vocabulary: Vocabulary, choice: int) -> str:
    """The text of an option for the token, the same at every step: a widget outlives its rerun and holds this."""
    return "The drawn token, or the likeliest" if choice == FIRST else vocabulary.label(choice)


def other_label(vocabulary: Vocabulary, choice: int) -> str:
    """The text of an option for the token that it is compared with, the same at every step."""
    fixed = {RUNNER_UP: "The likeliest other token", ALONE: "None: the logit alone"}
    return fixed.get(choice) or vocabulary.label(choice)


def tokens_of(trace: Trace, logits: Array, position: int, first: int, other: int) -> tuple[int, int | None]:
    """The tokens of two options; one and the same token twice gives way to the likeliest other one.

    Shapes: logits [vocab], those after the position.
    """
    drawn, _ = first_and_runner_up(trace, logits, position)
    token = first if 0 <= first < len(logits) else drawn
    if other == ALONE:
        return token, None
    if 0 <= other < len(logits) and other != token:
        return token, other
    likeliest = next((int(one) for one in logits.argsort()[::-1] if one != token), None)
    return token, likeliest


def asked(trace: Trace, found: Attribution) -> str:
    """The question in words: 'the logit of ·boy above that of ·girl'."""
    label = trace.vocabulary.label
    token = spoken(label(found.token))
    return f"the logit of {token}" + (
        f" above that of {spoken(label(found.against))}" if found.against is not None else ""
    )


def no_weights_sentence(trace: Trace) -> str:
    """The sentence to show instead of the pictures if other weights than the run's are loaded."""
    return (
        f"To say why a token came, the weights that made this run ({trace.model}) are needed, but others are loaded. "
        "Run a prompt of your own to see it."
    )
