"""The second run of a comparison, wherever it comes from, made in the background. It never calls Streamlit."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.catalog import KNOWN
from gpt2.errors import GPT2Error, SettingsError
from gpt2.experiments.passes import observe
from gpt2.experiments.plan import Plan, looking
from gpt2.experiments.second_run import alongside, reread
from gpt2.experiments.trace_pair import TracePair, different_vocabularies
from gpt2.experiments.twin import check_unchanged
from gpt2.text.prompt import encode_prompt
from gpt2.trace.step import StepId
from gpt2.trace.trace import Trace
from pages.server.job import ModelJob
from pages.server.limits import limits
from pages.server.models import pool
from pages.visit.experiment import Experiment
from pages.visit.visit import Visit

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

PROMPT, BRANCH, CHANGE, MODEL = "Another prompt", "A branch", "The changed model", "Another model"
SOURCES = PROMPT, BRANCH, CHANGE, MODEL
GONE = "{} was unloaded to make room for other models; press “Run the second” to load it again."
Make = Callable[["Engine", threading.Event], Iterator[Trace]]


@dataclass(eq=False)
class Comparison:
    """One second run beside the run on the visitor's stage, which is let go when another run is on the stage.

    Attributes:
        source: which of `SOURCES` it is from.
        says: what it is, in words.
        run: its passes; None before the first, and while a model is loaded for it.
        model: the other model that makes it; empty if the run's own does.
        error: why it could not begin, in one sentence; empty if it could.
    """

    visit: Visit
    source: str = ""
    says: str = ""
    run: Experiment[Trace] | None = None
    model: str = ""
    error: str = ""
    _first: tuple[str, StepId] | None = None
    _steps: int = 0
    _make: Make | None = None
    _is_loading: bool = False
    _known: dict[tuple[StepId, StepId], tuple[Any, Any]] = field(default_factory=dict)  # a column of `next_tokens` each

    def __post_init__(self) -> None:
        """Keep the other model in memory for as long as it is compared."""
        pool().register(self)

    @property
    def uses(self) -> frozenset[str]:
        """The other model, while the visitor is there."""
        return frozenset() if self.visit.is_away or not self.model else frozenset({self.model})

    @property
    def job(self) -> ModelJob | None:
        """The model that makes the second run, if it is in memory."""
        return pool().get(self.model) if self.model else self.visit.model_of_run

    @property
    def is_running(self) -> bool:
        """Whether a model is loaded for it, or passes are still made."""
        return self._is_loading or (self.run is not None and self.run.is_running)

    @property
    def found(self) -> Trace | None:
        """The second run as far as it is; None before its first step, and if it was freed."""
        return None if self.run is None else self.run.found

    @property
    def n_steps(self) -> int:
        """How many steps of it there are so far."""
        return 0 if self.found is None else len(self.found.steps)

    def progress(self) -> tuple[float, str]:
        """How far it is, from 0 to 1, and in words."""
        if self._is_loading:
            job = self.job
            return (0.0, "") if job is None else (job.progress or 0.0, job.message)
        return self.n_steps / max(1, self._steps), f"{self.n_steps} of {self._steps} steps"

    def start(self, source: str, says: str, make: Make, model: str = "") -> None:
        """Begin a second run; one under way ends. Another model is loaded first."""
        self.stop()
        first = self.visit.player.trace
        self.source, self.says, self.model, self.error, self.run = source, says, model, "", None
        self._steps, self._first = len(first.steps), (first.run_id, first.steps[-1].identity) if first.steps else None
        self._make, self._known = make, {}
        try:
            check_unchanged(first)
            if model in KNOWN and KNOWN[model].config.vocab_size != first.config.vocab_size:
                raise SettingsError(different_vocabularies(first.model, model))
            if model:
                pool().request(model)
                self._is_loading = True
        except GPT2Error as error:
            self.error, self.model = str(error), ""
            return
        self.tend()
        if not model:
            self._begin()

    def tend(self) -> None:
        """Let go of what is of another run than the one on the stage; begin once the other model is loaded."""
        first = self.visit.player.trace
        if self._first is not None and not self._is_of(first):
            self.stop()
            self.run, self._first, self.source, self.model, self.error = None, None, "", "", ""
        if not self._is_loading:
            return
        job = self.job
        if job is None or job.has_failed:
            self.error = job.error if job else GONE.format(self.model)
            self._release()
        elif job.config is not None and job.config.vocab_size != first.config.vocab_size:
            self.error = different_vocabularies(first.model, self.model)
            self._release()
        elif job.phase == "ready":
            self._is_loading = False
            self._begin()

    def stop(self) -> None:
        """End what is under way; the steps so far are kept."""
        if self._is_loading:
            self._release()
        if self.run is not None:
            self.run.stop()

    def next_tokens(self, pair: TracePair) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Those of a pair at all steps that both have, each of which is computed once. Shapes: both [2, step]."""
        keys = [(one.identity, other.identity) for one, other in zip(pair.first.steps, pair.second.steps, strict=False)]
        new = [at for at, key in enumerate(keys) if key not in self._known]
        ways, choices = pair.next_tokens(new)
        self._known |= dict(zip([keys[at] for at in new], zip(ways.T, choices.T, strict=True), strict=True))
        known = [self._known[key] for key in keys]
        return np.stack([one for one, _ in known], axis=1), np.stack([both for _, both in known], axis=1)

    def _is_of(self, trace: Trace) -> bool:
        """Whether this run begins with the first one as it was."""
        at = self._steps - 1
        here = (trace.run_id, trace.steps[at].identity) if len(trace.steps) > at else None
        return here == self._first

    def _begin(self) -> None:
        make, job, self._make = self._make, self.job, None
        assert make is not None  # `start` has set it

        def work(own: Experiment[Trace], engine: "Engine", stop: threading.Event) -> Iterator[Trace]:
            return make(engine, stop)

        player = self.visit.player
        self.run = Experiment(player, player.trace, job.engine if job else None, self.says, work)

    def _release(self) -> None:
        name, self.model, self._is_loading = self.model, "", False
        pool().release(name)


def from_prompt(first: Trace, prompt: str, ignore_eos: bool) -> Make:
    """Another prompt, with the settings of the run on the stage."""

    def make(engine: "Engine", stop: threading.Event) -> Iterator[Trace]:
        limits().check_prompt(len(encode_prompt(prompt, engine.tokenizer, engine.config)))
        yield from alongside(engine, first, prompt, stop, ignore_eos)

    return make


def from_change(first: Trace, plan: Plan) -> Make:
    """The changed model, which reads the text of the run on the stage."""

    def make(engine: "Engine", stop: threading.Event) -> Iterator[Trace]:
        look, base = looking(engine, stop, limits().check_prompt), observe(engine, first.prompt_ids, stop)
        changes, _ = plan.make(engine, base, look)
        del base
        yield from reread(engine, first, changes, stop)

    return make


def from_model(first: Trace) -> Make:
    """Another model, which reads the text of the run on the stage."""

    def make(engine: "Engine", stop: threading.Event) -> Iterator[Trace]:
        yield from reread(engine, first, None, stop)

    return make
