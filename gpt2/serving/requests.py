"""What a request may ask: a body in; out comes what MAX Serve answers rightly, or one sentence that refuses it.

MAX Serve 26.7 says "Value error." of much that is wrong, and nothing of what it leaves out. Here every field of
OpenAI's completions is either answered as its documentation says, or refused by name.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpt2.model.config import GPT2Config
from gpt2.model.plain import number, quoted

HOST = "127.0.0.1"
MAX_BATCH_SIZE = 16
DEFAULT_MAX_TOKENS = 16  # OpenAI's
MOST_BYTES = 1_000_000
MOST_PROMPTS = 64
MOST_STOPS = 4  # OpenAI's
MOST_LOGPROBS = 5  # OpenAI's
LAST_SEED = 2**63 - 1  # MAX Serve takes a seed of 0 for none: this one stands for it
ROUTES = "POST /v1/completions, GET /v1/models, GET /health and GET /version"


class Refusal(ValueError):
    """A request that is not answered: its message is for the client; `status` is HTTP's."""

    def __init__(self, message: str, status: int = 400) -> None:
        """Say why not."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Offer:
    """What the server has: the model's name as clients write it, and its sizes."""

    name: str
    config: GPT2Config


@dataclass(frozen=True)
class Field:
    """One field of a request: what it may be, in code and in words; and why, if nothing but its default is taken."""

    fits: Callable[[Any], bool]
    what: str
    why: str = ""


def whole(low: int, high: int | None = None) -> Field:
    """A whole number."""

    def fits(value: Any) -> bool:
        return type(value) is int and value >= low and (high is None or value <= high)

    return Field(fits, f"a whole number from {low} up" if high is None else f"a whole number from {low} to {high}")


def between(low: float, high: float, above: bool = False) -> Field:
    """A number from `low` to `high`, or above `low`."""

    def fits(value: Any) -> bool:
        plain = number(value)
        return plain is not None and (low < plain if above else low <= plain) and plain <= high

    return Field(fits, f"a number {'above' if above else 'from'} {low} {'and at most' if above else 'to'} {high}")


def only(*values: Any, why: str) -> Field:
    """A field that this server does not have: it may have its default alone."""
    return Field(lambda value: value in values and type(value) is not bool, f"{values[0]!r} or left out", why)


def are_stops(value: Any) -> bool:
    """One text that is not empty, or a few."""
    texts = [value] if isinstance(value, str) else value
    return isinstance(texts, list) and len(texts) <= MOST_STOPS and all(isinstance(one, str) and one for one in texts)


SWITCH = Field(lambda value: isinstance(value, bool), "true or false")
NO_PENALTY = "penalties are not supported"
FIELDS = {
    "max_tokens": whole(1),
    "temperature": between(0, 2),
    "top_p": between(0, 1, above=True),
    "top_k": whole(-1),
    "seed": whole(0, LAST_SEED - 1),
    "stop": Field(are_stops, f"a text or at most {MOST_STOPS} texts, none of them empty"),
    "logprobs": whole(1, MOST_LOGPROBS),
    "stream": SWITCH,
    "stream_options": Field(lambda value: isinstance(value, dict), 'an object such as {"include_usage": true}'),
    "ignore_eos": SWITCH,
    "user": Field(lambda value: isinstance(value, str), "a text"),
    "n": only(1, why="each prompt gets one answer; send the prompt several times, with other seeds"),
    "best_of": only(1, why="each prompt gets one answer"),
    "echo": Field(lambda value: value is False, "false or left out", "put the prompt before the answer yourself"),
    "suffix": only("", why="GPT-2 writes on, and fills no gap"),
    "logit_bias": only({}, why="it is not supported"),
    "frequency_penalty": only(0, why=NO_PENALTY),
    "presence_penalty": only(0, why=NO_PENALTY),
}


