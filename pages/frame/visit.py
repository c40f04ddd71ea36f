"""One visit: what this browser session has on its stage, and how it answers what the stage asks for."""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from gpt2.errors import GPT2Error, SettingsError
from gpt2.prompt import count_tokens, encode_prompt
from gpt2.sampling import Sampling
from gpt2.step import Mark
from gpt2.trace import Trace
from pages.stage.component import Action
from pages.stage.snapshot import ModelChoice, Snapshot, Status

from .again import with_source
from .examples import EXAMPLES, recorded_run
from .models import ModelJob, model_job
from .player import Player

if TYPE_CHECKING:
    from gpt2.engine import Engine

MAX_NEW_TOKENS = 1024
FIRST_RUN = "once"
FIRST_PROMPT = "Once upon a time"
SLOWEST = 0.1
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
        """What the stage shows now."""
        job = self.job
        status = self.status()  # before the trace: what is said to have ended must be there whole
        trace = self.player.trace
        fits = job.has_made(trace)
        return Snapshot(
            trace=with_source(trace, job.engine if fits else None),
            tables=job.tables if fits else None,
            status=status,
            prompt=self.player.prompt,
            draft_tokens=self.draft_tokens,
            draft_error=self.draft_error,
            context=job.checkpoint.config.n_positions,
            sampling=self.sampling,
            max_new_tokens=self.max_new_tokens,
            model=self.model,
            models=offered_models(),
            examples=EXAMPLES,
            progress=None,
            recorded=self.player.is_recorded,
        )

    @property
    def looks_at(self) -> tuple[Mark | None, tuple[int, int] | None]:
        """What the pictures of a lens page depend on: the step under the cursor, and the locked head."""
        steps = self.player.trace.steps
        return (steps[min(self.cursor, len(steps) - 1)].mark if steps else None), self.head

    def status(self) -> Status:
        """One word and one sentence on how things stand."""
        player, job = self.player, self.job
        if player.error == STILL_LOADING:
            if job.is_loading:
                return Status("loading", player.error)
            player.error = ""
        if player.error or job.error:
            return Status("error", player.error or job.error)
        if player.is_running:
            return Status("running", "Generating.")
        if job.is_loading:
            return Status("loading", job.message)
        if player.is_recorded:
            return Status("recorded", "A recorded run; press Run to make your own.")
        if player.why_full:
            return Status("full", player.why_full)
        return Status("paused", player.notice or "Paused.")

    def answer(self, action: Action) -> None:
        """Do what the stage asked for; a refusal becomes one sentence, pauses the run and changes nothing else."""
        values = action.values
        if action.name in ("run", "play", "step", "settings"):
            self.player.error = ""
        try:
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
                    self.player.play(self._engine(), cursor, self.sampling, tokens, speed)
        except GPT2Error as error:
            self.player.pause()
            self.player.error = str(error)

    def open(self, recorded: Trace) -> None:
        """Put a recorded run on the stage, at its last step."""
        self.player.open(recorded)
        self.cursor, self.head = len(recorded.steps) - 1, None

    def _begin(self, prompt: str) -> None:
        self.player.new(self._engine(), prompt, self.sampling, self.max_new_tokens, self.speed)
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
                encode_prompt(text, checkpoint.tokenizer, checkpoint.config)
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
        tokens = whole(values, "max_new_tokens", self.max_new_tokens, "The number of new tokens")
        if not 1 <= tokens <= MAX_NEW_TOKENS:
            raise SettingsError(f"The number of new tokens must be from 1 to {MAX_NEW_TOKENS}, not {tokens}.")
        model = str(values.get("model") or self.model)
        if model not in [choice.name for choice in offered_models()]:
            raise SettingsError(f"The model {model!r} is not offered here; choose one from the list.")
        speed = number(values, "speed", self.speed)
        if speed != 0 and not SLOWEST <= speed <= 60:
            raise SettingsError(
                f"The speed must be from {SLOWEST:g} to 60 tokens a second, or 0 for as fast as it goes, not {speed:g}."
            )
        # Refuses what is not a checkpoint, and what does not fit its vocabulary, before anything is changed.
        sampling.check_vocabulary(model_job(model).checkpoint.config.vocab_size)
        self.model, self.sampling, self.max_new_tokens, self.speed = model, sampling, tokens, speed


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
