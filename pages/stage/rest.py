"""The head that a lens page frames while none is locked; js/rest.js has the same rule for the Live page."""

from gpt2.trace.trace import Trace

Head = tuple[int, int]


class Rest:
    """Where the frame rests while tokens come, so that two steps can be compared.

    Attributes:
        follows: whether the visitor lets the frame follow each step's sharpest head instead.
    """

    def __init__(self) -> None:
        """Rest on no head yet."""
        self.follows = False
        self._head: Head | None = None
        self._model = ""
        self._read: tuple[int, ...] = ()

    def head(self, run: Trace, shown: int, sharpest: Head) -> Head:
        """The (layer, head) to frame: that of the first step shown of these tokens.

        Args:
            run: the whole run; another run of the same tokens rests on the same head.
            shown: how many of its tokens the shown step has read.
            sharpest: the shown step's sharpest head.
        """
        if self.follows:
            return sharpest
        if self._head is None or run.model != self._model or run.ids[: len(self._read)] != self._read:
            self._head, self._model, self._read = sharpest, run.model, run.ids[:shown]
        return self._head
