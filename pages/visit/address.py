"""A run, its settings and a change as the query of an address, and back: `prompt=Once+upon+a+time&tokens=12&step=3`.

Defaults are left out. Whoever follows a link may have been sent anything: all is checked, and nothing is trusted.
"""

import binascii
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2s
from urllib.parse import parse_qsl, quote_plus

from gpt2.errors import SettingsError
from gpt2.experiments.plan_text import MOST_NAME, NamedChange, change_text, read_change
from gpt2.model.sampling import Sampling
from gpt2.text.prompt import MAX_BYTES, MAX_CHARACTERS

from .address_values import (
    MOST_STEPS,
    NUMBER,
    drawn_text,
    number_text,
    read_head,
    read_sampling,
    read_samplings,
    unreadable,
    whole,
)
from .controls import DEFAULT, FASTEST, SLOWEST, Controls
from .examples import RECORDED

# Chats and mail programs cut longer links; the origin and the page come before the query, the view after it.
MOST_COMPOSED = 1_900
MOST_READ, MOST_FIELDS = 8_000, 100
# A prompt is readable in the address up to this many characters as they are quoted there.
MOST_READABLE = 300
MOST_MODEL = 300
CHECK = re.compile("[A-Za-z0-9_-]{8}")
NAMES = frozenset(
    {"prompt", "z", "run", "model", "temperature", "top_k", "top_p", "seed", "max_new_tokens", "ignore_eos"}
    | {"speed", "tokens", "drawn", "check", "change", "named", "step", "head", "at"}
)


@dataclass(frozen=True)
class Address:
    """What an address says.

    Attributes:
        prompt: the text that the run begins with; None if the address names no run, or a recorded one.
        recorded: the name of a recorded run that ships with the program, if not of the first one.
        model: what makes the run, or what was chosen for the next; None for the one that a visit begins with.
        controls: the settings beside the prompt.
        samplings: the settings of each token that is drawn; empty if the address does not say how many are.
        check: `check_of` the run's tokens, to tell whether the run became the same; empty if it is not known.
        step, head, watched: the step to show, (layer, head) to lock, and the position to look at; they may not exist.
        change: that of the Experiments page, which may not fit the run; None if nothing is changed.
    """

    prompt: str | None = None
    recorded: str | None = None
    model: str | None = None
    controls: Controls = DEFAULT
    samplings: tuple[Sampling, ...] = ()
    check: str = ""
    step: int | None = None
    head: tuple[int, int] | None = None
    watched: int | None = None
    change: NamedChange | None = None


def check_of(ids: Sequence[int]) -> str:
    """Eight letters that differ, as good as always, if the tokens of a run do."""
    return urlsafe_b64encode(blake2s(",".join(map(str, ids)).encode(), digest_size=6).digest()).decode()


def compose(address: Address) -> str:
    """The query, without the question mark."""
    now, usual = address.controls, DEFAULT
    fields: dict[str, str | None] = {"run": address.recorded}
    if address.prompt is not None:
        name, text = prompt_field(address.prompt)
        fields[name] = text
    fields["model"] = address.model
    for name in ("temperature", "top_k", "top_p", "seed"):
        value = getattr(now.sampling, name)
        fields[name] = None if value == getattr(usual.sampling, name) else number_text(value)
    fields["max_new_tokens"] = None if now.max_new_tokens == usual.max_new_tokens else str(now.max_new_tokens)
    fields["ignore_eos"] = "1" if now.ignore_eos else None
    fields["speed"] = None if now.speed == usual.speed else number_text(now.speed)
    if address.samplings and address.samplings.count(now.sampling) == len(address.samplings):
        fields["tokens"] = str(len(address.samplings))
    elif address.samplings:
        fields["drawn"] = drawn_text(address.samplings)
    fields["check"] = address.check or None
    if address.change is not None:
        fields["change"], fields["named"] = change_text(address.change.plan), address.change.name or None
    fields["step"] = None if address.step is None else str(address.step)
    fields["head"] = None if address.head is None else "{}.{}".format(*address.head)
    fields["at"] = None if address.watched is None else str(address.watched)
    return "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items() if value is not None)


