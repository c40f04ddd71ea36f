"""One visitor's run being continued: a thread that generates, and the orders it takes. It never calls Streamlit."""

import threading
import time
from typing import TYPE_CHECKING

from gpt2.errors import EngineError, GPT2Error
from gpt2.run import Run
from gpt2.sampling import Sampling
from gpt2.trace import Trace

if TYPE_CHECKING:
    from gpt2.engine import Engine

# A token that came late is made up for, but a long stall is not followed by a burst.
CATCH_UP_SECONDS = 0.25


class Player:
    """Holds what is on the stage. Orders return at once; the trace grows in the background.

    A new order ends the one before. An order that is refused leaves the run as it was.
    """

    def __init__(self, recorded: Trace, prompt: str) -> None:
        """Begin with a recorded run on the stage."""
        self.prompt, self.notice, self.error = prompt, "", ""
        self._recorded = recorded
        self._run: Run | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def trace(self) -> Trace:
        """What is on the stage, live or recorded."""
        return self._recorded if self._run is None else self._run.trace

    @property
    def is_recorded(self) -> bool:
        """Whether the run on the stage was not made by this visitor."""
        return self._run is None

    @property
    def is_running(self) -> bool:
        """Whether tokens are being generated."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def why_full(self) -> str:
        """Why no further token fits, in one sentence; empty where one does."""
        return "" if self._run is None else self._run.why_full

    def open(self, recorded: Trace) -> None:
        """Put a recorded run on the stage."""
        self.pause()
        self._run, self._recorded = None, recorded
        self.prompt = recorded.vocabulary.text(recorded.prompt_ids)
        self.notice = self.error = ""

    def new(self, engine: "Engine", prompt: str, sampling: Sampling, tokens: int, speed: float) -> None:
        """Begin a run and generate `tokens` tokens, `speed` a second (0: as fast as it goes).

        Raises:
            PromptError: if the prompt cannot be run; the run on the stage is kept.
            SettingsError: if a setting does not fit the model.
        """
        sampling.check_vocabulary(engine.config.vocab_size)
        run = engine.start(prompt)
        self.pause()
        self.prompt, self._run = prompt, run
        self._go(tokens, sampling, speed)

    def play(self, engine: "Engine", cursor: int, sampling: Sampling, tokens: int, speed: float) -> None:
        """Generate on from the step under the cursor, or from the end if the settings have not changed.

        Raises:
            SettingsError: if a setting does not fit the model.
            GPT2Error: if the context is full.
        """
        sampling.check_vocabulary(engine.config.vocab_size)
        self.pause()
        run = self._run or self._replay(engine)
        last = len(run.trace.steps) - 1
        at = max(0, min(cursor, last))
        if any(step.draw is not None and step.draw.sampling != sampling for step in run.trace.steps[at:]):
            if at < last:
                run.branch(at + 1)
            run.redraw(sampling)
        if run.is_full:
            raise GPT2Error(f"{run.why_full} Step back and change a setting, or start anew.")
        self._run = run
        self._go(tokens, sampling, speed)

    def reshape(self, sampling: Sampling) -> None:
        """Draw the newest token again with other settings, without running the model; a recorded run stays as it is.

        Raises:
            SettingsError: if a setting does not fit the model.
        """
        if self._run is None or self.is_running or not self._run.trace.steps:
            return
        newest = self._run.trace.steps[-1].draw
        if newest is None or newest.sampling != sampling:
            self._run.redraw(sampling)

    def pause(self) -> None:
        """Stop generating and wait for the token under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _replay(self, engine: "Engine") -> Run:
        """Run the recorded run again, token by token, so that it can be gone on with."""
        recorded = self._recorded
        if recorded.config != engine.config:
            raise EngineError("This recorded run is of another model; type a prompt to start a run of your own.")
        run = Run(engine, recorded.prompt_ids, recorded.steps[0].interventions)
        for step in recorded.steps:
            run.advance(None if step.draw is None else step.draw.sampling)
        if run.trace.ids != recorded.ids:
            raise EngineError("This recorded run comes out otherwise here; type a prompt to start a run of your own.")
        return run

    def _go(self, tokens: int, sampling: Sampling, speed: float) -> None:
        assert self._run is not None
        self.notice = self.error = ""
        self._stop = threading.Event()
        arguments = (self._run, self._stop, tokens, sampling, speed)
        self._thread = threading.Thread(target=self._generate, args=arguments, name="generate", daemon=True)
        self._thread.start()

    def _generate(self, run: Run, stop: threading.Event, tokens: int, sampling: Sampling, speed: float) -> None:
        due = time.monotonic()
        try:
            for _ in range(tokens):
                if run.is_full:
                    self.notice = run.why_full
                    return
                if stop.is_set():
                    return
                run.advance(sampling)
                if speed > 0:
                    due = max(due, time.monotonic() - CATCH_UP_SECONDS) + 1 / speed
                    if stop.wait(due - time.monotonic()):
                        return
        except GPT2Error as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"The run stopped ({type(error).__name__}: {error}); what is on the stage is kept."
