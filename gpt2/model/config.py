"""The sizes and constants of a GPT-2, read from a Hugging Face `config.json` and validated once."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from gpt2.errors import CheckpointError

# Settings of Hugging Face's GPT2Config that change the forward pass, with the values that are supported.
SUPPORTED: dict[str, tuple[Any, ...]] = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    # It only moves attention to float32, in which everything is computed here anyway.
    "reorder_and_upcast_attn": (False, True),
    "add_cross_attention": (False,),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
}
# Classes whose language model this is; the second head of the last is not read.
ARCHITECTURES = ("GPT2LMHeadModel", "GPT2Model", "GPT2DoubleHeadsModel")

# How a file begins that Git LFS left in the place of a large one (git-lfs, docs/spec.md).
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def check_content(path: Path) -> None:
    """Refuse a file of a checkpoint that is empty, or that only says where its content is.

    Raises:
        CheckpointError: if it is empty or a pointer of Git LFS.
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        start = file.read(len(LFS_POINTER))
    if start == LFS_POINTER:
        raise CheckpointError(f"{path} is only a pointer of Git LFS, not the file itself; fetch it with git lfs pull.")
    if not start:
        raise CheckpointError(f"{path} is empty, so it cannot be read; download it again.")


def json_object(path: Path) -> dict[str, Any]:
    """Read a file of a checkpoint that holds a JSON object.

    Raises:
        CheckpointError: if it cannot be read or holds anything else.
    """
    try:
        check_content(path)
        values = json.loads(path.read_text(encoding="utf-8"))
    except CheckpointError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} cannot be read: it does not hold a JSON object.")
    return values


@dataclass(frozen=True)
class GPT2Config:
    """Sizes under Hugging Face's names; `n_inner` is always a number here.

    Raises:
        CheckpointError: if a size is not a positive whole number or `n_head` does not divide `n_embd`.
    """

    SIZES: ClassVar[tuple[str, ...]] = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner")

    vocab_size: int
    n_positions: int
    n_embd: int
    n_layer: int
    n_head: int
    n_inner: int
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes that no GPT-2 can have."""
        for name in self.SIZES:
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise CheckpointError(f"config.json: {name} must be a positive whole number, not {size!r}.")
        if self.n_embd % self.n_head:
            raise CheckpointError(f"config.json: n_head {self.n_head} does not divide n_embd {self.n_embd}.")
        if not isinstance(self.layer_norm_epsilon, float) or not 0 < self.layer_norm_epsilon < 1:
            raise CheckpointError(
                f"config.json: layer_norm_epsilon must lie between 0 and 1, not {self.layer_norm_epsilon!r}."
            )
        if not isinstance(self.tie_word_embeddings, bool):
            raise CheckpointError(
                f"config.json: tie_word_embeddings must be true or false, not {self.tie_word_embeddings!r}."
            )

    @property
    def d_head(self) -> int:
        """Width of one head: `n_embd / n_head`."""
        return self.n_embd // self.n_head

    @property
    def n_params(self) -> int:
        """Number of parameters, a tied LM head counted once."""
        block = 4 * self.n_embd**2 + 2 * self.n_embd * self.n_inner + 9 * self.n_embd + self.n_inner
        tables = self.vocab_size * (1 if self.tie_word_embeddings else 2) + self.n_positions
        return (tables + 2) * self.n_embd + self.n_layer * block

    def to_dict(self) -> dict[str, int | float]:
        """All fields, as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_hugging_face(cls, values: dict[str, Any]) -> "GPT2Config":
        """Take a parsed `config.json`; whatever would change the forward pass is supported or refused.

        Raises:
            CheckpointError: if a setting is not supported or a size is missing.
        """
        for name, allowed in SUPPORTED.items():
            if (value := values.get(name, allowed[0])) not in allowed:
                raise CheckpointError(
                    f"config.json: {name} = {value!r} is not supported; this program runs GPT-2 with "
                    f"{name} = {allowed[0]!r}."
                )
        told = values.get("architectures") or ["GPT2LMHeadModel"]
        architectures = told if isinstance(told, list) else [told]
        if not any(name in ARCHITECTURES for name in architectures):
            raise CheckpointError(f"config.json: architecture {architectures[0]} is not GPT2LMHeadModel.")
        missing = [name for name in cls.SIZES[:-1] if name not in values]
        if missing:
            raise CheckpointError(f"config.json: {missing[0]} is missing.")
        sizes = {name: values.get(name) for name in cls.SIZES}
        if sizes["n_inner"] is None and isinstance(sizes["n_embd"], int):
            sizes["n_inner"] = 4 * sizes["n_embd"]
        return cls(
            **sizes,  # type: ignore[arg-type]  # checked where it is born
            layer_norm_epsilon=values.get("layer_norm_epsilon", 1e-5),
            tie_word_embeddings=values.get("tie_word_embeddings", True),
        )

    @classmethod
    def from_file(cls, path: Path) -> "GPT2Config":
        """Read a `config.json`.

        Raises:
            CheckpointError: if the file is missing, is not JSON, or `from_hugging_face` refuses it.
        """
        if not path.exists():
            raise CheckpointError(f"{path.parent} is not a checkpoint: it has no config.json.")
        return cls.from_hugging_face(json_object(path))
