"""Characters that a text's tokens share: a byte-level tokenizer may end a token in the middle of a character."""

from collections.abc import Sequence
from dataclasses import dataclass

from .vocabulary import Vocabulary

MOST_BYTES = 4  # of a character in UTF-8


@dataclass(frozen=True)
class SplitCharacter:
    """A character whose bytes lie in several tokens: their first and last position, the character and its bytes."""

    first: int
    last: int
    text: str
    raw: bytes

    @property
    def label(self) -> str:
        """The character and its bytes: 'ا (⟨d8 a7⟩)'; one that is not printable by its code."""
        text = self.text if self.text.isprintable() else f"⟨{ord(self.text):x}⟩"
        return f"{text} (⟨{self.raw.hex(' ')}⟩)"


def split_characters(tokens: Sequence[bytes], start: int = 0) -> list[SplitCharacter]:
    """All characters that several of these tokens share, in their order; `start` is the first token's position.

    Bytes that are no character, as of one that the text has only begun, are left out.
    """
    raw = b"".join(tokens)
    positions = [start + n for n, token in enumerate(tokens) for _ in token]  # of each byte
    found, at = [], 0
    while at < len(raw):
        end = min(len(raw), at + _length(raw[at]))
        try:
            text = raw[at:end].decode()
        except UnicodeDecodeError:
            at += 1
            continue
        if positions[at] != positions[end - 1]:
            found.append(SplitCharacter(positions[at], positions[end - 1], text, raw[at:end]))
        at = end
    return found


def split_character_at(vocabulary: Vocabulary, ids: Sequence[int], at: int) -> SplitCharacter | None:
    """The character that the token at this position shares with its neighbours; None if it shares none.

    Of two, one at its beginning and one at its end, it is the first.
    """
    first = max(0, at - MOST_BYTES + 1)
    near = [vocabulary[token] for token in ids[first : at + MOST_BYTES]]
    shared = (one for one in split_characters(near, first) if one.first <= at <= one.last)
    return next(shared, None)


def _length(lead: int) -> int:
    """Bytes of the character that begins with this one, 1 for a byte that begins none."""
    return 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else MOST_BYTES
