"""One visitor's stage: the run on it, live or recorded, and the generations it takes. It never calls Streamlit."""

import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpt2.engine.run import Run
from gpt2.errors import GPT2Error
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.text.prompt import encode_prompt
from gpt2.trace.trace import Trace
from pages.server.limits import limits
from pages.server.traces import TRACES, Traces

from .generation import Generation, fork_if_settings_changed
from .recipe import Recipe

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

# While a run goes on its stage sends messages all the time. In a tab that is out of sight a browser may let a timer run
# only once a minute, and a message waits for two of them: a visitor who is silent for longer than both is gone.
GONE_SECONDS = 150

GONE = "Nobody looked at this run any more, so it was paused; press Play to go on."
NO_ROOM = "The memory for runs is taken by other visitors for now, so this run was paused; press Play to go on later."
HALF_MADE = "This run's numbers were being made again; press Play to go on."
EVICTED = "This run's numbers were let go to make room for other visitors; press Run to make them again."
FILE_EVICTED = "The opened run's numbers were let go to make room for other visitors; open its file again."


class Player:
    """Holds what is on the stage. Commands return at once; the trace grows in the background.

    A new generation ends the one before; one that is refused leaves the run as it was. When memory is short, an idle
    run may be evicted: its recipe stays, from which the run is replayed to the same text.
    """

    def __init__(self, recorded: Trace, prompt: str, traces: Traces = TRACES) -> None:
        """Begin with a recorded run on the stage, counted in the budget of `traces` once it is this visitor's own."""
        self.prompt, self.last_seen = prompt, time.monotonic()
        self._notice = self._error = ""
        self._recorded, self._is_own = recorded, False
        self._recipe: Recipe | None = None
        self._generation: Generation | None = None
        self._traces = traces
        self._lock = threading.RLock()
        traces.add(self)

    @property
    def trace(self) -> Trace:
        """What is on the stage, live or recorded; without a step where it was let go."""
        generation = self._generation
        if generation is None:
            return self._recorded
        before = generation.before
        return generation.run.trace if before is None else before

    @property
    def recipe(self) -> Recipe | None:
        """What a run whose numbers were let go is made again from, until it has been; None where it needs none."""
        generation = self._generation
        return self._recipe if generation is None or generation.before is not None else generation.recipe

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The prompt's tokens of the run on the stage, though its numbers were let go."""
        recipe = self.recipe
        return self.trace.prompt_ids if recipe is None else recipe.prompt_ids

    @property
    def is_recorded(self) -> bool:
        """Whether the run on the stage was not made by this visitor."""
        return self._run is None and self._recipe is None

    @property
    def is_running(self) -> bool:
        """Whether tokens are being generated."""
        generation = self._generation
        return generation is not None and generation.is_running

    @property
    def why_full(self) -> str:
        """Why no further token fits, in one sentence; empty where one does."""
        run = self._run
        return "" if run is None else run.why_full

    @property
    def place(self) -> int:
        """How many other runs come first, where that is felt; see `Generation.place`."""
        generation = self._generation
        return generation.place if generation is not None and generation.is_running else 0

    @property
    def notice(self) -> str:
        """What is to be said of the run on the stage; empty where nothing is."""
        generation = self._generation
        return self._notice or ("" if generation is None else generation.notice)

    @property
    def error(self) -> str:
        """What went wrong last, in one sentence; empty where nothing did."""
        generation = self._generation
        return self._error or ("" if generation is None else generation.error)

    @error.setter
    def error(self, sentence: str) -> None:
        """Say this instead."""
        self._error, generation = sentence, self._generation
        if generation is not None:
            generation.error = ""

    @property
    def nbytes(self) -> int:
        """Bytes that this visitor's run and KV cache hold; recorded runs that all visitors share are not counted."""
        generation, recorded = self._generation, self._recorded
        if generation is None:
            return recorded.nbytes if self._is_own else 0
        before = generation.before
        return generation.run.nbytes + (before.nbytes if self._is_own and before is not None else 0)

    def touch(self) -> None:
        """Note that the visitor is there."""
        self.last_seen = time.monotonic()

    def open(self, recorded: Trace, is_own: bool = False) -> None:
        """Put a recorded run on the stage; `is_own` where no other visitor shares it."""
        with self._lock:
            self._put(recorded, None, is_own)
            self.prompt = recorded.vocabulary.text(recorded.prompt_ids)
        self._traces.make_room(keep=self)

    def new(self, engine: "Engine", prompt: str, sampling: Sampling, tokens: int, speed: float) -> None:
        """Begin a run and generate `tokens` tokens, `speed` a second (0: as fast as it goes).

        The run that was let go is first made again as it was, or to its end, if prompt, settings and model are the
        same.

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
                run = self._run
                if run is None or run.engine is not engine:
                    run = recipe.start(engine)
                self._begin(run, sampling, tokens - len(recipe.samplings), speed, recipe)
                return
            ids = encode_prompt(prompt, engine.tokenizer, engine.config)
            limits().check_prompt(len(ids))
            self.pause()
            self.prompt = prompt
            self._begin(Run(engine, ids, Interventions()), sampling, tokens, speed)

    def play(self, engine: "Engine", cursor: int, sampling: Sampling, tokens: int, speed: float) -> None:
        """Generate on from the step under the cursor, or from the end if the settings have not changed.

        A recorded run, and one that was let go, is first made again. Where that was interrupted it goes on, with the
        run's own settings, unless the cursor was taken back and the settings were changed there.

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
            run, recipe = self._run, self.recipe
            if run is None:
                recipe = recipe or Recipe.of(self._recorded)
                self._begin(recipe.start(engine), sampling, tokens, speed, recipe, cursor)
                return
            if recipe is not None and not recipe.is_left(run, cursor, sampling):
                self._begin(run, sampling, tokens, speed, recipe)
                return
            fork_if_settings_changed(run, cursor, sampling)
            if run.is_full:
                raise GPT2Error(f"{run.why_full} Step back and change a setting, or start anew.")
            self._begin(run, sampling, tokens, speed)

    def redraw(self, sampling: Sampling) -> None:
        """Draw the newest token again with other settings, without running the model.

        A recorded run stays as it is, and one that is still to be made again.

        Raises:
            SettingsError: if a setting does not fit the model.
        """
        with self._lock:
            run = self._run
            if run is None or self.recipe is not None or self.is_running or not run.trace.steps:
                return
            newest = run.trace.steps[-1].draw
            if newest is None or newest.sampling != sampling:
                run.redraw(sampling)

    def pause(self) -> None:
        """Stop generating: leave the line before the engine at once, and wait only for a pass of this very run."""
        with self._lock:
            if self._generation is not None:
                self._generation.end()
                self._settle()

    def evict(self) -> int:
        """Free the numbers of a run that is idle and this visitor's own; its recipe and a notice stay.

        Returns:
            The bytes that were freed: 0 where the run is not idle, or a generation is just being taken.
        """
        if not self._lock.acquire(blocking=False):
            return 0
        try:
            if self.is_running:
                return 0
            held = self.nbytes
            self._settle()
            trace, is_made_here = self.trace, self._run is not None
            if self.nbytes and trace.steps:
                self._put(trace.cut(0), self.recipe or Recipe.of(trace, is_made_here), False)
                self._notice = EVICTED if is_made_here else FILE_EVICTED
            return held - self.nbytes
        finally:
            self._lock.release()

    def evict_if_made_by(self, model: str) -> int:
        """Evict a run that this model made and would go on with; return the bytes that were freed."""
        return self.evict() if self.trace.model == model and not self.is_recorded else 0

    @property
    def _run(self) -> Run | None:
        """The run that is on the stage, if it is one of this visitor's own."""
        generation = self._generation
        return None if generation is None or generation.before is not None else generation.run

    def _put(self, recorded: Trace, recipe: Recipe | None, is_own: bool) -> None:
        self.pause()
        self._recorded, self._recipe, self._is_own, self._generation = recorded, recipe, is_own, None
        self._notice = self._error = ""

    def _settle(self) -> None:
        """Forget a run that was not made again to its end and is not on the stage; what is to be said of it stays."""
        generation = self._generation
        if generation is None:
            return
        if generation.before is not None:
            self._recorded, self._notice, self._error = generation.before, generation.notice, generation.error
            self._generation = None
        elif generation.recipe is not None and not generation.notice:
            generation.notice = HALF_MADE

    def _begin(
        self,
        run: Run,
        sampling: Sampling,
        tokens: int,
        speed: float,
        recipe: Recipe | None = None,
        cursor: int = sys.maxsize,
    ) -> None:
        """Give a generation; with a recipe, the run is first made again to its end and gone on with from the cursor."""
        is_recorded = recipe is not None and self._recipe is None  # it stays on the stage meanwhile
        before = self._recorded if is_recorded else None
        generation = Generation(run, sampling, tokens, speed, watch(weakref.ref(self), self._traces), recipe, before)
        if recipe is None:
            self._recipe = None
        self._notice = self._error = ""
        self.touch()
        generation.start(cursor)
        self._generation = generation
        self._recorded = self._recorded.cut(0)  # what stays is the generation's until its run takes the stage


def watch(of: "weakref.ref[Player]", traces: Traces) -> Callable[[Run], str]:
    """What tells a generation why it should end: nobody is there any more, or memory is short and its run is large.

    It does not keep the player alive, so that a visit that ends takes its run with it.
    """

    def stop_reason(run: Run) -> str:
        player = of()
        if player is None or time.monotonic() - player.last_seen > GONE_SECONDS:
            return GONE
        return NO_ROOM if traces.make_room() and run.nbytes > traces.share else ""

    return stop_reason
