"""The settings beside the prompt, checked when they change."""

from dataclasses import dataclass

from gpt2.errors import SettingsError
from gpt2.model.sampling import Sampling
from pages.stage.actions import Settings

SLOWEST, FASTEST = 0.1, 60  # tokens a second


@dataclass(frozen=True)
class Controls:
    """How tokens are generated: `max_new_tokens` for one press of Run or Play, `speed` a second (0: no limit).

    Unless `ignore_eos`, a run stops at a token that ends the text, as it does in transformers.
    """

    sampling: Sampling
    max_new_tokens: int
    speed: float
    ignore_eos: bool = False

    def changed(self, settings: Settings, most_new_tokens: int, vocab_size: int) -> "Controls":
        """These controls with the settings that were sent.

        Raises:
            SettingsError: if one is out of its range, or does not fit the vocabulary.
        """
        now = self.sampling
        sampling = Sampling(
            temperature=now.temperature if settings.temperature is None else settings.temperature,
            top_k=now.top_k if settings.top_k is None else settings.top_k,
            top_p=now.top_p if settings.top_p is None else settings.top_p,
            seed=now.seed if settings.seed is None else settings.seed,
        )
        sent = settings.max_new_tokens
        tokens = min(self.max_new_tokens, most_new_tokens) if sent is None else sent
        if not 1 <= tokens <= most_new_tokens:
            raise SettingsError(f"The number of new tokens must be from 1 to {most_new_tokens}, not {tokens}.")
        speed = self.speed if settings.speed is None else settings.speed
        if speed != 0 and not SLOWEST <= speed <= FASTEST:
            raise SettingsError(
                f"The speed must be from {SLOWEST:g} to {FASTEST} tokens a second, or 0 for as fast as possible, "
                f"not {speed:g}."
            )
        sampling.check_vocabulary(vocab_size)
        ignore_eos = self.ignore_eos if settings.ignore_eos is None else settings.ignore_eos
        return Controls(sampling, tokens, speed, ignore_eos)


# What a visit begins with.
DEFAULT = Controls(Sampling(0.8, 0, 0.95, 1), max_new_tokens=40, speed=8.0)
