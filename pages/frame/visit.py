"""One visit: what this browser session has on its stage, and how it answers what the stage asks for."""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from gpt2.errors import GPT2Error, SettingsError
from gpt2.prompt import count_tokens, encode_prompt
from gpt2.sampling import Sampling
from gpt2.trace import Step, Trace
from pages.stage.component import Action
from pages.stage.snapshot import ModelChoice, Snapshot, Status

from .examples import EXAMPLES, recorded_run
from .limits import limits
from .models import ModelJob, model_job
from .player import Player
from .traces import TRACES

if TYPE_CHECKING:
    from gpt2.engine import Engine

FIRST_RUN = "once"
FIRST_PROMPT = "Once upon a time"
SLOWEST = 0.1
# How soon a stage asks for news while its run is the only one under way, and at most: runs that take turns have news
# more rarely, and twenty stages that ask as often as one would keep a core busy.
TICK_MS, SLOWEST_TICK_MS = 40, 1000
STILL_LOADING = "The model is still loading; try again in a moment."


@dataclass
class Visit:
    """All that is kept for one visitor between reruns."""

    player: Player
    model: str = "bundled"
    sampling: Sampling = field(default_factory=lambda: Sampling(0.8, 0, 0.95, 1))
    max_new_tokens: int = 40
    speed: float = 8.0
    cursor: int = 0
    head: tuple[int, int] | None = None
    draft_tokens: int | None = None
    draft_error: str | None = None
    tried: str | None = None

    @property
    def job(self) -> ModelJob:
        """The model of this visit, loaded or on its way."""
        return model_job(self.model)

    def snapshot(self) -> Snapshot:
        """What the stage shows now; asking for it tells that the visitor is there."""
        self.player.look()
        job = self.job
        status = self.status()  # before the trace: what is said to have ended must be there whole
        trace, score = self.player.trace, self.player.score
        most = self.most_new_tokens(self.model)
        return Snapshot(
            trace=trace,
            ids=trace.ids if score is None else score.ids,
            prompt_tokens=len(trace.prompt_ids if score is None else score.prompt_ids),
            tables=job.tables if job.has_made(trace) else None,
            status=status,
            prompt=self.player.prompt,
            draft_tokens=self.draft_tokens,
            draft_error=self.draft_error,
            context=min(job.checkpoint.config.n_positions, limits().prompt_tokens),
            sampling=self.sampling,
            max_new_tokens=min(self.max_new_tokens, most),
            most_new_tokens=most,
            model=self.model,
            models=offered_models(),
            examples=EXAMPLES,
            progress=None,
            tick_ms=min(SLOWEST_TICK_MS, TICK_MS * max(1, TRACES.running)),
            recorded=self.player.is_recorded,
        )

    @property
    def looks_at(self) -> tuple[Step | None, tuple[int, int] | None]:
        """What the pictures of a lens page depend on: the step under the cursor, and the locked head."""
        steps = self.player.trace.steps
        return (steps[min(self.cursor, len(steps) - 1)] if steps else None), self.head

    def status(self) -> Status:
        """One word and one sentence on how things stand."""
        player, job = self.player, self.job
        if player.error == STILL_LOADING:
            if job.is_loading:
                return Status("loading", player.error)
            player.error = ""
        if player.error or job.error:
            return Status("error", player.error or job.error)
        if problem := limits().problem:
            return Status("error", problem)
        if player.is_running:
            return running(player.place, bool(player.trace.steps))
        if job.is_loading:
            return Status("loading", job.message)
        if player.is_recorded:
            return Status("recorded", "A recorded run; press Run to make your own.")
        if player.why_full:
            return Status("full", player.why_full)
        return Status("paused", player.notice or "Paused.", is_news=bool(player.notice))

    def answer(self, action: Action) -> None:
        """Do what the stage asked for; a refusal becomes one sentence, pauses the run and changes nothing else."""
        values = action.values
        if action.name in ("run", "play", "step", "settings"):
            self.player.error = ""
        try:
            if action.name in ("run", "play", "step"):
                limits().check()
            match action.name:
                case "draft":
                    if values.get("text") != self.tried:  # the text that was refused may be told late
                        self.player.error = ""
                    self._count(str(values.get("text", "")))
                case "view":
                    self._look(values)
                case "pause":
                    self.player.pause()
                case "settings":
                    self._take_settings(values)
                    if self.cursor >= len(self.player.trace.steps) - 1:
                        self.player.reshape(self.sampling)
                case "run":
                    self.tried = str(values.get("text", ""))
                    self._take_settings(values)
                    self._begin(self.tried)
                case "play" | "step":
                    self._take_settings(values)
                    tokens, speed = (1, 0.0) if action.name == "step" else (self.max_new_tokens, self.speed)
                    cursor = whole(values, "cursor", self.cursor, "The step")
                    limits().check_prompt(len(self.player.trace.prompt_ids))  # an opened run's may be longer
                    self.player.play(self._engine(), cursor, self.sampling, tokens, speed)
        except GPT2Error as error:
            self.player.pause()
            self.player.error = str(error)

    def most_new_tokens(self, model: str) -> int:
        """How many tokens one press of Run or Play may generate: the model's context, or what the host allows."""
        return min(model_job(model).checkpoint.config.n_positions, limits().new_tokens)

    def open(self, recorded: Trace, is_own: bool = False) -> None:
        """Put a recorded run on the stage, at its last step; `is_own` where no other visitor shares it."""
        self.player.open(recorded, is_own)
        self.cursor, self.head = len(recorded.steps) - 1, None

    def _begin(self, prompt: str) -> None:
        engine = self._engine()
        limits().check_prompt(len(encode_prompt(prompt, engine.tokenizer, engine.config)))
        self.player.new(engine, prompt, self.sampling, self.max_new_tokens, self.speed)
        self.cursor = 0
        self.draft_tokens = self.draft_error = None

    def _engine(self) -> "Engine":
        """The engine, if it is ready; a model that failed to load is tried again.

        Raises:
            GPT2Error: if it is not ready yet, or failed.
        """
        job = self.job
        if job.engine is not None:
            return job.engine
        if job.error:
            model_job.clear(self.model)
        raise GPT2Error(STILL_LOADING)

    def _count(self, text: str) -> None:
        checkpoint = self.job.checkpoint
        self.draft_tokens = self.draft_error = None
        try:
            self.draft_tokens = count_tokens(text, checkpoint.tokenizer)
            if text:
                limits().check_prompt(len(encode_prompt(text, checkpoint.tokenizer, checkpoint.config)))
        except GPT2Error as error:
            self.draft_error = str(error)

    def _look(self, values: dict[str, Any]) -> None:
        self.cursor = max(0, whole(values, "cursor", self.cursor, "The step"))
        layer, head = (whole(values, name, -1, f"The {name}") for name in ("layer", "head"))  # none: unlocked
        config = self.player.trace.config
        fits = layer in range(config.n_layer) and head in range(config.n_head)
        self.head = (layer, head) if fits else None

    def _take_settings(self, values: dict[str, Any]) -> None:
        """Take all settings or none.

        Raises:
            SettingsError: if one is out of its range.
        """
        now = self.sampling
        sampling = Sampling(
            temperature=number(values, "temperature", now.temperature),
            top_k=whole(values, "top_k", now.top_k, "Top-k"),
            top_p=number(values, "top_p", now.top_p),
            seed=whole(values, "seed", now.seed, "The seed"),
        )
        model = str(values.get("model") or self.model)
        if model not in [choice.name for choice in offered_models()]:
            raise SettingsError(f"The model {model!r} is not offered here; choose one from the list.")
        most = self.most_new_tokens(model)  # refuses what is not a checkpoint
        tokens = whole(values, "max_new_tokens", min(self.max_new_tokens, most), "The number of new tokens")
        if not 1 <= tokens <= most:
            raise SettingsError(f"The number of new tokens must be from 1 to {most}, not {tokens}.")
        speed = number(values, "speed", self.speed)
        if speed != 0 and not SLOWEST <= speed <= 60:
            raise SettingsError(
                f"The speed must be from {SLOWEST:g} to 60 tokens a second, or 0 for as fast as it goes, not {speed:g}."
            )
        # Refuses what does not fit the model's vocabulary, before anything is changed.
        sampling.check_vocabulary(model_job(model).checkpoint.config.vocab_size)
        self.model, self.sampling, self.max_new_tokens, self.speed = model, sampling, tokens, speed


