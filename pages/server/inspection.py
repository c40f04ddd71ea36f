"""What a visitor has looked into of the run on the stage: its checks, and the number that was opened last."""

from collections.abc import Callable

from gpt2.checkpoints.weights import Checkpoint
from gpt2.errors import GPT2Error, TraceError
from gpt2.reading.arithmetic import open_number
from gpt2.reading.checks import CACHED, PARTS, TOLERANCE, Check, parts_sum_to_logits, rows_sum_to_one, same_in_one_pass
from gpt2.reading.stored_reference import HUGGING_FACE, same_as_hugging_face
from gpt2.trace.step import StepId
from gpt2.trace.trace import Trace
from pages.stage.actions import CheckRun, OpenNumber, ReadWhole
from pages.stage.snapshot import Inspected, Opened

from .caches import with_recomputer
from .job import ModelJob
from .limits import limits
from .traces import NO_ROOM, TRACES, Evictable

NOT_READ = "It has not been read at once yet."
NO_WEIGHTS = "Load the model that made this run to check this."
NOT_OPENED = "Load the model that made this run to see its arithmetic."


class Inspection:
    """What was looked into; nothing of one run is ever told of another, and no check of another newest step."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._of: tuple[StepId, bool] | None = None  # the newest step, and whether its weights were there
        self._checks: tuple[Check, ...] = ()
        self._run, self._opened = "", Opened("")

    def of(self, trace: Trace, model: ModelJob | None, is_running: bool) -> Inspected:
        """What is known of the run on the stage, by the model that made it; no checks while it is under way.

        The checks of a newest step are due until they are asked for: first the step is to be seen.
        """
        number = self._opened if trace.run_id == self._run else None
        if is_running or not trace.steps:
            return Inspected(number=number)
        if self._of != (now := _newest(trace, model)):
            self._of, self._checks = now, ()
        has_engine = model is not None and model.engine is not None
        can_read_whole = has_engine and any(check.note == NOT_READ for check in self._checks)
        return Inspected(self._checks, not self._checks, can_read_whole, number)

    def answer(
        self,
        action: CheckRun | ReadWhole | OpenNumber,
        trace: Trace,
        model: ModelJob | None,
        keep: Evictable | None = None,
    ) -> None:
        """Look into a run, by the model that made it.

        The run of `keep` is not evicted to make room for the pass.

        Raises:
            GPT2Error: if the whole text cannot be read in one pass.
        """
        if isinstance(action, OpenNumber):
            self._run, self._opened = trace.run_id, _opened(action, trace, model)
        elif isinstance(action, ReadWhole):
            self._read_whole(trace, model, keep)
        elif trace.steps and self._of == _newest(trace, model) and not self._checks:
            self._check(trace, model)

    def _check(self, trace: Trace, model: ModelJob | None) -> None:
        """Check all that needs no further pass; a model on its way goes first, and the stage asks again."""
        if model is not None and model.is_loading:
            return
        checkpoint, engine = (None, None) if model is None else (model.checkpoint, model.engine)
        trace = with_recomputer(trace, engine)
        self._checks = (
            rows_sum_to_one(trace),
            _with_weights(PARTS, parts_sum_to_logits, trace, checkpoint),
            Check(*CACHED, None, TOLERANCE, NOT_READ),
            _with_weights(HUGGING_FACE, same_as_hugging_face, trace, checkpoint),
        )

    def _read_whole(self, trace: Trace, model: ModelJob | None, keep: Evictable | None) -> None:
        """Read the run's whole text in one pass, in its turn at the engine, and check its steps by that."""
        if model is None or model.engine is None:
            raise GPT2Error(NO_WEIGHTS)
        limits().check_prompt(trace.seq)
        if not TRACES.has_room_for_pass(trace.config, trace.seq, keep):
            raise GPT2Error(NO_ROOM)
        check = same_in_one_pass(trace, model.engine.in_one_pass(trace))
        if self._of is not None and trace.steps[-1].identity is self._of[0]:
            self._checks = tuple(check if former.name == check.name else former for former in self._checks)


def _newest(trace: Trace, model: ModelJob | None) -> tuple[StepId, bool]:
    """The newest step of a run, and whether the weights that made it are there."""
    return trace.steps[-1].identity, model is not None and model.checkpoint is not None


def _opened(action: OpenNumber, trace: Trace, model: ModelJob | None) -> Opened:
    if model is None or model.checkpoint is None:
        return Opened(action.name, error=NOT_OPENED)
    try:
        run = with_recomputer(trace, model.engine)
        return Opened(action.name, open_number(run, model.checkpoint, action.kind, action.hook, action.index))
    except TraceError as error:
        return Opened(action.name, error=str(error))


def _with_weights(
    said: tuple[str, str], check: Callable[[Trace, Checkpoint], Check], trace: Trace, checkpoint: Checkpoint | None
) -> Check:
    if checkpoint is None:
        return Check(*said, None, TOLERANCE, NO_WEIGHTS)
    try:
        return check(trace, checkpoint)
    except TraceError as error:
        return Check(*said, None, TOLERANCE, str(error))
