"""One visit: the run on this browser session's stage, its settings, and the answers to the visitor's actions."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpt2.checkpoints.weights import Checkpoint
from gpt2.errors import GPT2Error, PromptError, SettingsError
from gpt2.experiments.plan_text import NamedChange
from gpt2.model.sampling import Sampling
from gpt2.trace.step import StepId
from gpt2.trace.trace import Trace
from pages.server.caches import with_recomputer
from pages.server.inspection import Inspection
from pages.server.job import ModelJob
from pages.server.limits import limits
from pages.server.models import ALWAYS, pool
from pages.server.traces import TRACES
from pages.stage.actions import (
    Action,
    Branch,
    ByStage,
    CancelModel,
    ChangeSettings,
    CheckRun,
    ChooseModel,
    Draft,
    Malformed,
    OpenNumber,
    Pause,
    Play,
    ReadWhole,
    RunPrompt,
    Settings,
    ShowBranch,
    StepOn,
    View,
)
from pages.stage.rest import Rest
from pages.stage.snapshot import Snapshot, Status

from .branches import Branches
from .branching import answer_branch, go_on
from .connection import is_connected
from .controls import DEFAULT, Controls, WrongSettings
from .draft import TypedPrompt
from .examples import EXAMPLES
from .generation import GONE_SECONDS
from .link import Link, has_head
from .measurement import Measurement
from .model_choice import ModelChoice
from .player import Player
from .status import STILL_LOADING, status_of

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

# How soon a stage asks for news while its run is the only one under way, and at most: runs that take turns have less.
TICK_MS, SLOWEST_TICK_MS = 40, 1000


@dataclass(eq=False)
class Visit:
    """All that is kept for one visitor between reruns."""

    player: Player
    choice: ModelChoice = field(default_factory=ModelChoice)
    link: Link = field(default_factory=Link)
    sampling: Sampling = DEFAULT.sampling
    max_new_tokens: int = DEFAULT.max_new_tokens
    speed: float = DEFAULT.speed
    ignore_eos: bool = DEFAULT.ignore_eos
    cursor: int = 0
    head: tuple[int, int] | None = None
    watched: int | None = None  # the position of the prompt that the visitor looks at
    setting_errors: Mapping[str, str] = field(default_factory=dict)  # of settings that were refused, by name
    draft: TypedPrompt = field(default_factory=TypedPrompt)
    seen: View = field(default_factory=View)  # what its browser has told of itself last
    rest: Rest = field(default_factory=Rest)  # the head shown large while none is locked
    measurement: Measurement | None = None  # what tokens of a run would cost without the cache
    change: NamedChange | None = None  # that the Experiments page has on; None if none
    session: str | None = None  # the browser session that it is of
    inspection: Inspection = field(default_factory=Inspection)
    branches: Branches = field(init=False)

    def __post_init__(self) -> None:
        """Keep its models in memory for as long as it lives."""
        pool().register(self)
        self.branches = Branches(self.player)
        self.refresh()

    def refresh(self) -> None:
        """Note that the visitor is there, and take up models that are ready or failed. Call it before a snapshot."""
        self.player.touch()
        self.branches.tend()
        TRACES.tend(keep=self.player)
        self.choice.poll()
        if pool().get(ALWAYS) is None:
            pool().request(ALWAYS)
        pool().touch(self.uses)
        self._end_measurement_of_another()
        self.rest.settle(self.player.trace, self.cursor)
        if self.player.error == STILL_LOADING and not self.job.is_loading:
            self.player.error = ""
        self.link.tend(self)

    @property
    def uses(self) -> frozenset[str]:
        """The models that it needs: the chosen ones, and that of the run on its stage; none while it is away."""
        return frozenset() if self.is_away else self.choice.names | {self.player.trace.model}

    @property
    def is_away(self) -> bool:
        """Whether its browser is gone; if it comes back, it finds its text and its choice as they were."""
        is_silent = time.monotonic() - self.player.last_seen > GONE_SECONDS
        return is_silent and not self.player.is_running and not is_connected(self.session)

    @property
    def job(self) -> ModelJob:
        """The model that Run uses: read, and its engine loaded or (the bundled one alone) being loaded."""
        chosen = pool().get(self.choice.model)
        job = pool().get(ALWAYS) if chosen is None or chosen.checkpoint is None else chosen
        assert job is not None  # `refresh` has requested it
        return job

    @property
    def model_of_run(self) -> ModelJob | None:
        """The model that made the run on the stage, if it is loaded; a file may have another name for it."""
        trace = self.player.trace
        jobs = [pool().get(trace.model), *([self.job] if self.player.is_recorded else [])]
        return next((job for job in jobs if job is not None and job.matches(trace)), None)

    def snapshot(self) -> Snapshot:
        """What the stage shows now."""
        status = self.status()  # before the trace: if it says that the run ended, the trace must hold the last step
        trace, recipe, run_model = self.player.trace, self.player.recipe, self.model_of_run
        return Snapshot(
            trace=with_recomputer(trace, run_model.engine if run_model else None),
            ids=trace.ids if recipe is None else recipe.ids,
            prompt_tokens=len(trace.prompt_ids if recipe is None else recipe.prompt_ids),
            tables=run_model.tables if run_model else None,
            status=status,
            prompt=self.link.prompt(self),
            next_prompt=self.player.next_prompt,
            draft_tokens=self.draft.tokens,
            draft_error=self.draft_error,
            context=min(self._checkpoint.config.n_positions, limits().prompt_tokens),
            sampling=self.sampling,
            max_new_tokens=min(self.max_new_tokens, self.most_new_tokens),
            most_new_tokens=self.most_new_tokens,
            ignore_eos=self.ignore_eos,
            speed=self.speed,
            setting_errors=self.setting_errors,
            is_starting=self.player.is_starting,
            model=self.choice.shown,
            next_model=self.job.name,
            models=self.choice.offered(),
            examples=EXAMPLES,
            tick_ms=min(SLOWEST_TICK_MS, TICK_MS * max(1, TRACES.running)),
            recorded=self.player.is_recorded,
            other_models=self.choice.takes_others,
            coming=self.choice.coming(),
            model_error=self.choice.error,
            elsewhere=self.branches.elsewhere(),
            rest=self.rest.head,
            link=self.link.told(self, trace, recipe),
            inspected=self.inspection.of(trace, run_model, self.player.is_running),
        )

    @property
    def view_key(self) -> tuple[StepId | None, tuple[int, int] | None]:
        """What the pictures of a lens page depend on: the step under the cursor, and the locked head."""
        steps = self.player.trace.steps
        return (steps[min(self.cursor, len(steps) - 1)].identity if steps else None), self.head

    @property
    def draft_error(self) -> str | None:
        """Why the text in the prompt box cannot run, or why its run ended before the first step."""
        has_failed = self.draft.text is not None and self.draft.text == self.player.failed_prompt
        return self.draft.error or (self.player.error if has_failed else None)

    def status(self) -> Status:
        """One word and one sentence on the run and the model."""
        return self.link.status(status_of(self.player, self.job), self)

    def answer(self, action: Action) -> None:
        """Do what the visitor asked for; a refusal is one sentence, and does no more than pause the run, if that."""
        self.refresh()
        self.link.heed(action)
        if not isinstance(action, ByStage | Pause | ChooseModel | CancelModel | OpenNumber):
            self.player.error = self.choice.error = ""
        try:
            if isinstance(action, RunPrompt | Play | StepOn | Branch | ReadWhole):
                limits().check()
            if isinstance(action, Play | StepOn | Branch | ChangeSettings):
                self._take_settings(action.settings)
            match action:
                case RunPrompt(text, settings):
                    self.draft.take(text, self._checkpoint)
                    self.draft.error = None
                    self._take_settings(settings)
                    self._begin(text)
                case Play(cursor) | StepOn(cursor):
                    tokens, speed = (self.max_new_tokens, self.speed) if isinstance(action, Play) else (1, 0.0)
                    go_on(self, self._engine(), self.cursor if cursor is None else cursor, tokens, speed)
                case Branch() | ShowBranch():
                    answer_branch(self, action)
                case Pause():
                    self.player.pause()
                case ChangeSettings(cursor):
                    if (self.cursor if cursor is None else cursor) >= len(self.player.trace.steps) - 1:
                        self.player.resample(self.sampling)
                case Draft(text):
                    self.draft.count(text, self._checkpoint)
                case View():
                    self._take_view(action)
                case ChooseModel(name):
                    self.choice.take(name)
                case CancelModel():
                    self.choice.cancel()
                case CheckRun() | ReadWhole() | OpenNumber():
                    self.inspection.answer(action, self.player.trace, self.model_of_run, self.player)
                case Malformed(error):
                    raise SettingsError(error)
        except WrongSettings as wrong:
            self.setting_errors = wrong.errors
        except GPT2Error as error:
            self.player.pause()
            self.player.error = str(error)
        self._end_measurement_of_another()

    def _end_measurement_of_another(self) -> None:
        if self.measurement is not None:
            self.measurement.tend(self.player)

    @property
    def most_new_tokens(self) -> int:
        """How many tokens one press of Run or Play may generate: the model's context, or what the host allows."""
        return min(self._checkpoint.config.n_positions, limits().new_tokens)

    def measure(self) -> None:
        """Time the run on the stage without its cache, in the background; one that is under way ends."""
        if self.measurement is not None:
            self.measurement.stop()
        run_model = self.model_of_run
        self.measurement = Measurement(self.player.trace, run_model.engine if run_model else None, self.player)

    def open(self, recorded: Trace, is_own: bool = False) -> None:
        """Put a recorded run on the stage, at its last step; `is_own` if no other visitor shares it."""
        self.link.drop()
        self.player.open(recorded, is_own)
        self._end_measurement_of_another()
        self.cursor, self.head, self.watched = len(recorded.steps) - 1, None, None

    def _begin(self, prompt: str) -> None:
        new = self._engine(), prompt, self.sampling, self.max_new_tokens, self.speed, self.ignore_eos
        try:
            self.draft.tokens = self.player.new(*new)  # for the prompt box, until the run is on the stage
        except PromptError as error:
            if prompt == self.player.prompt:
                raise
            self.player.pause()
            self.draft.error = str(error)

    def _engine(self) -> "Engine":
        """The engine, as soon as it is ready; a model that failed to load is tried again.

        Raises:
            GPT2Error: if it is not ready soon, or failed.
        """
        if (engine := (job := self.job).wait_ready()) is not None:
            return engine
        if job.error:
            pool().request(job.name)
        raise GPT2Error(STILL_LOADING)

    @property
    def _checkpoint(self) -> Checkpoint:
        checkpoint = self.job.checkpoint
        assert checkpoint is not None  # `job` sees to it
        return checkpoint

    def _take_view(self, view: View) -> None:
        self.cursor = self.cursor if view.cursor is None else max(0, view.cursor)
        self.head = view.head if view.head and has_head(self.player.trace, view.head) else None
        self.seen, self.watched, self.rest.follows = view, view.watched, view.follows

    def _take_settings(self, settings: Settings) -> None:
        """Take all settings or none.

        Raises:
            WrongSettings: if one is no number, or out of its range.
        """
        controls = Controls(self.sampling, self.max_new_tokens, self.speed, self.ignore_eos)
        changed = controls.changed(settings, self.most_new_tokens, self._checkpoint.config.vocab_size)
        self.sampling, self.max_new_tokens, self.speed = changed.sampling, changed.max_new_tokens, changed.speed
        self.ignore_eos, self.setting_errors = changed.ignore_eos, {}
