"""The corpus as token windows: documents, byte-level BPE, held-out split, synthetic repeats."""

import hashlib
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from gpt2.text.hugging_face import END_OF_TEXT


def read_documents(path: Path) -> list[str]:
    """Return the documents of a text file (plain or .xz) separated by `<|endoftext|>`."""
    raw = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    parts = raw.decode().split(END_OF_TEXT)
    return [text for part in parts if (text := part.strip("\n"))]


def split_documents(documents: list[str], held_out_percent: float = 2.0) -> tuple[list[str], list[str]]:
    """Split into (training, held out) by the SHA-256 of each text, so that the split never changes."""

    def is_held_out(text: str) -> bool:
        digest = hashlib.sha256(text.encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32 < held_out_percent / 100

    training = [text for text in documents if not is_held_out(text)]
    return training, [text for text in documents if is_held_out(text)]


def train_tokenizer(documents: list[str], vocab_size: int) -> Tokenizer:
    """Learn a byte-level BPE in GPT-2's form; as in GPT-2, `<|endoftext|>` is the last id."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.add_special_tokens([END_OF_TEXT])
    return tokenizer


@dataclass(frozen=True)
class Windows:
    """Draws training windows from one long shuffled token stream.

    Shapes: `stream` is [tokens]; `starts` holds the index of each document's `<|endoftext|>`.
    """

    stream: np.ndarray
    starts: np.ndarray
    context: int
    unigram_cdf: np.ndarray

    @classmethod
    def of(cls, encoded: list[list[int]], end_of_text: int, context: int, vocab_size: int, seed: int) -> "Windows":
        """Shuffle encoded documents and join them, each preceded by `<|endoftext|>`."""
        order = np.random.default_rng(seed).permutation(len(encoded))
        parts = [np.asarray([end_of_text, *encoded[i]], dtype=np.int64) for i in order]
        stream = np.concatenate(parts)
        starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
        counts = np.bincount(stream, minlength=vocab_size).astype(np.float64)
        counts[end_of_text] = 0
        return cls(stream, starts[starts < len(stream) - context - 2], context, np.cumsum(counts / counts.sum()))

    def batch(self, rng: np.random.Generator, size: int, repeat_share: float) -> np.ndarray:
        """Draw windows: mostly anywhere, a tenth at `<|endoftext|>`, a tenth just after it, some synthetic repeats.

        Shapes: [size, context + 1].
        """
        begin = rng.integers(0, len(self.stream) - self.context - 1, size)
        kind = rng.random(size)
        begin = np.where(kind < 0.2, rng.choice(self.starts, size) + (kind < 0.1), begin)
        rows = self.stream[begin[:, None] + np.arange(self.context + 1)]
        for row in np.flatnonzero(rng.random(size) < repeat_share):
            rows[row] = self._repeated(rng)
        return rows

    def _repeated(self, rng: np.random.Generator) -> np.ndarray:
        """A random span of tokens repeated over and over: only an induction head can predict it."""
        period = int(rng.integers(8, self.context // 3))
        span = np.searchsorted(self.unigram_cdf, rng.random(period)).clip(max=len(self.unigram_cdf) - 1)
        return np.resize(span, self.context + 1)
