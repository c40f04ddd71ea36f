"""Tokens being generated for one run, in a thread of its own. It never calls Streamlit."""

import threading
import time
import weakref
from collections.abc import Callable

from gpt2.engine.run import Run
from gpt2.engine.turns import Withdrawn
from gpt2.errors import EngineError, GPT2Error
from gpt2.model.sampling import Sampling
from gpt2.trace.step import Step
from pages.server.traces import NO_ROOM, Evictable, Traces

from .controls import Controls
from .recipe import Recipe

# While a run is generated its stage sends messages all the time. In a hidden tab a browser may let a timer run only
# once a minute, and a message waits for two of them: a visitor who is silent for longer than both is gone.
GONE_SECONDS = 150
GONE = f"Paused after {GONE_SECONDS} s without a viewer; press Play to go on."
# A token that is late is made up for, but a long stall is not followed by a burst.
CATCH_UP_SECONDS = 0.25
# A wait for the engine that is shorter than this is not worth a word.
FELT_SECONDS = 1.0


class Generation:
    """One run being continued, replayed first if it has a recipe. The thread holds this object, and not the player.

    Attributes:
        run: the run that is generated.
        recipe: what the run is still being replayed from; None once it has been, or if it never was.
        has_diverged: whether the replay failed: it gave other tokens than the recipe's, or could not be computed.
        notice, error: why the generation ended early, in one sentence; empty if it did not.
    """

    def __init__(
        self,
        run: Run,
        controls: Controls,
        stop_reason: Callable[[Run], str],
        recipe: Recipe | None = None,
        first: tuple[Sampling, ...] = (),
    ) -> None:
        """Prepare to draw new tokens.

        Args:
            run: the run to continue.
            controls: the settings of the new tokens, how many, and how fast; replayed ones keep their own settings.
            stop_reason: called before every token; a sentence ends the generation, "" lets it go on.
            recipe: what to replay before anything new is drawn.
            first: the settings of the first new tokens, each its own; they are drawn as fast as it goes.
        """
        self.run, self.recipe, self.has_diverged, self.notice, self.error = run, recipe, False, "", ""
        self._controls, self._stop_reason, self._first = controls, stop_reason, first
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._slow_before = 0  # how many were before it at the last token, if that wait was felt

    @property
    def is_running(self) -> bool:
        """Whether its thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def place(self) -> int:
        """How many runs' passes come before this one's, if the wait is long enough to be felt; else 0.

        Before the first token it counts down. After that it is the number at the time each token was asked for, which
        stays the same while the runs take turns.
        """
        turn = self.run.turn
        is_felt = turn.seconds >= FELT_SECONDS
        if not self.run.trace.steps:
            return turn.waiting if is_felt else 0
        return turn.before if is_felt else self._slow_before

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread = threading.Thread(target=self._generate, name="generate", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Leave the line before the engine and stop; returns when a pass under way is over."""
        self.run.engine.turns.withdraw(self._stop)
        if self._thread is not None:
            self._thread.join()

    def _generate(self) -> None:
        try:
            if self.recipe is not None and not self._replay(self.recipe):
                return
            if self._draw_first():
                self._continue()
        except Withdrawn:
            pass
        except GPT2Error as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"The run stopped ({type(error).__name__}: {error}); the tokens on the stage are kept."

    def _replay(self, recipe: Recipe) -> bool:
        """Make all of the recipe's tokens again; False if it was stopped before the last one.

        Raises:
            EngineError: if the replay gives other tokens, or the model fails.
        """
        try:
            for sampling in recipe.remaining(self.run):
                if not self._advance(sampling):
                    return False
        except EngineError:
            self.has_diverged = True
            raise
        redraw_if_settings_changed(self.run, self._controls.sampling)
        self.recipe = None
        return True

    def _draw_first(self) -> bool:
        """Draw the tokens that have settings of their own; False if it was stopped before the last one."""
        for sampling in self._first:
            if self.run.is_full:
                self.notice = self.run.why_full
                return False
            if not self._advance(sampling):
                return False
        return True

    def _continue(self) -> None:
        due, controls = time.monotonic(), self._controls
        for _ in range(controls.max_new_tokens):
            if self.run.is_full:
                self.notice = self.run.why_full
                return
            if not self._advance(controls.sampling) or (self.run.has_ended and not controls.ignore_eos):
                return
            if controls.speed > 0:
                due = max(due, time.monotonic() - CATCH_UP_SECONDS) + 1 / controls.speed
                if self._stop.wait(due - time.monotonic()):
                    return

    def _advance(self, sampling: Sampling | None) -> bool:
        """Make one more token, unless the generation is to stop."""
        if self._stop.is_set():
            return False
        if reason := self._stop_reason(self.run):
            self.notice = reason
            return False
        self.run.advance(sampling, self._stop)
        turn = self.run.turn
        self._slow_before = turn.before if turn.seconds >= FELT_SECONDS else 0
        return True


def redraw_if_settings_changed(run: Run, sampling: Sampling) -> None:
    """Draw the newest token again if it was drawn with other settings; one that a person chose stays."""
    newest = run.trace.steps[-1].draw
    if newest is not None and newest.sampling != sampling and not newest.is_chosen:
        run.resample(sampling)


def redrawn(run: Run, token: int | None, sampling: Sampling) -> Step:
    """The newest step with this token, or without one with a token drawn anew; one that a person chose stays."""
    before = run.trace.steps[-1].draw
    if token is None and before is not None and before.is_chosen:
        token = before.token
    return run.resample(sampling) if token is None else run.choose(token, sampling)


def stop_reason_of(visitor: Evictable, traces: Traces) -> Callable[[Run], str]:
    """What a generation asks before every token: a sentence if its visitor is gone or memory is short, else "".

    It does not keep the visitor's player alive, so that a visit that ends takes its run with it.
    """
    player_of = weakref.ref(visitor)

    def stop_reason(run: Run) -> str:
        player = player_of()
        if player is None or time.monotonic() - player.last_seen > GONE_SECONDS:
            return GONE
        short, share = traces.make_room(), traces.bytes_per_run
        if short and share < run.least_nbytes:
            return NO_ROOM
        run.squeeze(share)
        return ""

    return stop_reason
