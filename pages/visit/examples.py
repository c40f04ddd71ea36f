"""Prompts that each show something, and the recorded runs that ship with the program."""

from functools import cache
from pathlib import Path

from gpt2.trace.trace import Trace
from pages.stage.snapshot import Example

RUNS = Path(__file__).parents[2] / "gpt2" / "bundled" / "runs"

EXAMPLES = (
    Example("A tale begins", "Once upon a time", "how sure the model is of a phrase it has read a thousand times"),
    Example(
        "A name comes back",
        'The fox said to the hen, "Come with me." But the hen said to the',
        "copying from earlier text",
    ),
    Example(
        "Over and over",
        "Hop, skip and jump! Hop, skip and jump! Hop,",
        "heads of layer 5 that look for what followed last time",
    ),
    Example("Someone speaks", '"Who are you?" asked the', "a choice between many who could have asked"),
    Example("Verse and line breaks", "Fly, little bird,\nFly to the sea,\n", "line breaks as tokens of their own"),
    Example("A word cut in two", "The king put on his cr", "how the missing half of a word is guessed"),
)

# The recorded runs by file name, with the title under which they are opened.
RECORDED = {"once": "A tale begins", "again": "Over and over"}
FIRST_RUN = "once"  # what a visit begins with


@cache
def recorded_run(name: str) -> Trace:
    """One of the recorded runs that ship with the program.

    Raises:
        TraceError: if the file is missing or damaged.
    """
    return Trace.load(RUNS / f"{name}.npz")