def read_address(query: str) -> Address:
    """What a query says; parameters of other names are ignored.

    Raises:
        SettingsError: if one of ours is given twice, cannot be read, or is far too long.
    """
    if len(query) > MOST_READ:
        raise SettingsError("The address is too long to be that of a run; ask for the link again.")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise unreadable(f"it has more than {MOST_FIELDS} parameters") from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise unreadable(f"it has {name} twice")
        if name in NAMES:
            values[name] = checked(value, name)
    controls = read_controls(values)
    prompt, check = read_prompt(values), values.get("check", "")
    recorded, model = values.get("run"), values.get("model")
    if recorded is not None and (recorded not in RECORDED or prompt is not None):
        raise unreadable("run is not one of the recorded runs" if prompt is None else "it has two runs")
    if model is not None and not 0 < len(model) <= MOST_MODEL:
        raise unreadable("model is no name of a model")
    if check and not CHECK.fullmatch(check):
        raise unreadable("check is damaged")
    return Address(
        prompt=prompt,
        recorded=recorded,
        model=model,
        controls=controls,
        samplings=read_samplings(values, controls.sampling),
        check=check,
        step=whole(values["step"], "step") if "step" in values else None,
        head=read_head(values["head"]) if "head" in values else None,
        watched=whole(values["at"], "at") if "at" in values else None,
        change=read_named_change(values),
    )


def checked(value: str, name: str) -> str:
    """A value whose bytes were text.

    Raises:
        SettingsError: if they were not.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        raise unreadable(f"{name} is not text") from None
    return value


@lru_cache(maxsize=8)  # every message of a run has the same
def prompt_field(prompt: str) -> tuple[str, str]:
    """The parameter of a prompt, and its value: the text as it is, or in fewer letters if it is long."""
    plain = len(quote_plus(prompt))
    if plain > MOST_READABLE:
        packed = urlsafe_b64encode(zlib.compress(prompt.encode(), 9)).decode().rstrip("=")
        if len(packed) < plain:
            return "z", packed
    return "prompt", prompt


def read_prompt(values: Mapping[str, str]) -> str | None:
    """The prompt, of which no more is unpacked than a prompt may have.

    Raises:
        SettingsError: if it is empty, damaged, or unpacks to more.
    """
    if "prompt" in values and "z" in values:
        raise unreadable("it has two prompts")
    if "z" not in values:
        if values.get("prompt") == "":
            raise unreadable("its prompt is empty")
        return values.get("prompt")
    packed = values["z"]
    if not re.fullmatch("[A-Za-z0-9_-]+", packed):
        raise unreadable("its prompt is damaged")
    unpack = zlib.decompressobj()
    try:
        text = unpack.decompress(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), MAX_BYTES + 1).decode()
    except (binascii.Error, zlib.error, ValueError):
        raise unreadable("its prompt is damaged") from None
    if unpack.unconsumed_tail or len(text) > MAX_CHARACTERS:
        raise unreadable(f"its prompt has more than {MAX_CHARACTERS:,} characters")
    if not unpack.eof or unpack.unused_data or not text:
        raise unreadable("its prompt is damaged")
    return text


def read_controls(values: Mapping[str, str]) -> Controls:
    """The settings beside the prompt.

    Raises:
        SettingsError: if one cannot be read, or is out of its range.
    """
    usual = DEFAULT.sampling
    sampling = read_sampling(
        *(values.get(name, number_text(getattr(usual, name))) for name in ("temperature", "top_k", "top_p", "seed"))
    )
    tokens = whole(values.get("max_new_tokens", str(DEFAULT.max_new_tokens)), "max_new_tokens")
    if not 1 <= tokens <= MOST_STEPS:
        raise unreadable(f"max_new_tokens is not from 1 to {MOST_STEPS}")
    if values.get("ignore_eos", "0") not in ("0", "1"):
        raise unreadable("ignore_eos is neither 0 nor 1")
    speed = values.get("speed", number_text(DEFAULT.speed))
    if not NUMBER.fullmatch(speed) or not (float(speed) == 0 or SLOWEST <= float(speed) <= FASTEST):
        raise unreadable(f"speed is neither 0 nor from {SLOWEST:g} to {FASTEST}")
    return Controls(sampling, tokens, float(speed), values.get("ignore_eos") == "1")


def read_named_change(values: Mapping[str, str]) -> NamedChange | None:
    """The change of the Experiments page, and its name; None without one.

    Raises:
        SettingsError: if it cannot be read, or the name is longer than any of ours.
    """
    name = values.get("named", "")
    if len(name) > MOST_NAME or (name and "change" not in values):
        raise unreadable("named is no name of a change")
    try:
        return NamedChange(read_change(values["change"]), name) if "change" in values else None
    except (ValueError, KeyError):
        raise unreadable("change is damaged") from None
