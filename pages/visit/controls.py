"""The settings beside the prompt, checked when they change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpt2.errors import SettingsError
from gpt2.model.sampling import Sampling
from pages.stage.actions import Settings

SLOWEST, FASTEST = 0.1, 60  # tokens a second
MOST_EXACT = 2**53  # up to here a float is a whole number for each of its values


def as_typed(value: float) -> float | int:
    """The same number, a whole one without a decimal point: a sentence that quotes it has what was typed."""
    return int(value) if abs(value) < MOST_EXACT and value == int(value) else value


class WrongSettings(SettingsError):
    """Settings of which none is taken: `errors` has a sentence for each wrong one, by its name."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        """Say what is wrong with the first one."""
        super().__init__(next(iter(errors.values())))
        self.errors = errors


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
            WrongSettings: if one is no number, out of its range, or does not fit the vocabulary.
        """
        errors = dict(settings.unreadable)
        chosen: dict[str, Any] = {}
        for name, kept in self.sampling.to_dict().items():
            sent = getattr(settings, name)
            chosen[name] = kept if sent is None else as_typed(sent)
            try:
                Sampling(**{name: chosen[name]}).check_vocabulary(vocab_size)
            except SettingsError as error:
                errors[name] = str(error)
        sent = settings.max_new_tokens
        tokens = min(self.max_new_tokens, most_new_tokens) if sent is None else sent
        if not 1 <= tokens <= most_new_tokens:
            errors["max_new_tokens"] = f"The number of new tokens must be from 1 to {most_new_tokens}, not {tokens}."
        speed = self.speed if settings.speed is None else settings.speed
        if speed != 0 and not SLOWEST <= speed <= FASTEST:
            errors["speed"] = f"The speed must be 0 (flat out) or from {SLOWEST:g} to {FASTEST}, not {speed:g}."
        if errors:
            raise WrongSettings(errors)
        ignore_eos = self.ignore_eos if settings.ignore_eos is None else settings.ignore_eos
        return Controls(Sampling(**chosen), tokens, speed, ignore_eos)


# What a visit begins with.
DEFAULT = Controls(Sampling(0.8, 0, 0.95, 1), max_new_tokens=40, speed=8.0)
