"""One visitor's stage: the run on it, live or recorded, and the orders it takes. It never calls Streamlit."""

import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpt2.errors import GPT2Error
from gpt2.interventions import Interventions
from gpt2.prompt import encode_prompt
from gpt2.run import Run
from gpt2.sampling import Sampling
from gpt2.trace import Trace

from .limits import limits
from .order import Order, turn_off
from .score import Score
from .traces import TRACES, Traces

if TYPE_CHECKING:
    from gpt2.engine import Engine

# While a run goes on its stage sends messages all the time. In a tab that is out of sight a browser may let a timer run
# only once a minute, and a message waits for two of them: a visitor who is silent for longer than both is gone.
GONE_SECONDS = 150

GONE = "Nobody looked at this run any more, so it was paused; press Play to go on."
NO_ROOM = "The memory for runs is taken by other visitors for now, so this run was paused; press Play to go on later."
LET_GO = "This run's numbers were let go to make room for other visitors; press Run to make them again."
FILE_LET_GO = "The opened run's numbers were let go to make room for other visitors; open its file again."


class Player:
    """Holds what is on the stage. Orders return at once; the trace grows in the background.

    A new order ends the one before. An order that is refused leaves the run as it was. When memory is short, the
    numbers of an idle run may be let go: its score stays, from which the run is made again to the same text.
    """

    def __init__(self, recorded: Trace, prompt: str, traces: Traces = TRACES) -> None:
        """Begin with a recorded run on the stage, counted in the budget of `traces` once it is this visitor's own."""
        self.prompt, self.looked_at = prompt, time.monotonic()
        self._notice = self._error = ""
        self._recorded, self._is_own = recorded, False
        self._score: Score | None = None
        self._order: Order | None = None
        self._traces = traces
        self._lock = threading.RLock()
        traces.add(self)

    @property
    def trace(self) -> Trace:
        """What is on the stage, live or recorded; without a step where it was let go."""
        run = self._run
        return self._recorded if run is None else run.trace

    @property
    def score(self) -> Score | None:
        """What is left of a run whose numbers were let go."""
        return self._score if self._run is None else None

    @property
    def is_recorded(self) -> bool:
        """Whether the run on the stage was not made by this visitor."""
        return self._run is None and self._score is None

    @property
    def is_running(self) -> bool:
        """Whether tokens are being generated."""
        return self._order is not None and self._order.is_running

    @property
    def why_full(self) -> str:
        """Why no further token fits, in one sentence; empty where one does."""
        run = self._run
        return "" if run is None else run.why_full

    @property
    def place(self) -> int:
        """How many other runs come first, where that is felt; see `Order.place`."""
        order = self._order
        return order.place if order is not None and order.is_running else 0

    @property
    def notice(self) -> str:
        """What is to be said of the run on the stage; empty where nothing is."""
        return self._notice or ("" if self._order is None else self._order.notice)

    @property
    def error(self) -> str:
        """What went wrong last, in one sentence; empty where nothing did."""
        return self._error or ("" if self._order is None else self._order.error)

    @error.setter
    def error(self, sentence: str) -> None:
        """Say this instead."""
        self._error = sentence
        if self._order is not None:
            self._order.error = ""

    @property
    def nbytes(self) -> int:
        """Bytes that this visitor's run and KV cache hold; recorded runs that all visitors share are not counted."""
        order = self._order
        return (order.run.nbytes if order is not None else 0) + (self._recorded.nbytes if self._is_own else 0)

    def look(self) -> None:
        """Note that the visitor is there."""
        self.looked_at = time.monotonic()

    def open(self, recorded: Trace, is_own: bool = False) -> None:
        """Put a recorded run on the stage; `is_own` where no other visitor shares it."""
        with self._lock:
            self._put(recorded, None, is_own)
            self.prompt = recorded.vocabulary.text(recorded.prompt_ids)
        self._traces.make_room(keep=self)

    def new(self, engine: "Engine", prompt: str, sampling: Sampling, tokens: int, speed: float) -> None:
        """Begin a run and generate `tokens` tokens, `speed` a second (0: as fast as it goes).

        The run that was let go is first made again as it was, if prompt, settings and model are the same.

        Raises:
            PromptError: if the prompt cannot be run, or is longer than the host allows; the run on the stage is kept.
            SettingsError: if a setting does not fit the model.
        """
        with self._lock:
            sampling.check_vocabulary(engine.config.vocab_size)
            score = self.score
            if score is not None and prompt == self.prompt and score.is_of(engine, sampling):
                self._make_again(engine, score, len(score.ids), sampling, tokens - len(score.samplings), speed)
                return
            ids = encode_prompt(prompt, engine.tokenizer, engine.config)
            limits().check_prompt(len(ids))
            self.pause()
            self.prompt = prompt
            self._begin(Run(engine, ids, Interventions()), sampling, tokens, speed)

    def play(self, engine: "Engine", cursor: int, sampling: Sampling, tokens: int, speed: float) -> None:
        """Generate on from the step under the cursor, or from the end if the settings have not changed.

        A recorded run, and one that was let go, is first made again.

        Raises:
            SettingsError: if a setting does not fit the model.
            EngineError: if a recorded run is of another model.
            GPT2Error: if the context is full.
        """
        with self._lock:
            sampling.check_vocabulary(engine.config.vocab_size)
            self.pause()
            run = self._run
            if run is None:
                self._make_again(engine, self._score or Score.of(self._recorded), cursor, sampling, tokens, speed)
                return
            turn_off(run, cursor, sampling)
            if run.is_full:
                raise GPT2Error(f"{run.why_full} Step back and change a setting, or start anew.")
            self._begin(run, sampling, tokens, speed)

    def reshape(self, sampling: Sampling) -> None:
        """Draw the newest token again with other settings, without running the model; a recorded run stays as it is.

        Raises:
            SettingsError: if a setting does not fit the model.
        """
        with self._lock:
            run = self._run
            if run is None or self.is_running or not run.trace.steps:
                return
            newest = run.trace.steps[-1].draw
            if newest is None or newest.sampling != sampling:
                run.redraw(sampling)

    def pause(self) -> None:
        """Stop generating: leave the line before the engine at once, and wait only for a pass of this very run."""
        with self._lock:
            if self._order is not None:
                self._order.end()
                self._settle()

    def let_go(self) -> int:
        """Free the numbers of a run that is idle and this visitor's own; its score and a notice stay.

        Returns:
            The bytes that were freed: 0 where the run is not idle, or an order is just being taken.
        """
        if not self._lock.acquire(blocking=False):
            return 0
        try:
            if self.is_running:
                return 0
            held = self.nbytes
            self._settle()
            trace = self.trace
            if self.nbytes and trace.steps:
                notice = FILE_LET_GO if self._run is None else LET_GO
                self._put(trace.cut(0), Score.of(trace), False)
                self._notice = notice
            return held - self.nbytes
        finally:
            self._lock.release()

    @property
    def _run(self) -> Run | None:
        """The run that is on the stage, if it is one of this visitor's own."""
        order = self._order
        return None if order is None or order.is_hidden else order.run

    def _put(self, recorded: Trace, score: Score | None, is_own: bool) -> None:
        self.pause()
        self._recorded, self._score, self._is_own, self._order = recorded, score, is_own, None
        self._notice = self._error = ""

    def _settle(self) -> None:
        """Forget a recorded run that was not made again to its end; what is to be said of it stays."""
        order = self._order
        if order is not None and order.is_hidden:
            self._notice, self._error, self._order = order.notice, order.error, None

    def _make_again(
        self, engine: "Engine", score: Score, cursor: int, sampling: Sampling, tokens: int, speed: float
    ) -> None:
        run = score.start(engine)
        self.pause()
        self._begin(run, sampling, tokens, speed, score, cursor)

    def _begin(
        self, run: Run, sampling: Sampling, tokens: int, speed: float, score: Score | None = None, cursor: int = 0
    ) -> None:
        is_hidden = score is not None and self._score is None  # a recorded run stays on the stage meanwhile
        if not is_hidden:
            self._recorded, self._is_own = self._recorded.cut(0), False
        self._notice = self._error = ""
        self.look()
        order = Order(run, sampling, tokens, speed, watch(weakref.ref(self), self._traces))
        order.start(score, cursor, is_hidden)
        self._order = order


def watch(of: "weakref.ref[Player]", traces: Traces) -> Callable[[Run], str]:
    """What tells an order why it should end: nobody is there any more, or memory is short and its run is large.

    It does not keep the player alive, so that a visit that ends takes its run with it.
    """

    def why_end(run: Run) -> str:
        player = of()
        if player is None or time.monotonic() - player.looked_at > GONE_SECONDS:
            return GONE
        return NO_ROOM if traces.make_room() and run.nbytes > traces.share else ""

    return why_end
