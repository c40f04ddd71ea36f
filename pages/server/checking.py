"""The checks of the run on one visitor's stage: made once it rests, and kept until it has another newest step."""

from collections.abc import Callable

from gpt2.checkpoints.weights import Checkpoint
from gpt2.errors import GPT2Error, TraceError
from gpt2.reading.checks import CACHED, PARTS, TOLERANCE, Check, parts_sum_to_logits, rows_sum_to_one, same_in_one_pass
from gpt2.reading.stored_reference import HUGGING_FACE, same_as_hugging_face
from gpt2.trace.step import StepId
from gpt2.trace.trace import Trace
from pages.stage.snapshot import Checked

from .caches import with_recomputer
from .job import ModelJob
from .limits import limits
from .traces import NO_ROOM, TRACES, Evictable

NOT_READ = "It has not been read at once yet."
NO_WEIGHTS = "Load the model that made this run to check this."


class Checking:
    """What was checked of one run; a check of another run, or of another step, is none of it."""

    def __init__(self) -> None:
        """Nothing is checked yet."""
        self._of: tuple[StepId, bool] | None = None  # the newest step, and whether its weights were there
        self._checks: tuple[Check, ...] = ()

    def of(self, trace: Trace, model: ModelJob | None, is_running: bool) -> Checked:
        """The checks of the run on the stage, by the model that made it; none while it is under way."""
        if is_running or not trace.steps:
            return Checked()
        checkpoint, engine = (None, None) if model is None else (model.checkpoint, model.engine)
        trace = with_recomputer(trace, engine)
        now = trace.steps[-1].identity, checkpoint is not None
        if self._of != now:
            self._of = now
            self._checks = (
                rows_sum_to_one(trace),
                _with_weights(PARTS, parts_sum_to_logits, trace, checkpoint),
                Check(*CACHED, None, TOLERANCE, NOT_READ),
                _with_weights(HUGGING_FACE, same_as_hugging_face, trace, checkpoint),
            )
        return Checked(self._checks, engine is not None and any(check.note == NOT_READ for check in self._checks))

    def read_whole(self, trace: Trace, model: ModelJob | None, keep: Evictable | None = None) -> None:
        """Read the run's whole text in one pass, in its turn at the engine, and check its steps by that.

        The run of `keep` is not evicted to make room for the pass.

        Raises:
            GPT2Error: if the model is not loaded, the pass fails, or the host allows no pass of this length.
        """
        if model is None or model.engine is None:
            raise GPT2Error(NO_WEIGHTS)
        limits().check_prompt(trace.seq)
        if not TRACES.has_room_for_pass(trace.config, trace.seq, keep):
            raise GPT2Error(NO_ROOM)
        check = same_in_one_pass(trace, model.engine.in_one_pass(trace))
        if self._of is not None and trace.steps[-1].identity is self._of[0]:
            self._checks = tuple(check if former.name == check.name else former for former in self._checks)


def _with_weights(
    said: tuple[str, str], check: Callable[[Trace, Checkpoint], Check], trace: Trace, checkpoint: Checkpoint | None
) -> Check:
    if checkpoint is None:
        return Check(*said, None, TOLERANCE, NO_WEIGHTS)
    try:
        return check(trace, checkpoint)
    except TraceError as error:
        return Check(*said, None, TOLERANCE, str(error))
