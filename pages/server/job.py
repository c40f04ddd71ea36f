"""One model being loaded: fetched, read and bound in a thread, for all visitors who wait for it."""

import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import gpt2
from gpt2.checkpoints.catalog import MINE
from gpt2.checkpoints.download import Transfer, obtain
from gpt2.checkpoints.hub import Place, locate
from gpt2.checkpoints.weights import Checkpoint, load_checkpoint
from gpt2.engine.importing import importing_max
from gpt2.engine.settings import default_threads
from gpt2.errors import GPT2Error, SettingsError
from gpt2.model.config import GPT2Config
from gpt2.reading.tables import Tables
from gpt2.trace.trace import Trace

from .capacity import capacity
from .first_look import FIRST_LOOK
from .host import NOT_AT_HOME, device, learn_folder
from .limits import limits
from .memory import collect_garbage

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

Phase = Literal["checking", "downloading", "reading", "compiling", "ready", "failed", "cancelled"]
ENDED = ("ready", "failed", "cancelled")
PATIENCE_SECONDS = 2.0
REST_SECONDS = 1.0


class ModelJob:
    """The loading of one model, and the loaded model.

    Attributes:
        name: as `hub.locate` takes it.
        phase, message: the progress in one word and in one sentence.
        progress: from 0 to 1, or None if it is unknown.
        error: the reason of a failure, in one sentence that says what to do.
        checkpoint, tables: available once the weights have been read; held in memory, so the files may change later.
        engine: available once the model is ready.
        unfused: while the engine runs operation by operation, the progress of compiling its graphs, in one sentence,
            or why that failed; empty otherwise.
        seconds: how long "downloading", "reading", "compiling" and "binding" (giving the graphs their weights) took,
            if they were needed.
    """

    def __init__(self, name: str, reserve: Callable[["ModelJob", GPT2Config], None], folders: bool = True) -> None:
        """Prepare to load; `reserve` gets the config before weights are fetched or read, and may refuse it.

        Without `folders`, the name is one on the hub even if a folder of this machine has the same name.
        """
        self.name, self._reserve, self._folders = name, reserve, folders
        self.phase: Phase = "checking"
        self.message, self.error = "Looking up the model.", ""
        self.progress: float | None = None
        self.config: GPT2Config | None = None
        self.checkpoint: Checkpoint | None = None
        self.tables: Tables | None = None
        self.engine: Engine | None = None
        self.unfused = ""
        self.seconds: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._cancelled, self._has_ended, self._was_read_first = threading.Event(), threading.Event(), False
        self._thread = threading.Thread(target=self._load, name=f"load {name}", daemon=True)

    def start(self, place: Place | None = None) -> None:
        """Load in a thread; with `place`, the checkpoint in it is read first, before this returns.

        Raises:
            CheckpointError: if that checkpoint cannot be read.
        """
        self._was_read_first = place is not None
        if place is not None:
            self._read(place)
        self._thread.start()

    def cancel(self) -> None:
        """End the loading within a second, in any phase; downloads and compiled graphs so far are kept."""
        self._cancelled.set()

    def wait(self, seconds: float) -> None:
        """Return once the thread has ended, or after so many seconds."""
        self._thread.join(seconds)

    def wait_ready(self) -> "Engine | None":
        """The engine, for which whoever asks as it is about to be ready waits; None if it takes longer, or failed."""
        if self.is_loading and self.phase != "downloading":
            self._has_ended.wait(PATIENCE_SECONDS)
        return self.engine

    @property
    def is_loading(self) -> bool:
        """Whether the model is still being loaded."""
        return self.phase not in ENDED

    @property
    def has_failed(self) -> bool:
        """Whether the loading ended without an engine."""
        return self.phase in ("failed", "cancelled")

    def matches(self, trace: Trace) -> bool:
        """Whether these weights may have made this trace: the sizes and the embeddings of its tokens agree.

        Another model may have the same sizes and other weights. One that was trained further with frozen embeddings
        matches too: so ask the model that has the run's name first.
        """
        if self.checkpoint is None or self.tables is None or trace.config != self.checkpoint.config:
            return False
        return not trace.steps or self.tables.hold(trace.prompt_ids, trace.steps[0].captures["hook_embed"])

    def _load(self) -> None:
        try:
            if self.checkpoint is None:
                self._read(self._fetched())
            assert self.checkpoint is not None
            self._go_on("compiling", "Loading the model.")
            FIRST_LOOK.wait()
            self._time("binding")
            threads = limits().threads or default_threads(self.checkpoint.config)
            stopped, own = self._cancelled.is_set, self._own_code()
            self.engine = gpt2.bind(self.checkpoint, self._tell, stopped, device(), threads, at_once=True, own_code=own)
            self._time("binding")
            self.seconds["binding"] -= self.seconds.get("compiling", 0.0)
            self._go_on("ready", "")
            self._has_ended.set()
        except GPT2Error as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"The model could not be loaded ({type(error).__name__}: {error}); choose it again to retry.")
        else:
            later = threading.Timer(REST_SECONDS, settle_in, (self.name, self.checkpoint.config))
            later.name, later.daemon = f"settle in {self.name}", True
            later.start()
            if self.engine.is_interpreted and self.name != MINE:
                self._compile(self.engine)

    def _compile(self, engine: "Engine") -> None:
        """Compile the graphs of a model that is in use already; if that fails, it stays as it is."""
        with importing_max():
            from gpt2.engine.compiling import compile_apart

        self._follow_compile("Its graphs are about to be compiled.")
        try:
            compile_apart(engine.config, self._follow_compile, self._cancelled.is_set)
            engine.use_compiled()
            self._follow_compile("")
        except GPT2Error as error:
            self.unfused = str(error)

    def _follow_compile(self, sentence: str) -> None:
        self.unfused = sentence
        self._time("compiling")

    def _own_code(self) -> Path | None:
        """The folder with the code that runs this model, if it is one that a reader of the course has built.

        Raises:
            SettingsError: if it is, and this app does not run on the reader's own machine.
        """
        if self.name != MINE:
            return None
        if (folder := learn_folder()) is None:
            raise SettingsError(NOT_AT_HOME)
        return folder

    def _fetched(self) -> Place:
        place = locate(self.name, self._folders)
        if place.folder is None or place.may_lack:
            obtain(place, self._follow, self._cancelled.is_set, lambda config: self._reserve(self, config))
            place = locate(self.name, self._folders)
        return place

    def _read(self, place: Place) -> None:
        assert place.folder is not None
        self._go_on("reading", "Reading the weights.")
        self._time("reading")
        if self.config is None:
            self._reserve(self, GPT2Config.from_file(place.folder / "config.json"))
        checkpoint = load_checkpoint(place.folder, self.name)
        self.tables = Tables(checkpoint.weights["wte.weight"], checkpoint.weights["wpe.weight"])
        self.checkpoint = checkpoint
        self._time("reading")

    def _follow(self, transfer: Transfer) -> None:
        self.phase, self.progress, self.message = "downloading", transfer.share, transfer.figures
        self._time("downloading")

    def _tell(self, sentence: str) -> None:
        """Take the progress of compiling, once a second; not called if nothing needs compiling."""
        self.message = sentence
        self._time("compiling")

    def _time(self, what: str) -> None:
        """Note the seconds since the first call for this part."""
        now = time.monotonic()
        self.seconds[what] = now - self._since.setdefault(what, now)

    def _go_on(self, phase: Phase, message: str) -> None:
        """Enter the next phase.

        Raises:
            GPT2Error: if the loading was cancelled.
        """
        if self._cancelled.is_set():
            raise GPT2Error("Loading the model was cancelled; choose it again to continue.")
        self.message, self.progress, self.phase = message, None, phase

    def _fail(self, sentence: str) -> None:
        """Store the reason and free the weights, except those that `start` has read: they serve recorded runs."""
        self.engine = None
        if not self._was_read_first:
            self.config = self.checkpoint = self.tables = None
        self.error, self.message, self.progress = sentence, "", None
        self.phase = "cancelled" if self._cancelled.is_set() else "failed"
        self._has_ended.set()


def settle_in(name: str, config: GPT2Config) -> None:
    """What can wait for the first tokens of whoever waited for this model."""
    collect_garbage()  # the model stays for long: freeze it, so that later collections skip it
    # Lens pages draw with Altair: import it now, so that the first page need not wait; pandas takes 80 MB more.
    import_module("altair")
    print(capacity(name, config), file=sys.stderr, flush=True)
