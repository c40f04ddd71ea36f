"""Errors of a reader's code in plain words: which kind, what it says, and on which line of their own file it arose."""

import re
import traceback

from .lesson import Failure
from .spellings import in_max

MOST_SAID = 300

IN_WORDS = "InWords"  # the kind of a failure whose words complete a sentence that begins with the component
# Kind, part of what Python or MAX says, and that in words which help; the first that fits is taken.
PLAIN = (
    ("", "Memory allocation failed", "asks for more memory than a lesson needs."),
    ("MemoryError", "", "asks for more memory than a lesson needs."),
    ("OSError", "File too large", "prints or writes more than 1 MB; is a loop endless?"),
    ("EOFError", "", "waits for input, and a check gives none."),
    ("RecursionError", "", "calls itself without end."),
    (
        "TypeError",
        "Can't realize from a graph context",
        "needs the number in a tensor, and there is none yet: MAX only notes what to compute. Keep it a tensor, and "
        "write F.where in the place of if.",
    ),
    ("NotImplementedError", "must implement forward", "has no method forward; keep the name that the skeleton has."),
)


def failure(error: BaseException, path: str) -> Failure:
    """What is told of an error: where in the reader's own file it arose."""
    if isinstance(error, SyntaxError):
        return Failure("SyntaxError", str(error.msg), error.lineno)
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    kind, said = type(error).__name__, words(error)
    if kind == "TypeError" and said == kind and "max/experimental/tensor" in frames[-1].filename:
        said = "Can't realize from a graph context"  # `.item()` of a weight says nothing
    for one, part, plain in PLAIN:
        if one in ("", kind) and part in said:
            return Failure(IN_WORDS, plain, lines[-1] if lines else None)
    told = in_one_line(said)[:MOST_SAID]
    spelling = in_max(told, frames[-1].filename) if frames else ""
    return Failure(kind, f"{told.rstrip('.:')}. {spelling}" if spelling else told, lines[-1] if lines else None)


def words(error: BaseException) -> str:
    """What an error says; its kind if that is nothing, or an error in its turn."""
    try:
        said = str(error).strip()
        return said.partition("Diagnostics:\n")[2].strip() or said or type(error).__name__  # where MAX says the sizes
    except Exception:  # a reader's own class may fail at this
        return type(error).__name__


def in_one_line(said: str) -> str:
    """An error's first line; of an operation that MAX refuses, what is wrong with its tensors."""
    if index := re.search(r"index (-?\d+) is out of bounds for axis \d+ with size (\d+)", said):
        return f"index {index[1]} was asked for where there are only 0 to {int(index[2]) - 1}"
    said = re.sub(r"^\S*<locals>\.\w+\(\) ", "", said)  # MAX makes some functions within others: no name to tell
    if (operation := re.match(r"Failed to create op '(?:Mo(?=[A-Z]))?(\w+?)(?:Op)?'", said)) is None:
        return said.splitlines()[0]
    if kind := re.search(r"must be tensor with integer .*, (\w+)>'", said):
        return f"{operation[1]} takes whole numbers there, not {kind[1]}"
    shapes = [re.sub(r"Dim\((.*?)\)", r"\1", shape) for shape in re.findall(r"TensorValue\(.*?shape=(\[.*?\])", said)]
    return f"{operation[1]} does not fit the shape{'s' * (len(shapes) > 1)} {' and '.join(shapes)}"
