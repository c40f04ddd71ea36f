"""What a host can limit: prompts, new tokens, threads, and the memory of all runs."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from gpt2.engine.settings import count, megabytes, problem
from gpt2.errors import PromptError, SettingsError

from .memory import machine_bytes

# At most; where the host has less left, the runs get less (`Traces`).
TRACES_SHARE = 0.4


@dataclass(frozen=True)
class Limits:
    """What this host allows.

    Attributes:
        prompt_tokens: the longest prompt, in tokens; the model's context may be shorter.
        new_tokens: the most tokens generated for one press of Run or Play.
        traces_bytes: what all visitors' captures and KV caches may take together.
        threads: the threads that run models; 0 if the first model decides (`engine.settings.default_threads`).
        problem: one sentence if any setting of this host cannot be read; else empty.
    """

    prompt_tokens: int
    new_tokens: int
    traces_bytes: int
    threads: int
    problem: str = ""

    def check_prompt(self, tokens: int) -> None:
        """Refuse a prompt that is longer than this host allows.

        Raises:
            PromptError: if it is.
        """
        if (over := tokens - self.prompt_tokens) > 0:
            raise PromptError(
                f"The prompt has {tokens} tokens, {over} more than the {self.prompt_tokens} allowed here; shorten it."
            )

    def check(self) -> None:
        """Refuse to work with a setting that cannot be read.

        Raises:
            SettingsError: if there is one.
        """
        if self.problem:
            raise SettingsError(self.problem)


def limits() -> Limits:
    """The limits as they are set now; a default stands in for one that cannot be read."""

    def setting(parse: Callable[[str, int], int], name: str, default: int) -> int:
        try:
            return parse(name, default)
        except SettingsError:
            return default

    return Limits(
        prompt_tokens=setting(count, "GPT2_MAX_PROMPT_TOKENS", sys.maxsize),
        new_tokens=setting(count, "GPT2_MAX_NEW_TOKENS", sys.maxsize),
        traces_bytes=setting(megabytes, "GPT2_TRACES_MB", int(TRACES_SHARE * machine_bytes())),
        threads=setting(count, "GPT2_THREADS", 0),
        problem=problem(),
    )
