"""Byte-level BPE: turns text into token ids and back without losing or adding a byte."""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from tokenizers import Tokenizer as BPE
from tokenizers import decoders, models, pre_tokenizers

from gpt2.errors import CheckpointError, PromptError

from .vocabulary import Vocabulary

END_OF_TEXT = "<|endoftext|>"
MAX_TOKENS = 1_000_000


@cache
def byte_of() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte, reversed (Radford et al., 2019, `bytes_to_unicode`)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(rest)}


@dataclass(frozen=True)
class Tokenizer:
    """GPT-2's tokenizer: a vocabulary of byte strings, and merges."""

    bpe: BPE

    @classmethod
    def from_folder(cls, folder: Path) -> "Tokenizer":
        """Read `tokenizer.json`, or `vocab.json` and `merges.txt`.

        Raises:
            CheckpointError: if the files are missing or cannot be read, or the tokenizer is not byte-level.
        """
        try:
            tokenizer = cls(_read(folder))
        except (CheckpointError, KeyboardInterrupt):
            raise
        except BaseException as error:  # the library raises Exception, and for a panic in Rust a BaseException
            raise CheckpointError(f"The tokenizer in {folder} cannot be read: {error}.") from None
        pieces = tokenizer.bpe.get_vocab(with_added_tokens=True)
        try:
            if (
                isinstance(tokenizer.bpe.model, models.BPE)
                and max(pieces.values()) < MAX_TOKENS
                and tokenizer.vocabulary.tokens
            ):
                return tokenizer
        except (KeyError, ValueError):  # a character that stands for no byte, or an empty vocabulary
            pass
        raise CheckpointError(f"The tokenizer in {folder} is not GPT-2's byte-level one.")

    def encode(self, text: str) -> list[int]:
        """Return the token ids of exactly this text, without trimming or adding anything.

        Raises:
            PromptError: if the text holds half of a surrogate pair, which has no UTF-8 bytes, or anything that
                this tokenizer would drop or alter.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise PromptError(
                f"The prompt has half a character (a lone surrogate) at position {error.start}; delete or retype it."
            ) from None
        ids = self.bpe.encode(text, add_special_tokens=False).ids
        written = self.vocabulary.text(ids)
        if written != text:
            pairs = enumerate(zip(written, text, strict=False))
            at = next((index for index, (ours, given) in pairs if ours != given), min(len(written), len(text)))
            raise PromptError(
                f"This model's tokenizer cannot write the prompt exactly, from {text[at : at + 12]!r} "
                f"at position {at} on; change that part."
            )
        return ids

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The byte string of every id; one token may hold only part of a character."""
        pieces = {token: piece for piece, token in self.bpe.get_vocab(with_added_tokens=True).items()}
        added = {token for token, content in self.bpe.get_added_tokens_decoder().items() if content}

        def in_bytes(token: int) -> bytes:
            piece = pieces.get(token, "")
            return piece.encode() if token in added else bytes(byte_of()[char] for char in piece)

        return Vocabulary(tuple(in_bytes(token) for token in range(max(pieces) + 1)))


def _read(folder: Path) -> BPE:
    whole, vocab, merges = folder / "tokenizer.json", folder / "vocab.json", folder / "merges.txt"
    if whole.exists():
        bpe = BPE.from_file(str(whole))
        bpe.no_truncation()  # the file may set truncation and padding, which suit training but not a prompt
        bpe.no_padding()
        return bpe
    if not (vocab.exists() and merges.exists()):
        raise CheckpointError(f"{folder} has no tokenizer: neither tokenizer.json nor vocab.json + merges.txt.")
    bpe = BPE(models.BPE.from_file(str(vocab), str(merges)))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    if bpe.token_to_id(END_OF_TEXT) is not None:
        bpe.add_special_tokens([END_OF_TEXT])
    return bpe
