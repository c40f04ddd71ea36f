"""One visitor's stage: the run on it, and the commands that change it. It never calls Streamlit."""

import sys
import threading
import time
from typing import TYPE_CHECKING

from gpt2.engine.run import Run
from gpt2.errors import GPT2Error
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.text.prompt import encode_prompt
from gpt2.trace.trace import Trace
from pages.server.limits import limits
from pages.server.traces import TRACES, Traces

from .generation import Generation, fork_if_settings_changed, stop_reason_of
from .recipe import Recipe
from .states import Evicted, Live, Recorded, Replaying, State

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

HALF_REPLAYED = "Paused while this run was being replayed; press Play to go on."
EVICTED = "This run's numbers were freed to make room for other visitors; press Run to replay it."
FILE_EVICTED = "The opened run's numbers were freed to make room for other visitors; open its file again."


class Player:
    """Holds what is on the stage. Commands return at once; the trace grows in the background.

    A new generation ends the one before; one that is refused leaves the run as it was. When memory is short, an idle
    run may be evicted: its recipe stays, from which the run is replayed to the same text.
    """

    def __init__(self, recorded: Trace, prompt: str, traces: Traces = TRACES) -> None:
        """Begin with a recorded run on the stage, which all visitors share; `traces` is the budget of all runs."""
        self.prompt, self.last_seen = prompt, time.monotonic()
        self._state: State = Recorded(recorded)
        self._notice = self._error = ""
        self._traces = traces
        self._lock = threading.RLock()
        traces.add(self)

    @property
    def trace(self) -> Trace:
        """What is on the stage, live or recorded; without steps if it was evicted."""
        return self._state.trace

    @property
    def recipe(self) -> Recipe | None:
        """The recipe of an evicted run until it has been replayed; None if the run needs none."""
        return self._state.recipe

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The prompt's tokens of the run on the stage, evicted or not."""
        recipe = self.recipe
        return self.trace.prompt_ids if recipe is None else recipe.prompt_ids

    @property
    def is_recorded(self) -> bool:
        """Whether the run on the stage was not made by this visitor."""
        return self._state.is_recorded

    @property
    def is_running(self) -> bool:
        """Whether tokens are being generated."""
        generation = self._state.generation
        return generation is not None and generation.is_running

    @property
    def why_full(self) -> str:
        """Why no further token fits, in one sentence; empty if one does."""
        run = self._state.run
        return "" if run is None else run.why_full

    @property
    def place(self) -> int:
        """How many other runs come first, if that is felt; see `Generation.place`."""
        generation = self._state.generation
        return generation.place if generation is not None and generation.is_running else 0

    @property
    def notice(self) -> str:
        """One sentence on the run on the stage; empty if there is nothing to say."""
        generation = self._state.generation
        return self._notice or ("" if generation is None else generation.notice)

    @property
    def error(self) -> str:
        """What went wrong last, in one sentence; empty if nothing did."""
        generation = self._state.generation
        return self._error or ("" if generation is None else generation.error)

    @error.setter
    def error(self, sentence: str) -> None:
        """Say this instead."""
        self._error, generation = sentence, self._state.generation
        if generation is not None:
            generation.error = ""

    @property
    def nbytes(self) -> int:
        """Bytes that this visitor's run and KV cache hold; recorded runs that all visitors share are not counted."""
        return self._state.nbytes

    def touch(self) -> None:
        """Note that the visitor is there."""
        self.last_seen = time.monotonic()
        if self._lock.acquire(blocking=False):
            self._settle()
            self._lock.release()

    def open(self, recorded: Trace, is_own: bool = False) -> None:
        """Put a recorded run on the stage; `is_own` if no other visitor shares it."""
        with self._lock:
            self.pause()
            self._set(Recorded(recorded, is_own))
            self.prompt = recorded.vocabulary.text(recorded.prompt_ids)
        self._traces.make_room(keep=self)

    def new(self, engine: "Engine", prompt: str, sampling: Sampling, tokens: int, speed: float) -> None:
        """Begin a run and generate `tokens` tokens, `speed` a second (0: as fast as possible).

        An evicted run is replayed first if prompt, settings and model are the same.

        Raises:
            PromptError: if the prompt cannot be run, or is longer than the host allows; the run on the stage is kept.
            SettingsError: if a setting does not fit the model.
        """
        with self._lock:
            sampling.check_vocabulary(engine.config.vocab_size)
            recipe = self.recipe
            if recipe is not None and prompt == self.prompt and recipe.is_of(engine, sampling):
                limits().check_prompt(len(recipe.prompt_ids))
                self.pause()
                run = self._state.run
                if run is None or run.engine is not engine:
                    run = recipe.start(engine)
                self._replay(run, recipe, sampling, tokens - len(recipe.samplings), speed)
                return
            ids = encode_prompt(prompt, engine.tokenizer, engine.config)
            limits().check_prompt(len(ids))
            self.pause()
            self.prompt = prompt
            self._continue(Run(engine, ids, Interventions()), sampling, tokens, speed)

    def play(self, engine: "Engine", cursor: int, sampling: Sampling, tokens: int, speed: float) -> None:
        """Generate from the step under the cursor, or from the end if the settings have not changed.

        A recorded run and an evicted one are replayed first. An interrupted replay goes on with the run's own settings,
        unless the cursor was taken back and the settings were changed there.

        Raises:
            SettingsError: if a setting does not fit the model.
            PromptError: if the run's prompt is longer than the host allows; an opened one's may be.
            EngineError: if a recorded run is of another model.
            GPT2Error: if the context is full.
        """
        with self._lock:
            sampling.check_vocabulary(engine.config.vocab_size)
            limits().check_prompt(len(self.prompt_ids))
            self.pause()
            run, recipe = self._state.run, self.recipe
            if run is None:
                recipe = recipe or Recipe.of(self.trace)
                self._replay(recipe.start(engine), recipe, sampling, tokens, speed, cursor)
            elif recipe is not None and not recipe.is_left(run, cursor, sampling):
                self._replay(run, recipe, sampling, tokens, speed)
            else:
                fork_if_settings_changed(run, cursor, sampling)
                if run.is_full:
                    raise GPT2Error(f"{run.why_full} Step back and change a setting, or start anew.")
                self._continue(run, sampling, tokens, speed)

    def resample(self, sampling: Sampling) -> None:
        """Draw the newest token again with other settings, without running the model.

        Only a live run is resampled: a recorded one, and one that is being replayed, stays as it is.

        Raises:
            SettingsError: if a setting does not fit the model.
        """
        with self._lock:
            self._settle()
            if not isinstance(self._state, Live) or self.is_running or not self.trace.steps:
                return
            newest = self.trace.steps[-1].draw
            if newest is None or newest.sampling != sampling:
                self._state.run.resample(sampling)

    def pause(self) -> None:
        """Stop generating: leave the line before the engine at once, and wait only for a pass of this very run."""
        with self._lock:
            if self._state.generation is not None:
                self._state.generation.end()
                self._close_replay()

    def evict(self) -> int:
        """Free the captures of a run that is idle and this visitor's own; its recipe and a notice stay.

        Returns:
            The bytes that were freed: 0 if the run is not idle, or a command is being carried out.
        """
        if not self._lock.acquire(blocking=False):
            return 0
        try:
            if self.is_running:
                return 0
            held = self.nbytes
            self._close_replay()
            trace, is_made_here = self.trace, self._state.run is not None
            if self.nbytes and trace.steps:
                self._set(Evicted(trace.cut(0), self.recipe or Recipe.of(trace, is_made_here)))
                self._notice = EVICTED if is_made_here else FILE_EVICTED
            return held - self.nbytes
        finally:
            self._lock.release()

    def evict_if_made_by(self, model: str) -> int:
        """Evict a run that this model made and would continue; return the bytes that were freed."""
        return self.evict() if self.trace.model == model and not self.is_recorded else 0

    def _set(self, state: State) -> None:
        """Put something else on the stage, of which nothing is to be said yet."""
        self._state, self._notice, self._error = state, "", ""

    def _continue(self, run: Run, sampling: Sampling, tokens: int, speed: float) -> None:
        """Put a run on the stage and generate."""
        generation = Generation(run, sampling, tokens, speed, stop_reason_of(self, self._traces))
        self._begin(generation, Live(generation))

    def _replay(
        self, run: Run, recipe: Recipe, sampling: Sampling, tokens: int, speed: float, cursor: int = sys.maxsize
    ) -> None:
        """Replay a run to its end, then generate from the step under the cursor."""
        generation = Generation(run, sampling, tokens, speed, stop_reason_of(self, self._traces), recipe)
        before = self._state.before if isinstance(self._state, Replaying) else self._state
        assert not isinstance(before, Live)  # which has no recipe
        self._begin(generation, Replaying(generation, before), cursor)

    def _begin(self, generation: Generation, state: State, cursor: int = 0) -> None:
        self._set(state)
        self.touch()
        generation.start(cursor)

    def _settle(self) -> None:
        """Note that a replay is complete, and forget what was on the stage before it."""
        if isinstance(self._state, Replaying) and self._state.is_complete:
            self._state = Live(self._state.generation)

    def _close_replay(self) -> None:
        """After an interrupted replay, put back what was on the stage, unless the replay is on it already."""
        self._settle()
        if not isinstance(self._state, Replaying):
            return
        generation = self._state.generation
        if self._state.run is None:
            self._state, self._notice, self._error = self._state.before, generation.notice, generation.error
        elif not generation.notice:
            generation.notice = HALF_REPLAYED
