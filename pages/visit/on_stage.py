"""What is on one visitor's stage, and the memory that it takes. Queries change nothing."""

import threading
import time
from dataclasses import replace

from gpt2.engine.run import Run
from gpt2.trace.trace import Trace

from .recipe import Recipe
from .states import Evicted, Live, Recorded, Replaying, Starting, State, evicted

HALF_REPLAYED = "Paused while this run was being replayed; press Play to go on."
EVICTED = "This run's numbers were freed to make room for other visitors; press Run to replay it."
FILE_EVICTED = "The opened run's numbers were freed to make room for other visitors; open its file again."


class OnStage:
    """Holds what is on the stage. It never calls Streamlit.

    When memory is short, an idle run may be squeezed, or evicted: its recipe stays, from which the run is replayed to
    the same text.

    Attributes: `texts` counts the texts that have begun on it: a branch, and a replay, is of the same text.
    """

    def __init__(self, recorded: Trace, prompt: str) -> None:
        """Begin with a recorded run on the stage, which all visitors share."""
        self._prompt, self.last_seen = prompt, time.monotonic()
        self._state: State = Recorded(recorded)
        self._notice = self._error = ""
        self._failed_prompt: str | None = None
        self._lock = threading.RLock()
        self.texts = 0

    @property
    def prompt(self) -> str:
        """The text that the run on the stage began with."""
        state = self._state
        return state.prompt_before if isinstance(state, Starting) and not state.has_begun else self._prompt

    @property
    def next_prompt(self) -> str | None:
        """The text of the new run that is starting; None if none is."""
        return self._prompt if self.is_starting else None

    @property
    def lock(self) -> threading.RLock:
        """Held by every command on what is on the stage."""
        return self._lock

    @property
    def run(self) -> Run | None:
        """The run on the stage, if a visitor made it."""
        return self._state.run

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

    @notice.setter
    def notice(self, sentence: str) -> None:
        """Say this of the run on the stage, until another is there."""
        self._notice = sentence

    @property
    def error(self) -> str:
        """What went wrong last, in one sentence; empty if nothing did."""
        return self._error or ("" if self._state.generation is None else self._state.generation.error)

    @error.setter
    def error(self, sentence: str) -> None:
        """Say this instead, of the run on the stage."""
        self._error, self._failed_prompt, generation = sentence, None, self._state.generation
        if generation is not None:
            generation.error = ""

    @property
    def failed_prompt(self) -> str | None:
        """The text of the new run that the error is about; None if it is about the run on the stage."""
        return self._prompt if self.is_starting and self._prompt != self.prompt else self._failed_prompt

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

    def squeeze(self) -> int:
        """Drop what can be recomputed of a run that was made here and is idle; return the bytes that were freed."""
        run = self._state.run
        if run is None or self.is_running or not self._lock.acquire(blocking=False):
            return 0
        try:
            held = run.nbytes
            run.squeeze(0)
            return held - run.nbytes
        finally:
            self._lock.release()

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
        self._state, self._error, self._failed_prompt = state, "", None
        self._notice = (EVICTED if state.recipe.is_made_here else FILE_EVICTED) if isinstance(state, Evicted) else ""

    def _settle(self) -> None:
        """Forget what was on the stage before, once what replaces it is there; put it back if that failed."""
        state = self._state
        if isinstance(state, Replaying) and state.is_complete:
            self._state = Live(state.generation)
        elif isinstance(state, Starting):
            if state.has_begun:
                self._state = Live(state.generation)
                self.texts += 1
            elif not state.generation.is_running:
                failed, generation = self._prompt, state.generation
                self._set(state.before)
                self._prompt, self._error = state.prompt_before, generation.error
                if failed == state.prompt_before:
                    self._notice = generation.notice or self._notice
                else:
                    self._failed_prompt, self._error = failed, generation.error or generation.notice

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