def checked(body: bytes, offer: Offer) -> dict[str, Any]:
    """The request in a body, with OpenAI's defaults and without fields that are null.

    Raises:
        Refusal: if it cannot be answered as it was meant.
    """
    asked = {name: value for name, value in parsed(body).items() if value is not None}
    check_model(asked.pop("model", None), offer)
    prompts = prompts_of(asked.pop("prompt", None), offer.config)
    for name, value in asked.items():
        if name not in FIELDS:
            raise Refusal(f"{quoted(name)} is no field of a completion here; there are {', '.join(FIELDS)}.")
        field = FIELDS[name]
        if not field.fits(value):
            why = f": {field.why}" if field.why else ""
            raise Refusal(f"{name} must be {field.what}, not {quoted(value)}{why}.")
    if len(prompts) > 1 and asked.get("stream"):
        raise Refusal("Several prompts cannot be streamed in one request; send a request for each.")
    if "stream_options" in asked and not asked.get("stream"):
        raise Refusal("stream_options needs stream to be true.")
    if (top_k := asked.get("top_k", 0)) > offer.config.vocab_size:
        raise Refusal(f"top_k is {top_k}, but the vocabulary has only {offer.config.vocab_size} tokens.")
    if asked.get("seed") == 0:
        asked["seed"] = LAST_SEED
    prompt = prompts[0] if len(prompts) == 1 else prompts
    return {"max_tokens": DEFAULT_MAX_TOKENS, **asked, "model": offer.name, "prompt": prompt}


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        Refusal: if it is anything else.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"The body is not JSON ({error}).") from None
    if not isinstance(asked, dict):
        raise Refusal(f'The body must be a JSON object such as {{"model": ..., "prompt": ...}}, not {quoted(asked)}.')
    return asked


def check_model(name: Any, offer: Offer) -> None:
    """Refuse a request for another model.

    Raises:
        Refusal: if it names none, or one that is not served.
    """
    if name is None:
        raise Refusal(f'model is missing: write "model": "{offer.name}".')
    if name != offer.name:
        raise Refusal(f"There is no model {quoted(name)} here; this server has {quoted(offer.name)}.", 404)


def prompts_of(given: Any, config: GPT2Config) -> list[str] | list[list[int]]:
    """The prompts of a request: a text, token ids, or a list of either.

    Raises:
        Refusal: if there is none, one is empty or cannot be read, or there are more than `MOST_PROMPTS`.
    """
    if given is None:
        raise Refusal("prompt is missing: give a text, or a list of token ids.")
    is_list = isinstance(given, list) and len(given) > 0 and isinstance(given[0], (str, list))
    prompts = given if is_list else [given]
    if len(prompts) > MOST_PROMPTS:
        raise Refusal(f"A request can have at most {MOST_PROMPTS} prompts, not {len(prompts)}.")
    for prompt in prompts:
        check_prompt(prompt, config)
    if len({type(prompt) for prompt in prompts}) > 1:
        raise Refusal("The prompts must be all texts or all lists of token ids.")
    return prompts


def check_prompt(prompt: Any, config: GPT2Config) -> None:
    """Refuse a prompt that the model cannot read.

    Raises:
        Refusal: if it is empty, is no text, or has an id that is no token.
    """
    if not isinstance(prompt, (str, list)):
        raise Refusal(f"prompt must be a text or a list of token ids, not {quoted(prompt)}.")
    if not prompt:
        raise Refusal("prompt is empty: the model needs at least one token to go on from.")
    if isinstance(prompt, str):
        try:
            prompt.encode()
        except UnicodeEncodeError:
            raise Refusal("prompt has half of a character (a lone surrogate), which is no text.") from None
        return
    for token in prompt:
        if type(token) is not int or not 0 <= token < config.vocab_size:
            raise Refusal(f"A token id must be a whole number from 0 to {config.vocab_size - 1}, not {quoted(token)}.")
    if len(prompt) >= config.n_positions:
        raise Refusal(
            f"The prompt has {len(prompt)} tokens, but the context has {config.n_positions} and the answer needs one."
        )
