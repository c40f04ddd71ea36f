"""The bytes of each token id, and the label of a token on the screen."""

from dataclasses import dataclass

from gpt2.errors import TraceError

SHOWN = {" ": "·", "\n": "↵", "\t": "⇥"}


@dataclass(frozen=True)
class Vocabulary:
    """The byte string of every token id; an id without one has an empty string."""

    tokens: tuple[bytes, ...]

    def __len__(self) -> int:
        """Number of ids."""
        return len(self.tokens)

    def __getitem__(self, token: int) -> bytes:
        """The bytes of one token; empty for an id that the tokenizer does not use."""
        return self.tokens[token] if 0 <= token < len(self.tokens) else b""

    def text(self, ids: tuple[int, ...] | list[int]) -> str:
        """The text of these tokens; bytes that are not UTF-8 become the replacement character."""
        return b"".join(self[token] for token in ids).decode("utf-8", errors="replace")

    def label(self, token: int) -> str:
        """Return a token's label: space as ·, line break as ↵, tab as ⇥, bytes that are not a character as hex.

        Control and formatting characters are shown by their code, so that no token is invisible.
        """
        raw = self[token]
        if not raw:
            return f"[{token}]"
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return "".join(
                SHOWN.get(chr(byte)) or (chr(byte) if 0x21 <= byte < 0x7F else f"⟨{byte:02x}⟩") for byte in raw
            )
        return "".join(SHOWN.get(char) or (char if char.isprintable() else f"⟨{ord(char):x}⟩") for char in text)

    def to_bytes(self) -> bytes:
        """Join all tokens in one byte string, each preceded by its length in two bytes."""
        return b"".join(len(token).to_bytes(2, "little") + token for token in self.tokens)

    @classmethod
    def from_bytes(cls, data: bytes, most: int | None = None) -> "Vocabulary":
        """Read the output of `to_bytes`, of at most `most` tokens.

        Raises:
            TraceError: if a length points past the end, or the data has more than `most` tokens.
        """
        tokens: list[bytes] = []
        at = 0
        while at < len(data):
            if len(tokens) == most:
                raise TraceError(f"The vocabulary in this file has more than the {most} tokens of its config.")
            end = at + 2 + int.from_bytes(data[at : at + 2], "little")
            if at + 2 > len(data) or end > len(data):
                raise TraceError("The vocabulary in this file is cut off.")
            tokens.append(data[at + 2 : end])
            at = end
        return cls(tuple(tokens))
