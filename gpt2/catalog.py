"""The models that have a name: OpenAI's GPT-2 in its four sizes and the distilled one, as they lie on the hub."""

from dataclasses import dataclass

from .config import GPT2Config


@dataclass(frozen=True)
class Known:
    """A repository whose shape is known before anything is downloaded.

    Attributes: `repo` is its id on the hub, `download_bytes` the size of its `model.safetensors` there.
    """

    repo: str
    config: GPT2Config
    download_bytes: int


def _known(repo: str, n_layer: int, n_embd: int, n_head: int, download_bytes: int) -> Known:
    config = GPT2Config(50257, n_positions=1024, n_embd=n_embd, n_layer=n_layer, n_head=n_head, n_inner=4 * n_embd)
    return Known(repo, config, download_bytes)


# By the short name that may stand for the repository; sizes from Radford et al. (2019), table 2.
KNOWN = {
    "distilgpt2": _known("distilbert/distilgpt2", 6, 768, 12, 352_824_413),
    "gpt2": _known("openai-community/gpt2", 12, 768, 12, 548_105_171),
    "gpt2-medium": _known("openai-community/gpt2-medium", 24, 1024, 16, 1_519_984_962),
    "gpt2-large": _known("openai-community/gpt2-large", 36, 1280, 20, 3_247_159_078),
    "gpt2-xl": _known("openai-community/gpt2-xl", 48, 1600, 25, 6_431_829_964),
}
