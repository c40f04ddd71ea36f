"""What a host can limit, read from the environment whenever it is asked for.

Root-level entries of Streamlit's secrets are environment variables too, so a host may set them there.
"""

import os
import sys
from dataclasses import dataclass

from gpt2.errors import PromptError, SettingsError

from .memory import machine_bytes

# Of a small host's 1 GB, the app and its model need about a third, and Python and the browser messages their share.
TRACES_SHARE = 0.4
# Two runs of the bundled model with its context full, 167 MB each.
LEAST_TRACES = 350_000_000


@dataclass(frozen=True)
class Limits:
    """What this host allows.

    Attributes:
        prompt_tokens: the longest prompt, in tokens; the model's context may be shorter.
        new_tokens: the most tokens generated for one press of Run or Play.
        traces_bytes: what all visitors' captures and KV caches may take together.
        problem: one sentence where a setting cannot be read and its default stands in; empty where all can.
    """

    prompt_tokens: int
    new_tokens: int
    traces_bytes: int
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
    """The limits as they are set now."""
    problems: list[str] = []

    def setting(name: str, default: int) -> int:
        told = os.environ.get(name, "").strip()
        if not told:
            return default
        if told.isascii() and told.isdecimal() and len(told) <= 12 and int(told) > 0:
            return int(told)
        problems.append(
            f"{name} is {told!r}, but must be a whole number from 1 up; whoever hosts this app can put it right."
        )
        return default

    prompt = setting("GPT2_MAX_PROMPT_TOKENS", sys.maxsize)
    new = setting("GPT2_MAX_NEW_TOKENS", sys.maxsize)
    megabytes = setting("GPT2_TRACES_MB", default_traces_bytes() // 10**6)
    return Limits(prompt, new, megabytes * 10**6, problems[0] if problems else "")


def default_traces_bytes() -> int:
    """A share of the memory that this process may use, and never so little that two visitors cannot be served."""
    return max(LEAST_TRACES, int(TRACES_SHARE * machine_bytes()))
