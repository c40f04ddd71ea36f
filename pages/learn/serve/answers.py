"""What is known of the answers to one prompt: the engine's own, a server's alone, and a server's among eight."""

import json
import math
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

PAGE = 128  # positions in a page of MAX Serve's cache
AT_ONCE = 8
FLOAT_BYTES = 4
RECORDED = Path(__file__).parent / "recorded.json"


@dataclass(frozen=True)
class Answer:
    """One answer so far: its text and tokens, when its first token came, how long it took, and whether it is whole.

    While it comes, `tokens` counts its pieces, of which a busy server puts several tokens in one.
    """

    text: str = ""
    tokens: int = 0
    first_ms: float | None = None
    seconds: float = 0.0
    is_over: bool = False

    @property
    def per_second(self) -> float:
        """Tokens a second, the wait for the first one included."""
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Answers:
    """All answers to one prompt.

    Attributes:
        model: the model's name; `n_layer` and `n_embd` are its sizes.
        prompt_tokens, asked: tokens of the prompt, and how many more were asked for.
        is_greedy: whether every token is the most likely one, so that the texts are to be equal.
        own: the engine's, of greedy tokens; `alone` and `among` are the server's.
    """

    model: str
    n_layer: int
    n_embd: int
    prompt_tokens: int
    asked: int
    is_greedy: bool = True
    own: Answer = field(default_factory=Answer)
    alone: Answer = field(default_factory=Answer)
    among: tuple[Answer, ...] = (Answer(),) * AT_ONCE

    def positions(self, answer: Answer) -> int:
        """Positions whose keys and values the cache holds: the newest token's come with the next pass."""
        return self.prompt_tokens + answer.tokens - 1 if answer.tokens else 0

    def pages(self, answer: Answer) -> int:
        """Pages that a request owns."""
        return math.ceil(self.positions(answer) / PAGE)

    @property
    def most_pages(self) -> int:
        """Pages that a request owns at its end."""
        return max(1, math.ceil((self.prompt_tokens + self.asked - 1) / PAGE))

    @property
    def page_bytes(self) -> int:
        """Bytes of a page: keys and values of all heads in all layers, at so many positions."""
        return 2 * self.n_layer * self.n_embd * FLOAT_BYTES * PAGE

    @property
    def among_seconds(self) -> float:
        """Seconds until the last of those at once was over: all of them begin together."""
        return max((answer.seconds for answer in self.among), default=0.0)

    @property
    def among_per_second(self) -> float:
        """Tokens a second of all that are at once together."""
        tokens = sum(answer.tokens for answer in self.among)
        return tokens / self.among_seconds if self.among_seconds else 0.0


@dataclass(frozen=True)
class Recorded:
    """Answers that were measured once: when, on which machine, and of which prompt."""

    date: str
    machine: str
    prompt: str
    answers: Answers


@cache
def recorded() -> Recorded:
    """The example that ships with the lesson."""
    told: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    parts = told.pop("answers")
    own, alone = (Answer(**parts.pop(name)) for name in ("own", "alone"))
    among = tuple(Answer(**one) for one in parts.pop("among"))
    return Recorded(**told, answers=Answers(**parts, own=own, alone=alone, among=among))
