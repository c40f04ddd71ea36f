"""A generation to generate, carried out in a thread of its own. It never calls Streamlit."""

import threading
import time
from collections.abc import Callable

from gpt2.engine.run import Run
from gpt2.engine.turns import Withdrawn
from gpt2.errors import EngineError, GPT2Error
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace

from .recipe import Recipe

# A token that came late is made up for, but a long stall is not followed by a burst.
CATCH_UP_SECONDS = 0.25
# A wait for the engine that is shorter than this is not worth a word.
FELT_SECONDS = 1.0


class Generation:
    """One run being gone on with. Its thread holds this generation, and not the player that gave it.

    Attributes:
        run: the run that is generated.
        recipe: what the run is still being made again from; None where it has been, or never was.
        before: what is on the stage until the run is: a recorded one that is still being made again, or one without a
            step where it could not be. None where the run itself is on the stage.
        notice, error: why the generation ended before its time, in one sentence; empty where it did not.
    """

    def __init__(
        self,
        run: Run,
        sampling: Sampling,
        tokens: int,
        speed: float,
        stop_reason: Callable[[Run], str],
        recipe: Recipe | None = None,
        before: Trace | None = None,
    ) -> None:
        """Prepare to draw `tokens` tokens, `speed` a second (0: as fast as it goes).

        `stop_reason` is asked before every token; a sentence ends the generation, "" lets it go on.
        """
        self.run, self.recipe, self.before, self.notice, self.error = run, recipe, before, "", ""
        self._sampling, self._tokens, self._speed, self._stop_reason = sampling, tokens, speed, stop_reason
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._slow_before = 0  # how many were before it at the last token, if that wait was felt

    @property
    def is_running(self) -> bool:
        """Whether it is still being carried out."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def place(self) -> int:
        """How many runs' passes come before this one's, where the wait is long enough to be felt; else 0.

        Before the first token it counts down; after that it is the number at the time each token was asked for, which
        stays as it is while the runs take turns.
        """
        turn = self.run.turn
        is_felt = turn.seconds >= FELT_SECONDS
        if not self.run.trace.steps:
            return turn.waiting if is_felt else 0
        return turn.before if is_felt else self._slow_before

    def start(self, cursor: int = 0) -> None:
        """Begin, and return at once; the run is gone on with from `cursor` once it has been made again."""
        self._thread = threading.Thread(target=self._carry_out, args=(cursor,), name="generate", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Leave the line before the engine and end; returns when a pass under way is over."""
        self.run.engine.turns.withdraw(self._stop)
        if self._thread is not None:
            self._thread.join()

    def _carry_out(self, cursor: int) -> None:
        try:
            if self.recipe is not None and not self._make_again(self.recipe, cursor):
                return
            self._go_on()
        except Withdrawn:
            pass
        except GPT2Error as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"The run stopped ({type(error).__name__}: {error}); what is on the stage is kept."

    def _make_again(self, recipe: Recipe, cursor: int) -> bool:
        """Whether the run is whole; where it comes out otherwise, nothing of it stays on the stage."""
        try:
            for sampling in recipe.steps(self.run):
                if not self._advance(sampling):
                    return False
        except EngineError:
            self.before = self.before or self.run.trace.cut(0)
            raise
        fork_if_settings_changed(self.run, cursor, self._sampling)
        self.recipe = self.before = None
        return True

    def _go_on(self) -> None:
        due = time.monotonic()
        for _ in range(self._tokens):
            if self.run.is_full:
                self.notice = self.run.why_full
                return
            if not self._advance(self._sampling):
                return
            if self._speed > 0:
                due = max(due, time.monotonic() - CATCH_UP_SECONDS) + 1 / self._speed
                if self._stop.wait(due - time.monotonic()):
                    return

    def _advance(self, sampling: Sampling | None) -> bool:
        """One token more, unless the generation is to end."""
        if self._stop.is_set():
            return False
        if why := self._stop_reason(self.run):
            self.notice = why
            return False
        self.run.advance(sampling, self._stop)
        turn = self.run.turn
        self._slow_before = turn.before if turn.seconds >= FELT_SECONDS else 0
        return True


def fork_if_settings_changed(run: Run, cursor: int, sampling: Sampling) -> None:
    """Let the run go another way from the step under the cursor, if any step from there on had other settings."""
    last = len(run.trace.steps) - 1
    at = max(0, min(cursor, last))
    if any(step.draw is not None and step.draw.sampling != sampling for step in run.trace.steps[at:]):
        if at < last:
            run.branch(at + 1)
        run.redraw(sampling)
