"""Many visitors at once on one engine: how long each waits, and whether each gets the same text as alone."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt2.errors import SettingsError
from gpt2.model.config import GPT2Config
from gpt2.model.sampling import Sampling

from .machine import peak_mb, resident_mb
from .subject import Tell

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine
    from gpt2.engine.run import Run

MAX_VISITORS = 1000
RUNS_BETWEEN_MEMORY = 20
# The opening of L. Frank Baum, The Wonderful Wizard of Oz (1900).
TEXT = (
    "Dorothy lived in the midst of the great Kansas prairies, with Uncle Henry, who was a farmer, and Aunt Em, who was "
    "the farmer's wife. Their house was small, for the lumber to build it had to be carried by wagon many miles."
)


@dataclass(frozen=True)
class Visitor:
    """What one visitor asks for."""

    prompt: str
    sampling: Sampling

    @classmethod
    def number(cls, number: int, config: GPT2Config) -> "Visitor":
        """The visitor of this number, always the same; prompts, seeds and settings differ from one to the next."""
        words = TEXT.split() * 2
        first, count = number % (len(words) // 2), 3 + number % 23
        prompt = " ".join(words[first : first + count])[
            : max(1, config.n_positions // 2)
        ]  # ASCII: no more tokens than characters
        temperature, top_k, top_p = (0.7, 1.0, 1.3)[number % 3], (0, 40)[number % 2], (1.0, 0.95)[number // 2 % 2]
        return cls(prompt, Sampling(temperature, min(top_k, config.vocab_size), top_p, seed=number))


@dataclass
class Visit:
    """The result of one visitor's run. Times are waits as the visitor sees them, including the turns of others."""

    ids: tuple[int, ...] = ()
    text: str = ""
    first_token_ms: float | None = None
    token_ms: list[float] = field(default_factory=list)
    error: str = ""

    def make(self, engine: "Engine", visitor: Visitor, tokens: int, stop: threading.Event) -> "Run | None":
        """Generate step by step, as the app does; an error is recorded for this visitor only."""
        run = None
        try:
            since = time.perf_counter()
            run = engine.start(visitor.prompt)
            for _ in range(tokens):
                if run.is_full or stop.is_set():
                    break
                run.advance(visitor.sampling)
                now = time.perf_counter()
                if self.first_token_ms is None:
                    self.first_token_ms = (now - since) * 1000
                else:
                    self.token_ms.append((now - since) * 1000)
                since = now
            self.ids, self.text = run.trace.ids, run.trace.text
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
        return run

    @property
    def tokens(self) -> int:
        """The number of tokens received."""
        return len(self.token_ms) + (self.first_token_ms is not None)


def check(visitors: int, runs: int | None, tokens: int) -> None:
    """Refuse settings that cannot be measured.

    Raises:
        SettingsError: if a number is out of its range.
    """
    if not 1 <= visitors <= MAX_VISITORS:
        raise SettingsError(f"--visitors must be 1 to {MAX_VISITORS}, not {visitors}.")
    if runs is not None and runs < 1:
        raise SettingsError(f"--runs must be 1 or more, not {runs}.")
    if tokens < 1:
        raise SettingsError(f"--tokens must be 1 or more, not {tokens}.")


