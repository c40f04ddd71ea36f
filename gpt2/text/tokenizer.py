"""Byte-level BPE: turns text into token ids and back without losing or adding a byte."""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from tokenizers import AddedToken, models
from tokenizers import Tokenizer as BPE

from gpt2.errors import CheckpointError, PromptError

from .hugging_face import check_lengths, read_tokenizer
from .vocabulary import Vocabulary

MAX_TOKENS = 1_000_000


@cache
def byte_of() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte, reversed (Radford et al., 2019, `bytes_to_unicode`)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(rest)}


@dataclass(frozen=True)
class Tokenizer:
    """GPT-2's tokenizer: a vocabulary of byte strings, and merges.

    Attributes: `size` is the number of ids that the model has embeddings for; None if it has one for each.
    """

    bpe: BPE
    size: int | None = None

    @classmethod
    def from_folder(cls, folder: Path, size: int | None = None) -> "Tokenizer":
        """Read the tokenizer's files, as Hugging Face transformers reads them.

        Raises:
            CheckpointError: if files are missing or cannot be read, a setting is not supported, or the tokenizer is
                not byte-level.
        """
        try:
            tokenizer = cls(read_tokenizer(folder), size)
            pieces, added, _ = tokenizer.bpe.get_vocab(with_added_tokens=True), tokenizer._added, tokenizer.around
        except (CheckpointError, KeyboardInterrupt):
            raise
        except BaseException as error:  # the library raises Exception, and for a panic in Rust a BaseException
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(f"The tokenizer in {folder} cannot be read: {reason}.") from None
        letters = {piece for piece, token in pieces.items() if len(piece) == 1 and token not in added}
        is_byte_level = isinstance(tokenizer.bpe.model, models.BPE) and letters <= byte_of().keys()
        if not pieces or max(pieces.values()) >= MAX_TOKENS or not is_byte_level:
            raise CheckpointError(f"The tokenizer in {folder} is not GPT-2's byte-level one.")
        check_lengths(pieces)
        return tokenizer

    def encode(self, text: str) -> list[int]:
        """Return the token ids of exactly this text, without trimming or adding anything.

        Raises:
            PromptError: if the text holds half of a surrogate pair, which has no UTF-8 bytes, or anything that
                this tokenizer would drop or alter, or lacks what the tokenizer puts around every prompt.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise PromptError(
                f"The prompt has half a character (a lone surrogate) at position {error.start}; delete or retype it."
            ) from None
        ids = self.bpe.encode(text, add_special_tokens=False).ids
        if (written := self.pieces.text(ids)) != text:
            raise PromptError(self._alteration(text, written))
        before, after = self.around
        for wanted, found, place in (
            (before, ids[: len(before)], "start"),
            (after, ids[len(ids) - len(after) :], "end"),
        ):
            if wanted != found:
                raise PromptError(
                    f"This model's tokenizer puts {self.pieces.text(wanted)!r} at the {place} of every prompt "
                    f"(add_{'bos' if place == 'start' else 'eos'}_token, or post_processor in tokenizer.json), and "
                    "nothing is added here; type it yourself."
                )
        return ids

    @cached_property
    def around(self) -> tuple[list[int], list[int]]:
        """The ids that Hugging Face transformers puts before and after every prompt; mostly none."""
        inner, whole = (self.bpe.encode("a", add_special_tokens=special).ids for special in (False, True))
        at = next(at for at in range(len(whole) + 1) if whole[at : at + len(inner)] == inner)
        return whole[:at], whole[at + len(inner) :]

    @cached_property
    def pieces(self) -> Vocabulary:
        """The byte string of every id, with or without an embedding; one token may hold only part of a character."""
        pieces = {token: piece for piece, token in self.bpe.get_vocab(with_added_tokens=False).items()}
        pieces |= {token: added.content for token, added in self._added.items()}

        def in_bytes(token: int) -> bytes:
            piece = pieces.get(token, "")
            # An added token means its own characters, unless merges make this very piece out of bytes.
            is_text = token in self._added and [made.id for made in self.bpe.model.tokenize(piece)] != [token]
            if is_text or not all(char in byte_of() for char in piece):
                return piece.encode()
            return bytes(byte_of()[char] for char in piece)

        return Vocabulary(tuple(in_bytes(token) for token in range(max(pieces) + 1)))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The byte string of every id that the model can read and draw."""
        return Vocabulary(self.pieces.tokens[: self.size])

    @cached_property
    def _added(self) -> dict[int, AddedToken]:
        return self.bpe.get_added_tokens_decoder()

    def _alteration(self, text: str, written: str) -> str:
        """Say in one sentence what the tokenizer would make of a text, and what to type instead."""
        pairs = enumerate(zip(written, text, strict=False))
        at = next((index for index, (ours, given) in pairs if ours != given), min(len(written), len(text)))
        part = f"{text[at : at + 12]!r} at position {at}"
        if written[at : at + 1] == " " and getattr(self.bpe.pre_tokenizer, "add_prefix_space", False):
            return f"This model's tokenizer insists on a blank before {part} (add_prefix_space); type the blank there."
        for token in self._added.values():
            takes_left = token.lstrip and text[at:].lstrip().startswith(token.content)
            takes_right = token.rstrip and text[:at].endswith(token.content)
            if text[at : at + 1].isspace() and (takes_left or takes_right):
                flag = "lstrip" if takes_left else "rstrip"
                return (
                    f"This model's token {token.content!r} takes away the blanks beside it ({flag} in the tokenizer's "
                    f"files); delete those at position {at}."
                )
        return f"This model's tokenizer cannot write the prompt exactly, from {part} on; change that part."
