"""The models with a short name: the four sizes of OpenAI's GPT-2, and DistilGPT-2, as the hub stores them.

Also estimates the memory that a model of any shape needs.
"""

from dataclasses import dataclass

from gpt2.model.config import GPT2Config


@dataclass(frozen=True)
class Known:
    """A repository whose shape is known before anything is downloaded.

    Attributes: `repo` is its id on the hub, `label` its name on the screen, `download_bytes` the size of its
    `model.safetensors`.
    """

    repo: str
    label: str
    config: GPT2Config
    download_bytes: int


def _known(repo: str, label: str, n_layer: int, n_embd: int, n_head: int, download_bytes: int) -> Known:
    config = GPT2Config(50257, n_positions=1024, n_embd=n_embd, n_layer=n_layer, n_head=n_head, n_inner=4 * n_embd)
    return Known(repo, label, config, download_bytes)


# Keys are short names that a user may type instead of the repository's id; sizes from Radford et al. (2019), table 2.
KNOWN = {
    "distilgpt2": _known("distilbert/distilgpt2", "DistilGPT-2 82M", 6, 768, 12, 352_824_413),
    "gpt2": _known("openai-community/gpt2", "GPT-2 124M", 12, 768, 12, 548_105_171),
    "gpt2-medium": _known("openai-community/gpt2-medium", "GPT-2 medium 355M", 24, 1024, 16, 1_519_984_962),
    "gpt2-large": _known("openai-community/gpt2-large", "GPT-2 large 774M", 36, 1280, 20, 3_247_159_078),
    "gpt2-xl": _known("openai-community/gpt2-xl", "GPT-2 XL 1.6B", 48, 1600, 25, 6_431_829_964),
}

# The model that a reader of the course has built: the weights of the bundled one, run by their own code.
MINE = "mine"

# The models whose compiled graphs are in the repository.
SHIPPED = ("bundled", "distilgpt2", "gpt2", "gpt2-medium")

# The program's memory before it loads weights: Python, Streamlit, MAX and the bundled model (README, How to check).
PROGRAM_BYTES = 300_000_000
FLOAT32_BYTES = 4


def weight_bytes(config: GPT2Config) -> int:
    """The memory that a model's weights take: float32, with a tied LM head counted once."""
    return FLOAT32_BYTES * config.n_params


def memory_needed(config: GPT2Config) -> int:
    """Estimate the memory of the program with this model loaded, in bytes; captures come on top."""
    return PROGRAM_BYTES + weight_bytes(config)


def in_words(nbytes: float) -> str:
    """Format a number of bytes for a person, such as 548 MB or 6.43 GB."""
    if nbytes >= 999.5e6:
        return f"{nbytes / 1e9:.3g} GB"
    return f"{nbytes / 1e6:.0f} MB" if nbytes >= 999.5e3 else f"{nbytes / 1e3:.0f} kB"
