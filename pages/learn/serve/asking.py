"""One prompt sent to a server, alone and eight times at once, in threads. It never calls Streamlit."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt2.engine.greedy import greedy_tokens
from gpt2.engine.turns import Withdrawn
from gpt2.errors import GPT2Error
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace

from .answers import AT_ONCE, Answer, Answers
from .client import START, ServerError, ask, served_model

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

NOT_LOADED = "The model that made this run is not loaded; press Run to make a run with it, then ask the server."
NOT_BEGUN = "The run on the stage has not begun; press Run or Play, then ask the server."
FULL = "The prompt fills the model's context, so no token can come after it; run a shorter prompt."
MOST_SECONDS = 180.0  # for one answer
LAST_SEED = 2**63 - 2
# Numbers are worth something only if nobody else asks: one visitor at a time.
ONE_AT_A_TIME = threading.Lock()


class Asking:
    """The answers to the prompt of one run: first the engine's own, then the server's alone, then eight at once.

    Attributes:
        run_id: the run whose prompt is sent.
        answers: what has come so far; it is replaced, and never changed.
        doing: what is under way, in a few words.
        error: why it ended before its time, in one sentence; empty if it did not.
    """

    def __init__(
        self, trace: Trace, engine: "Engine | None", url: str, tokens: int, sampling: Sampling | None = None
    ) -> None:
        """Begin, and return at once; without `sampling` every token is the most likely one."""
        config, ids = trace.config, trace.prompt_ids
        self.run_id, self.doing = trace.run_id, "Waiting for another visitor's turn at the server"
        most = min(tokens, config.n_positions - len(ids))
        self.answers = Answers(trace.model, config.n_layer, config.n_embd, len(ids), most, sampling is None)
        self.error = NOT_LOADED if engine is None else NOT_BEGUN if not ids else FULL if most < 1 else ""
        self._turns, self._stop = (None if engine is None else engine.turns), threading.Event()
        self._lock, self._url = threading.Lock(), url
        # The threads alone hold the engine: what is over must not keep a model in memory.
        self._thread = threading.Thread(target=self._work, args=(engine, ids, sampling), name="ask", daemon=True)
        if not self.error:
            self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether answers still come."""
        return self._thread.is_alive() and not self._stop.is_set()

    @property
    def is_whole(self) -> bool:
        """Whether all answers have come to their end."""
        return not self.is_running and not self.error and all(one.is_over for one in self.answers.among)

    def stop(self) -> None:
        """Ask no more; a piece that is being waited for is the last, and is not kept."""
        if self._turns is not None:
            self._turns.withdraw(self._stop)

    def wait(self, seconds: float) -> None:
        """Return once it has ended, or after so many seconds."""
        self._thread.join(seconds)

    def _work(self, engine: "Engine", ids: tuple[int, ...], sampling: Sampling | None) -> None:
        try:
            while not ONE_AT_A_TIME.acquire(timeout=0.2):
                if self._stop.is_set():
                    return
            try:
                self._answer(engine, ids, sampling)
            finally:
                ONE_AT_A_TIME.release()
        except Withdrawn:
            pass
        except (GPT2Error, ServerError) as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"Asking stopped ({type(error).__name__}: {error}); press the button to start anew.")

    def _answer(self, engine: "Engine", ids: tuple[int, ...], sampling: Sampling | None) -> None:
        self.doing = "Asking the server for its model"
        name = served_model(self._url)
        check_same(name, self.answers.model, self._url)
        self.doing = "The engine writes its own text"
        self._write_own(engine, ids)
        seeds = sampling.seed if sampling else 0
        asked = [
            {"model": name, "prompt": list(ids), "max_tokens": self.answers.asked, **settings(sampling, seeds + at)}
            for at in range(AT_ONCE)
        ]
        self.doing = "The server answers one request"
        self._ask_all(asked[:1], is_alone=True)
        self.doing = f"The server answers {AT_ONCE} requests at once"
        self._ask_all(asked, is_alone=False)

    def _write_own(self, engine: "Engine", ids: Sequence[int]) -> None:
        since, made, first = time.monotonic(), [], None
        for token in greedy_tokens(engine, ids, self.answers.asked, self._stop):
            made.append(token)
            seconds = time.monotonic() - since
            first = seconds * 1e3 if first is None else first
            text = engine.tokenizer.vocabulary.text(made)
            self._keep(own=Answer(text, len(made), first, seconds))
        self._keep(own=replace(self.answers.own, is_over=True))

    def _ask_all(self, asked: Sequence[dict[str, Any]], is_alone: bool) -> None:
        """Send requests at once, and return when all answers are over, or one has failed."""
        since = time.monotonic()
        threads = [
            threading.Thread(target=self._ask, args=(at, request, since, is_alone), name="ask one", daemon=True)
            for at, request in enumerate(asked)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._stop.is_set():
            raise Withdrawn

    def _ask(self, at: int, request: dict[str, Any], since: float, is_alone: bool) -> None:
        answer = Answer()
        try:
            for piece in ask(self._url, request, self._stop, MOST_SECONDS):
                seconds = time.monotonic() - since
                if piece.tokens is not None:
                    answer = replace(answer, tokens=piece.tokens, is_over=True)
                elif piece.text:
                    first = seconds * 1e3 if answer.first_ms is None else answer.first_ms
                    answer = Answer(answer.text + piece.text, answer.tokens + 1, first, seconds)
                self._put(at, answer, is_alone)
        except ServerError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"Asking stopped ({type(error).__name__}: {error}); press the button to start anew.")

    def _put(self, at: int, answer: Answer, is_alone: bool) -> None:
        with self._lock:
            among = self.answers.among
            changed = {"alone": answer} if is_alone else {"among": (*among[:at], answer, *among[at + 1 :])}
            self.answers = replace(self.answers, **changed)

    def _keep(self, own: Answer) -> None:
        with self._lock:
            self.answers = replace(self.answers, own=own)

    def _fail(self, sentence: str) -> None:
        """Keep the first reason, and end all that is under way."""
        with self._lock:
            self.error = self.error or sentence
        self.stop()


def check_same(served: str, model: str, url: str) -> None:
    """Refuse a server of another model than the run's.

    Raises:
        ServerError: if it has another.
    """
    if served not in (model, Path(model).name):
        raise ServerError(
            f"The server at {url} has {served[:80]}, but {model} made the run on the stage; {START} with --model, or "
            "make a run with the server's model."
        )


def settings(sampling: Sampling | None, seed: int) -> dict[str, Any]:
    """How a request says how its tokens are chosen."""
    if sampling is None or sampling.temperature == 0:
        return {"temperature": 0}
    told = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": seed % LAST_SEED}
    return told | ({"top_k": sampling.top_k} if sampling.top_k else {})
