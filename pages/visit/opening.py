"""A run from a visitor's file: opened one at a time, refused in one sentence, and nothing kept of the upload."""

import threading
from dataclasses import dataclass

from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from gpt2.engine.settings import trace_budget
from gpt2.errors import GPT2Error, TraceError
from gpt2.trace.budget import squeeze_to_fit
from gpt2.trace.file import MARGIN, unpacked_bytes
from gpt2.trace.trace import Trace
from pages.server.traces import TRACES, Traces

from .visit import Visit

# What a file unpacks to is counted for nobody until the run in it is on a stage.
ONE_AT_A_TIME = threading.Lock()


@dataclass(eq=False)
class Opening:
    """What became of the file that a visitor has opened last.

    Plain attributes, and set together: at any use of Streamlit's session a rerun may end the script.

    Attributes:
        number: how many files were opened; a part of the uploader's key, since a new uploader is empty.
        error: why the last one was not opened, and its name; empty if it was.
    """

    number: int = 0
    error: str = ""
    _run_id: str = ""

    def take(self, file: UploadedFile, visit: Visit) -> None:
        """Put the run in a file on the stage, or tell why not; then forget the file."""
        error = ""
        try:
            with ONE_AT_A_TIME:
                visit.open(read_run(file), is_own=True)
        except GPT2Error as refused:
            error = f"{file.name}: {refused}"
        self.number, self.error, self._run_id = self.number + 1, error, visit.player.trace.run_id
        forget(file)

    def error_beside(self, run_id: str) -> str:
        """The error, for as long as the run that was on the stage then stays on it."""
        return self.error if run_id == self._run_id else ""


def read_run(file: UploadedFile, traces: Traces = TRACES) -> Trace:
    """The run in a file, squeezed into the budget of one run.

    Raises:
        TraceError: if it is not the file of a run, or the run is too large for this host, or for what it has left.
    """
    budget = trace_budget()
    unpacked = unpacked_bytes(file)
    if traces.make_room(needed=unpacked):
        raise TraceError(
            f"This file unpacks to {unpacked / 1e6:,.1f} MB, more than this host has left just now; try again later, "
            "or on a larger machine."
        )
    # The file of a run that stores everything holds the half of a pattern above the diagonal too; memory does not.
    trace = squeeze_to_fit(Trace.load(file, max_bytes=2 * budget + MARGIN), budget)
    if trace.nbytes > budget:
        raise TraceError(
            f"This run holds {trace.nbytes / 1e6:,.1f} MB even after all that can be has been dropped, more than the "
            f"{budget / 1e6:,.1f} MB that a run may hold here."
        )
    return trace


def forget(file: UploadedFile) -> None:
    """Free an upload, which Streamlit would hold until the visit ends."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
