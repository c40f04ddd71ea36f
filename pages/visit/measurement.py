"""What the tokens of one run would cost without the KV cache, timed in a thread. It never calls Streamlit."""

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpt2.engine.turns import Withdrawn
from gpt2.engine.uncached import Rerun, plan, rerun
from gpt2.errors import GPT2Error
from gpt2.model.interventions import Interventions
from gpt2.trace.trace import Trace
from pages.server.traces import NO_ROOM, TRACES

from .on_stage import OnStage

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

NOT_LOADED = "The model that made this run is not loaded, so nothing can be run again; press Run to make a run with it."
NO_RUN = "There is no run to measure; type a prompt and press Run."


class Measurement:
    """Passes over more and more of a run, each in its turn at the engine. It holds the run's tokens alone.

    Attributes:
        run_id: the run that is measured.
        total: how many passes are timed in all.
        reruns: the passes timed so far, in their order.
        error: why it ended before its time, in one sentence; empty if it did not.
    """

    def __init__(self, trace: Trace, engine: "Engine | None", player: OnStage | None = None) -> None:
        """Begin, and return at once; without an engine, or a run, say why nothing is measured.

        The run of `player` is not evicted to make room for a pass.
        """
        self.run_id, self.total = trace.run_id, len(plan(trace.seq))
        self.reruns: tuple[Rerun, ...] = ()
        self.error = NO_RUN if not trace.steps else NOT_LOADED if engine is None else ""
        # The thread alone holds the engine: a measurement that is over must not keep a model in memory.
        self._turns, self._stop = (None if engine is None else engine.turns), threading.Event()
        ids, interventions = trace.computed_ids, (trace.steps[-1].interventions if trace.steps else Interventions())
        self._player: Callable[[], OnStage | None] = (lambda: None) if player is None else weakref.ref(player)
        self._thread = threading.Thread(
            target=self._measure, args=(engine, ids, interventions), name="measure without the cache", daemon=True
        )
        if not self.error:
            self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether passes are still being timed."""
        return self._thread.is_alive() and not self._stop.is_set()

    def stop(self) -> None:
        """Leave the line before the engine at once; a pass that is under way is the last, and is not kept."""
        if self._turns is not None:
            self._turns.withdraw(self._stop)

    def tend(self, player: OnStage) -> None:
        """Stop once the run has left the stage, or is about to: no button could stop it any more."""
        if player.is_starting or self.run_id != player.trace.run_id:
            self.stop()

    def wait(self, seconds: float) -> None:
        """Return once it has ended, or after so many seconds."""
        self._thread.join(seconds)

    def _measure(self, engine: "Engine", ids: tuple[int, ...], interventions: Interventions) -> None:
        try:
            timing = rerun(engine, ids, interventions, self._stop)
            while TRACES.has_room_for_pass(engine.config, len(ids), self._player()):
                timed = next(timing, None)
                if timed is None or self._stop.is_set():
                    return
                self.reruns = (*self.reruns, timed)
            self.error = NO_ROOM
        except Withdrawn:
            pass
        except GPT2Error as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"The measurement stopped ({type(error).__name__}: {error}); press the button to start anew."
