"""A token of the vocabulary, named by a person: its text, its label, or its id."""

import re
from typing import TypeVar

from gpt2.errors import PromptError

from .tokenizer import Tokenizer
from .vocabulary import SHOWN


def one_token(named: str, tokenizer: Tokenizer) -> int:
    """The id of the token with exactly this text, or with this label, or with this id after a `#`.

    Args:
        named: such as ` king`, `·king` or `#262`. A blank belongs to the token: ` king` and `king` are two.
        tokenizer: the model's.

    Raises:
        PromptError: if that is none, or more than one token.
    """
    if re.fullmatch(r"#\d+", named):
        return _existing(int(named[1:]), tokenizer)
    typed = named
    for character, shown in SHOWN.items():
        typed = typed.replace(shown, character)
    for text in dict.fromkeys((named, typed)):
        ids = tokenizer.encode(text)
        if len(ids) == 1:
            return _existing(ids[0], tokenizer)
    listed = " ".join(tokenizer.pieces.label(token) for token in tokenizer.encode(typed)) or "no token"
    count = len(tokenizer.encode(typed))
    raise PromptError(
        f"{named!r} is {count} tokens ({listed}); name one, with its blank, such as ' king', or by its id, as '#262'."
    )


Id = TypeVar("Id", int, int | None)


def token_id(named: str | Id, tokenizer: Tokenizer) -> int | Id:
    """The id of a token given by its text, or the id itself; None stays None.

    Raises:
        PromptError: if a text is not one token.
    """
    return one_token(named, tokenizer) if isinstance(named, str) else named


def _existing(token: int, tokenizer: Tokenizer) -> int:
    if token >= len(tokenizer.vocabulary):
        raise PromptError(f"There is no token {token}; this model's go from 0 to {len(tokenizer.vocabulary) - 1}.")
    return token
