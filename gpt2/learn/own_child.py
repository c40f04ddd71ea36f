"""The process in which a reader's twelve files run as one GPT-2: it puts them together, and serves passes and draws.

It is started anew, never forked, and ends with the process that has started it.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpt2.errors import GPT2Error

from .child import end_group, limit
from .lesson import Array
from .messages import receive, send

START_SECONDS, CALL_SECONDS = 120.0, 30.0
AGES = 10.0**7  # of CPU time: a model that is used for days


class Server:
    """Answers one request after the other: a pass of a graph, or a draw."""

    def __init__(self, folder: Path, seconds: float) -> None:
        """Take the reader's folder, how long an answer may take, and the standard streams from the reader's code.

        What that prints goes to standard error, and it finds nothing on standard input.
        """
        self._folder, self._seconds = folder, seconds
        self._asked, self._answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)

    def tell(self, told: dict[str, Any], arrays: tuple[Array, ...] = ()) -> None:
        """Send an answer."""
        send(self._answers, told, arrays)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """End this process if the block takes longer, and tell where in the reader's files it was."""
        main = threading.get_ident()

        def end() -> None:
            from .assembly import innermost

            where = innermost(sys._current_frames().get(main), self._folder)
            self.tell(
                {"error": f"{where}your GPT-2 did not answer within {seconds:g} s: is a loop endless?", "ended": True}
            )
            end_group()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def serve(self) -> None:
        """Put the model together, then answer until nobody asks any more."""
        from gpt2.checkpoints.catalog import MINE
        from gpt2.checkpoints.hub import BUNDLED
        from gpt2.checkpoints.weights import load_checkpoint

        from .assembly import assembled, in_words

        checkpoint = load_checkpoint(BUNDLED, MINE)
        limit(AGES)
        try:
            with self.within(START_SECONDS):
                engine, same = assembled(self._folder, checkpoint)
        except GPT2Error as error:
            self.tell({"error": str(error)})
            return
        self.tell({"same": same})
        while (request := receive(self._asked)) is not None:
            told, arrays = request
            try:
                with self.within(self._seconds):
                    answer = answer_of(engine, told, arrays)
            except GPT2Error as error:
                answer = {"error": str(error)}, ()
            except BaseException as error:  # whatever a reader's code raises
                answer = {"error": in_words(error, self._folder)}, ()
            self.tell(*answer)


def answer_of(engine: Any, told: dict[str, Any], arrays: list[Array]) -> tuple[dict[str, Any], tuple[Array, ...]]:
    """A drawn token, or the outputs of a graph by name."""
    from gpt2.model.sampling import Sampling

    if "draw" in told:
        return {"token": engine.draw(arrays[0], Sampling(**told["draw"]), told["position"]).token}, ()
    outputs = engine.graph(told["graph"], told["layer"])(*arrays)
    return {"names": list(outputs)}, tuple(output.to_numpy() for output in outputs.values())


def main() -> None:
    """Serve the reader's model; the arguments are the folder, and the seconds that an answer may take."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for the process that has started it
    sys.dont_write_bytecode = True
    Server(Path(sys.argv[1]), float(sys.argv[2])).serve()
    os._exit(0)  # threads that the reader's code left behind do not matter


if __name__ == "__main__":
    main()
