"""Another token than the one that was drawn: what can be branched with at a step."""

from gpt2.text.vocabulary import Vocabulary

from .outcome import Outcome, shown_tokens

TITLE = "Another token here"
LIKELIEST = -1  # an option that is no token's id


def options(drawn: Outcome, preview: Outcome, already: object) -> list[int]:
    """The likeliest other token, whichever that is, the tokens of the picture, and the one that is chosen already."""
    chosen = [already] if isinstance(already, int) and 0 <= already < len(drawn.distribution.raw) else []
    return list(dict.fromkeys([LIKELIEST, *shown_tokens(preview, drawn.token), *chosen]))


def option_label(vocabulary: Vocabulary, option: int) -> str:
    """The text of an option, the same at every step: a widget outlives its rerun and holds this."""
    return "The likeliest other token" if option == LIKELIEST else vocabulary.label(option)


def token_of(drawn: Outcome, option: int) -> int:
    """The token of an option."""
    if option != LIKELIEST:
        return option
    first, second = drawn.distribution.order[:2].tolist()
    return second if first == drawn.token else first