def running(place: int, has_begun: bool) -> Status:
    """How a run that is under way stands, with its place where others make it wait."""
    if not place:
        return Status("running", "Generating.")
    if has_begun:
        return Status("running", f"Generating in turns with {place} other visitor{'s' * (place > 1)}.", is_news=True)
    verb = "visitor is" if place == 1 else "visitors are"
    return Status("running", f"Waiting; {place} {verb} before you.", is_news=True)


def offered_models() -> tuple[ModelChoice, ...]:
    """The bundled model, and what the host offers in `GPT2_MODELS`: ids or folders, separated by commas."""
    names = [name.strip() for name in os.environ.get("GPT2_MODELS", "").split(",")]
    more = (ModelChoice(name, name.rstrip("/").rpartition("/")[2]) for name in names if name and name != "bundled")
    return (ModelChoice("bundled", "Bundled storyteller"), *more)


def number(values: dict[str, Any], name: str, default: float) -> float:
    """A number from the browser, which may be text a person typed.

    Raises:
        SettingsError: if it is no number.
    """
    value = values.get(name, default)
    try:
        return float(default if value is None else value)
    except (TypeError, ValueError):
        raise SettingsError(f"{name.replace('_', ' ').capitalize()} must be a number, not {value!r}.") from None


def whole(values: dict[str, Any], name: str, default: int, title: str) -> int:
    """A whole number from the browser.

    Raises:
        SettingsError: if it is none.
    """
    value = values.get(name, default)
    try:
        return int(str(default if value is None else value))
    except ValueError:
        raise SettingsError(f"{title} must be a whole number, not {value!r}.") from None


def this_visit() -> Visit:
    """The visit of this browser session, begun with a recorded run on the stage."""
    if "visit" not in st.session_state:
        recorded = recorded_run(FIRST_RUN)
        st.session_state["visit"] = Visit(Player(recorded, FIRST_PROMPT), cursor=len(recorded.steps) - 1)
    visit: Visit = st.session_state["visit"]
    return visit
