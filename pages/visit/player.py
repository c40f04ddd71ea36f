"""One visitor's stage: the run on it, and the commands that change it. It never calls Streamlit."""

import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from gpt2.engine.run import Run
from gpt2.errors import GPT2Error
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.text.prompt import encode_prompt
from gpt2.trace.trace import Trace
from pages.server.limits import limits
from pages.server.traces import TRACES, Traces

from .controls import Controls
from .generation import Generation, fork_if_settings_changed, stop_reason_of
from .recipe import Recipe
from .states import Evicted, Live, Recorded, Replaying, Starting, State, evicted

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
        self._prompt, self.last_seen = prompt, time.monotonic()
        self._state: State = Recorded(recorded)
        self._notice = self._error = ""
        self._traces = traces
        self._lock = threading.RLock()
        traces.add(self)

    @property
    def prompt(self) -> str:
        """The text that the run on the stage began with."""
        state = self._state
        return state.prompt_before if isinstance(state, Starting) and not state.has_begun else self._prompt

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
    def is_starting(self) -> bool:
        """Whether a new run is under way of which nothing is computed yet; the run before is still on the stage."""
        return isinstance(self._state, Starting) and not self._state.has_begun

    @property
    def has_ended(self) -> bool:
        """Whether the newest token of a run made here ends the text."""
        run = self._state.run
        return run is not None and run.has_ended

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
        return self._error or ("" if self._state.generation is None else self._state.generation.error)

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
            self._prompt = recorded.vocabulary.text(recorded.prompt_ids)
        self._traces.make_room(keep=self)

    def new(
        self, engine: "Engine", prompt: str, sampling: Sampling, tokens: int, speed: float, ignore_eos: bool = False
    ) -> int:
        """Begin a run and generate `tokens` tokens, `speed` a second (0: as fast as possible).

        It ends early at a token that ends the text, unless `ignore_eos`. What is on the stage stays until the first
        step is made, and for good if none can be. An evicted run is replayed first if prompt, settings and model are
        the same.

        Returns:
            How many tokens the prompt has.

        Raises:
            PromptError: if the prompt cannot be run, or is longer than the host allows; the run on the stage is kept.
            SettingsError: if a setting does not fit the model.
        """
        with self._lock:
            sampling.check_vocabulary(engine.config.vocab_size)
            recipe = self.recipe
            if recipe is not None and prompt == self._prompt and recipe.is_of(engine, sampling):
                limits().check_prompt(len(recipe.prompt_ids))
                self.pause()
                run = self._state.run
                if run is None or run.engine is not engine:
                    run = recipe.start(engine)
                has_ended = not ignore_eos and recipe.ids[-1] in engine.checkpoint.end_of_text
                rest = 0 if has_ended else tokens - len(recipe.samplings)
                self._replay(run, recipe, Controls(sampling, rest, speed, ignore_eos))
                return len(recipe.prompt_ids)
            ids = encode_prompt(prompt, engine.tokenizer, engine.config)
            limits().check_prompt(len(ids))
            self.pause()
            controls = Controls(sampling, tokens, speed, ignore_eos)
            generation = Generation(Run(engine, ids, Interventions()), controls, stop_reason_of(self, self._traces))
            assert not isinstance(self._state, Starting)  # paused, it has settled
            self._begin(generation, Starting(generation, self._state, self._prompt))
            self._prompt = prompt
            return len(ids)

    def play(
        self, engine: "Engine", cursor: int, sampling: Sampling, tokens: int, speed: float, ignore_eos: bool = False
    ) -> None:
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
            run, recipe, controls = self._state.run, self.recipe, Controls(sampling, tokens, speed, ignore_eos)
            if run is None:
                recipe = recipe or Recipe.of(self.trace)
                self._replay(recipe.start(engine), recipe, controls, cursor)
            elif recipe is not None and not recipe.is_left(run, cursor, sampling):
                self._replay(run, recipe, controls)
            else:
                fork_if_settings_changed(run, cursor, sampling)
                if run.is_full:
                    raise GPT2Error(f"{run.why_full} Step back and change a setting, or start anew.")
                generation = Generation(run, controls, stop_reason_of(self, self._traces))
                self._begin(generation, Live(generation))

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
        """Free the captures of a run that is this visitor's own, and idle or about to be replaced; its recipe stays.

        Returns:
            The bytes that were freed: 0 if the run is not idle, or a command is being carried out.
        """
        if not self._lock.acquire(blocking=False):
            return 0
        try:
            held = self.nbytes
            if not self.is_running:
                self._close_replay()
            state = self._state
            if isinstance(state, Starting):
                if not state.has_begun:
                    self._state = replace(state, before=evicted(state.before))
            elif not self.is_running and (without := evicted(state)) is not state:
                self._set(without)
            return max(0, held - self.nbytes)
        finally:
            self._lock.release()

    def evict_if_made_by(self, model: str) -> int:
        """Evict a run that this model made and would continue; return the bytes that were freed."""
        return self.evict() if self.trace.model == model and not self.is_recorded else 0

    def _set(self, state: State) -> None:
        """Put something else on the stage, of which nothing is to be said yet unless it was evicted."""
        self._state, self._error = state, ""
        self._notice = (EVICTED if state.recipe.is_made_here else FILE_EVICTED) if isinstance(state, Evicted) else ""

    def _replay(self, run: Run, recipe: Recipe, controls: Controls, cursor: int = sys.maxsize) -> None:
        """Replay a run to its end, then generate from the step under the cursor."""
        generation = Generation(run, controls, stop_reason_of(self, self._traces), recipe)
        before = self._state.before if isinstance(self._state, Replaying) else self._state
        assert isinstance(before, Recorded | Evicted)  # all others have no recipe
        self._begin(generation, Replaying(generation, before), cursor)

    def _begin(self, generation: Generation, state: State, cursor: int = 0) -> None:
        self.touch()
        self._set(state)
        generation.start(cursor)

    def _settle(self) -> None:
        """Forget what was on the stage before, once what replaces it is there; put it back if that failed."""
        state = self._state
        if isinstance(state, Replaying) and state.is_complete:
            self._state = Live(state.generation)
        elif isinstance(state, Starting):
            if state.has_begun:
                self._state = Live(state.generation)
            elif not state.generation.is_running:
                self._set(state.before)
                self._prompt, self._error = state.prompt_before, state.generation.error
                self._notice = state.generation.notice or self._notice

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
