"""Where an answer stops: the text of a stop sequence is no part of it, as OpenAI's clients expect.

MAX Serve 26.7 ends an answer at a stop sequence but leaves that in the text.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any


async def until_stop(
    chunks: Any, stops: Sequence[str], ended: Any, cancel: Callable[[], None] = lambda: None
) -> AsyncIterator[Any]:
    """Pass on the pieces of an answer up to the first stop sequence; what may be the beginning of one is held back.

    Args:
        chunks: MAX Serve's pieces, each with a `decoded_tokens` and a `status`.
        stops: the stop sequences.
        ended: the status of a piece after which nothing comes.
        cancel: called if a stop sequence has been found.
    """
    held = ""
    async with aclosing(chunks):
        async for chunk in chunks:
            text = held + (chunk.decoded_tokens or "")
            found = [at for stop in stops if (at := text.find(stop)) >= 0]
            if found:
                cancel()
                yield replace(chunk, decoded_tokens=text[: min(found)], status=ended)
                return
            begun = 0 if chunk.status.is_done else beginning(text, stops)
            held = text[len(text) - begun :]
            yield replace(chunk, decoded_tokens=text[: len(text) - begun])


def beginning(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end of a text may be the beginning of a stop sequence."""
    lengths = (length for stop in stops for length in range(1, len(stop)) if text.endswith(stop[:length]))
    return max(lengths, default=0)
