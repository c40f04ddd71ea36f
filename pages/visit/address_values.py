"""Single values of an address, as they are written there, and back: `step=3`, `head=2.4`, `drawn=12_0.8_0_0.95_1`."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from gpt2.errors import SettingsError
from gpt2.model.sampling import Sampling

MOST_STEPS = 100_000
WHOLE = re.compile("[0-9]{1,19}")
NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?")


def unreadable(why: str) -> SettingsError:
    """The one sentence on an address that cannot be read."""
    return SettingsError(f"The address cannot be read, as {why}; ask for the link again.")


def whole(text: str, name: str) -> int:
    """A whole number from 0 up.

    Raises:
        SettingsError: if it is none, or has more digits than any of ours.
    """
    if not WHOLE.fullmatch(text):
        raise unreadable(f"{name} is not a whole number")
    return int(text)


def read_head(text: str) -> tuple[int, int]:
    """Layer and head, as `2.4`.

    Raises:
        SettingsError: if it is anything else.
    """
    layer, dot, head = text.partition(".")
    if not dot:
        raise unreadable("head is not a layer and a head")
    return whole(layer, "head"), whole(head, "head")


def read_sampling(temperature: str, top_k: str, top_p: str, seed: str) -> Sampling:
    """The settings of a draw.

    Raises:
        SettingsError: if one cannot be read, or is out of its range.
    """
    for name, text in (("temperature", temperature), ("top_p", top_p)):
        if not NUMBER.fullmatch(text):
            raise unreadable(f"{name} is not a number")
    try:
        return Sampling(float(temperature), whole(top_k, "top_k"), float(top_p), whole(seed, "seed"))
    except SettingsError as error:
        why = str(error).rstrip(".")
        raise error if why.startswith("The address") else unreadable(why[0].lower() + why[1:]) from None


def read_samplings(values: Mapping[str, str], sampling: Sampling) -> tuple[Sampling, ...]:
    """The settings of each token: `tokens` of them alike, or as `drawn` says.

    Raises:
        SettingsError: if they cannot be read, or are more than any run has.
    """
    if "tokens" in values and "drawn" in values:
        raise unreadable("it has tokens beside drawn")
    stretches = []
    if "tokens" in values:
        stretches.append((whole(values["tokens"], "tokens"), sampling))
    for stretch in values["drawn"].split("~") if "drawn" in values else ():
        count, *settings = stretch.split("_")
        if len(settings) != 4:
            raise unreadable("drawn is damaged")
        stretches.append((whole(count, "drawn"), read_sampling(*settings)))
    if stretches and not (all(count for count, _ in stretches) and sum(count for count, _ in stretches) <= MOST_STEPS):
        raise unreadable(f"it does not draw from 1 to {MOST_STEPS} tokens")
    return tuple(sampling for count, sampling in stretches for _ in range(count))


def drawn_text(samplings: Sequence[Sampling]) -> str:
    """Settings token by token, as `12_0.8_0_0.95_1~3_0_0_1_1`: twelve tokens with some, then three with others."""
    stretches = [(len(list(alike)), sampling) for sampling, alike in groupby(samplings)]
    return "~".join(
        "_".join([str(count), number_text(s.temperature), str(s.top_k), number_text(s.top_p), str(s.seed)])
        for count, s in stretches
    )


def number_text(value: float) -> str:
    """A number in the fewest letters that give it back exactly."""
    return repr(value).removesuffix(".0")
