"""What each model's heads do, measured once for all visitors in a thread; it never calls Streamlit."""

import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from gpt2.engine.head_roles import LENGTH, RUNS, measure_roles
from gpt2.errors import GPT2Error
from gpt2.reading.roles import HeadRoles

from .traces import NO_ROOM, TRACES

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine


class RolesJob:
    """One model's measurement: a few passes, between which the engine serves the visitors' runs.

    Attributes:
        done: the sequences read so far, of `total`.
        found: the scores, once all are read.
        error: why there are none, in one sentence; empty if nothing failed.
    """

    total = RUNS

    def __init__(self, engine: "Engine") -> None:
        """Begin, and return at once. The thread alone holds the engine, so that a model can be unloaded."""
        self.done, self.error = 0, ""
        self.found: HeadRoles | None = None
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._measure, args=(engine,), name="measure head roles", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether sequences are still to be read."""
        return self.found is None and not self.error

    @property
    def may_be_tried_again(self) -> bool:
        """Whether there was no room for it some time ago; a page is drawn again at once when a measurement ends."""
        return self.error == NO_ROOM and time.monotonic() - self._began > RETRY_SECONDS

    def wait(self, seconds: float) -> None:
        """Return once it has ended, or after so many seconds."""
        self._thread.join(seconds)

    def _measure(self, engine: "Engine") -> None:
        try:
            if TRACES.has_room_for_pass(engine.config, 2 * LENGTH):
                self.found = measure_roles(engine, self._tell)
            else:
                self.error = NO_ROOM
        except GPT2Error as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"The heads could not be measured ({type(error).__name__}: {error}); load the model again."

    def _tell(self, done: int) -> None:
        self.done = done


# How long a measurement for which there was no room keeps saying so, before it is tried again.
RETRY_SECONDS = 10
_jobs: "WeakKeyDictionary[Engine, RolesJob]" = WeakKeyDictionary()
_lock = threading.Lock()


def roles_job(engine: "Engine") -> RolesJob:
    """The one measurement of this model, begun when somebody asks first, and again if there was no room for it."""
    with _lock:
        job = _jobs.get(engine)
        if job is None or job.may_be_tried_again:
            job = _jobs[engine] = RolesJob(engine)
        return job