def receive(engine: "Engine", visitors: int, runs: int | None, tokens: int, tell: Tell) -> dict[str, Any]:
    """Serve visitors one after another, then all at once, again and again until `runs` runs were made at once.

    Raises:
        SettingsError: if a number is out of its range.
    """
    check(visitors, runs, tokens)
    wishes = [Visitor.number(number, engine.config) for number in range(visitors)]
    tell(f"Making the texts of {visitors} visitors, one after another.")
    since = time.monotonic()
    alone = []
    for wish in wishes:
        visit = Visit()
        visit.make(engine, wish, tokens, threading.Event())
        alone.append(visit)
    alone_s = time.monotonic() - since

    wanted = visitors if runs is None else runs
    memory, batches_s = Memory(), 0.0
    visits: list[Visit] = []
    while len(visits) < wanted:
        tell(f"{visitors} visitors at once; {len(visits)} of {wanted} runs made.")
        seconds, made = at_once(engine, wishes[: wanted - len(visits)], tokens, memory.note)
        batches_s += seconds
        visits += made
        memory.note()
        if len(visits) == wanted or len(visits) - memory.kept[-1]["runs"] >= RUNS_BETWEEN_MEMORY:
            memory.keep(len(visits))
    equal = count_equal(alone, visits)
    errors = [visit.error for visit in (*alone, *visits) if visit.error]
    return {
        "visitors": visitors,
        "runs": len(visits),
        "tokens_each": tokens,
        "alone": waits(alone, alone_s),
        "at_once": waits(visits, batches_s),
        "equal_texts": equal,
        "errors": len(errors),
        "error_sentences": sorted(set(errors))[:5],
        "passed": equal == len(visits) and not errors,
        "memory_mb": memory.to_dict(),
    }


def count_equal(alone: Sequence[Visit], visits: Sequence[Visit]) -> int:
    """The number of visits, repeating the same wishes in order, that gave exactly the tokens made alone."""
    pairs = [(visit, alone[at % len(alone)]) for at, visit in enumerate(visits)]
    return sum((one.ids, one.text, one.error) == (other.ids, other.text, "") for one, other in pairs)


def at_once(
    engine: "Engine", wishes: Sequence[Visitor], tokens: int, all_made: Callable[[], object]
) -> tuple[float, list[Visit]]:
    """Run each wish in its own thread, all started together; returns the seconds until the last ended, and the visits.

    `all_made` is called while every run is still held, as visitors would hold them.
    """
    begin, stop = threading.Event(), threading.Event()
    visits = [Visit() for _ in wishes]
    held: list[Run | None] = [None] * len(wishes)

    def serve(at: int) -> None:
        begin.wait()
        held[at] = visits[at].make(engine, wishes[at], tokens, stop)

    threads = [threading.Thread(target=serve, args=(at,), name=f"visitor {at}") for at in range(len(wishes))]
    try:
        for thread in threads:
            thread.start()
        since = time.monotonic()
        begin.set()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - since
    finally:  # an interrupt ends every run after its current token
        stop.set()
        begin.set()
    all_made()
    return seconds, visits


def waits(visits: Sequence[Visit], seconds: float) -> dict[str, Any]:
    """Percentiles of the visitors' waits in milliseconds, and tokens a second of all visitors together."""
    return {
        "first_token_ms": percentiles([visit.first_token_ms for visit in visits if visit.first_token_ms is not None]),
        "token_ms": percentiles([ms for visit in visits for ms in visit.token_ms]),
        "tokens_per_s": round(sum(visit.tokens for visit in visits) / seconds, 2),
    }


def percentiles(ms: Sequence[float]) -> dict[str, float] | None:
    """The median and the 95th percentile; None if there are no times."""
    return {f"p{share}": round(float(np.percentile(ms, share)), 3) for share in (50, 95)} if ms else None


class Memory:
    """This process's resident memory, noted between runs; `kept` holds the reported notes."""

    def __init__(self) -> None:
        """Keep the memory before the first batch of runs."""
        self.kept: list[dict[str, Any]] = []
        self._most = 0.0
        self.keep(0)

    def note(self) -> float:
        """Measure the memory now and update the maximum; returns megabytes."""
        now = resident_mb()
        self._most = max(self._most, now)
        return now

    def keep(self, runs: int) -> None:
        """Keep the memory after this many runs for the report."""
        self.kept.append({"runs": runs, "mb": self.note()})

    def to_dict(self) -> dict[str, Any]:
        """The first, last and largest memory between runs, the peak of the whole process, and all kept notes."""
        return {
            "first": self.kept[0]["mb"],
            "last": self.kept[-1]["mb"],
            "max": self._most,
            "peak": peak_mb(),
            "after_runs": self.kept,
        }
