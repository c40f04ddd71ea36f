"""Turns a typed prompt into token ids of exactly that text, or refuses it with one sentence that says why."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from gpt2.errors import PromptError
from gpt2.model.config import GPT2Config
from gpt2.model.plain import number, quoted

from .tokenizer import Tokenizer

# Far more than fits any GPT-2 context; keeps a paste of megabytes from blocking the machine.
MAX_CHARACTERS = 200_000
MAX_BYTES = 4 * MAX_CHARACTERS  # in UTF-8


def read_prompt(stream: TextIO | None) -> str:
    """Read a prompt from standard input: UTF-8, whatever the locale; bytes that are not are kept to be refused.

    Raises:
        PromptError: if it is closed (None, as Python has it), cannot be read, or does not end in time.
    """
    if stream is None:
        raise PromptError("Standard input is closed, so there is no prompt in it; give the prompt itself.")
    try:
        data = stream.buffer.read(MAX_BYTES + 1) or b""
    except OSError as error:
        raise PromptError(f"Standard input cannot be read ({error.strerror}); give the prompt itself.") from None
    if len(data) > MAX_BYTES:
        raise PromptError(
            f"Standard input has more than the {MAX_CHARACTERS:,} characters of a prompt that can be read; shorten it."
        )
    return data.decode(errors="surrogateescape")


def as_given(argument: str) -> str:
    """A prompt on the command line; Python cannot decode UTF-8 there if the locale has ASCII alone."""
    try:
        argument.encode()
    except UnicodeEncodeError:  # it has bytes that Python did not decode
        with suppress(UnicodeError):  # not UTF-8 either: it is refused as it is
            return os.fsencode(argument).decode()
    return argument


def count_tokens(text: str, tokenizer: Tokenizer) -> int:
    """Return how many tokens a text has.

    Raises:
        PromptError: if it is not valid text, or far too long to be a prompt.
    """
    return len(_encode(text, tokenizer))


def encode_prompt(text: str, tokenizer: Tokenizer, config: GPT2Config) -> tuple[int, ...]:
    """Return the prompt's token ids; whitespace is kept.

    Raises:
        PromptError: if the prompt is empty, is not valid text, does not fit the context, or has a token without an
            embedding.
    """
    if not text:
        raise PromptError("The prompt is empty; type at least one character.")
    ids = _encode(text, tokenizer)
    check_context(len(ids), config)
    if unknown := [token for token in ids if token >= config.vocab_size]:
        raise PromptError(
            f"The prompt has {tokenizer.pieces.text(unknown[:1])!r}, token {unknown[0]} of the tokenizer, but the "
            f"model has embeddings for only {config.vocab_size} tokens; take it out."
        )
    return tuple(ids)


def check_ids(ids: Sequence[int], config: GPT2Config) -> tuple[int, ...]:
    """Return a prompt that is given as token ids, NumPy's too, as plain ones.

    Raises:
        PromptError: if there are none, they do not fit the context, or one is no token of the model.
    """
    if not len(ids):
        raise PromptError("The prompt has no token ids; give at least one.")
    check_context(len(ids), config)
    plain = tuple(map(number, ids))
    for token, given in zip(plain, ids, strict=True):
        if not isinstance(token, int) or not 0 <= token < config.vocab_size:
            raise PromptError(
                f"Token ids are whole numbers from 0 to {config.vocab_size - 1}; {quoted(given)} is none."
            )
    return tuple(int(token) for token in plain if token is not None)


def check_context(tokens: int, config: GPT2Config) -> None:
    """Refuse a prompt that is longer than the context.

    Raises:
        PromptError: if the prompt is longer.
    """
    if (over := tokens - config.n_positions) > 0:
        raise PromptError(
            f"The prompt has {tokens} tokens, {over} more than the {config.n_positions} this model can read; "
            "shorten it."
        )


def _encode(text: str, tokenizer: Tokenizer) -> list[int]:
    if len(text) > MAX_CHARACTERS:
        raise PromptError(
            f"The prompt has {len(text):,} characters, more than the {MAX_CHARACTERS:,} that can be read; shorten it."
        )
    return tokenizer.encode(text)
