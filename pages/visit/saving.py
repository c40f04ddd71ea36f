"""A run as a file for the visitor to keep: written at the press of a button, then offered for a while."""

import threading
import time
from collections.abc import Callable
from io import BytesIO
from typing import Literal
from weakref import WeakSet

from gpt2.engine.settings import trace_budget
from gpt2.errors import GPT2Error, TraceError
from gpt2.trace.json_file import json_bytes, save_json
from gpt2.trace.trace import Trace
from pages.server.memory import collect_garbage
from pages.server.traces import TRACES, Traces

from .player import Player

Kind = Literal["npz", "json", "html"]
MIME: dict[Kind, str] = {"npz": "application/octet-stream", "json": "application/json", "html": "text/html"}
MOST_PAGE = 80_000_000  # bytes at once: its records, packed, and written as text
MOST_JSON = 50_000_000  # bytes; a run takes five times as many as JSON as it does as .npz
# Long enough to find the new button; the bytes are counted in no budget but the one below.
KEPT_SECONDS = 120
NO_ROOM = "The file of this run does not fit in what this host has left just now; try again in two minutes."
BUSY = "Other visitors are saving large runs just now; try again in two minutes."


class Saving:
    """The file of one visitor, from the press of Save until it is taken away.

    Streamlit serves a file for as long as a button for it is drawn. One that is made by the button itself, at its
    press, it forgets within a tenth of a second while anybody generates.

    Attributes: `is_asked` says that Save was pressed, and `kind` for which file; `label` says what the file holds;
    `error` says why there is none.
    """

    def __init__(self) -> None:
        """Begin without a file, counted from now on."""
        self.is_asked = False
        self.kind: Kind = "npz"
        self.data, self.label, self.error = b"", "", ""
        self._run_id, self._made_at = "", 0.0
        SAVINGS.add(self)

    def ask(self, kind: Kind = "npz") -> None:
        """Note that Save was pressed, until the file is written: a rerun may end the script in between."""
        self.is_asked, self.kind = True, kind

    def make(self, player: Player, traces: Traces = TRACES, page: Callable[[], bytes] | None = None) -> None:
        """Write the run on the stage, or tell why not; `page` makes the one that replays it."""
        self.drop()
        trace = player.trace
        self._run_id, self._made_at = trace.run_id, time.monotonic()
        try:
            if player.recipe is not None:
                raise TraceError(player.notice or "The numbers of this run were freed; press Run to replay it.")
            with ONE_AT_A_TIME:
                if bytes_beside(self) > trace_budget():
                    collect_garbage()
                    if bytes_beside(self) > trace_budget():
                        raise TraceError(BUSY)
                if traces.make_room(keep=player, needed=file_bytes(trace, self.kind)):
                    raise TraceError(NO_ROOM)
                self.data = page() if page and self.kind == "html" else trace_bytes(trace, self.kind)
            self.label = f"Download {len(trace.steps)} steps, {len(self.data) / 1e6:.1f} MB"
        except GPT2Error as error:
            self.error = str(error)
        self.is_asked = False

    def is_over(self, run_id: str) -> bool:
        """Whether to drop the file or its error: another run is on the stage, or nobody has taken it in time."""
        is_there = bool(self.data or self.error)
        return is_there and (run_id != self._run_id or time.monotonic() - self._made_at > KEPT_SECONDS)

    def drop(self) -> None:
        """Forget the file, or why there was none."""
        self.data, self.label, self.error = b"", "", ""


# Of all visitors; writing a large run takes seconds and as many bytes as the file.
SAVINGS: WeakSet[Saving] = WeakSet()
ONE_AT_A_TIME = threading.Lock()


def bytes_beside(saving: Saving) -> int:
    """Bytes of the files that other visitors have not taken yet."""
    return sum(len(other.data) for other in list(SAVINGS) if other is not saving)


def file_bytes(trace: Trace, kind: Kind) -> int:
    """How many bytes a trace's file takes at most, or about."""
    match kind:
        case "npz":
            return trace.nbytes
        case "json":
            return min(json_bytes(trace), MOST_JSON)
        case "html":
            return min(trace.nbytes, MOST_PAGE)


def trace_bytes(trace: Trace, kind: Kind = "npz") -> bytes:
    """The file of a trace.

    Raises:
        TraceError: if it would be too large.
    """
    file = BytesIO()
    if kind == "npz":
        trace.save(file)
    else:
        save_json(trace, file, MOST_JSON)
    return file.getvalue()
