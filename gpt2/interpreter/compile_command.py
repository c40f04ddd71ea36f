"""Compiling ahead of time, for the command line: a model's graphs, or all that ship with the program."""

import argparse
from itertools import chain
from typing import Any

from gpt2.checkpoints.catalog import SHIPPED
from gpt2.checkpoints.download import config_of
from gpt2.engine import compiled, compiling, devices
from gpt2.text.streams import tell

from .kernels import compile_here


def compile_graphs(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Compile the graphs that are missing; what was done, as one JSON object and as one sentence.

    Raises:
        GPT2Error: if MAX cannot compile them, or they cannot be stored.
    """
    if options.ship:
        shipped = compiling.ship([(model, config_of(model)) for model in SHIPPED])
        for what in chain(shipped, compile_here(compiled.SHIPPED)):
            tell(f"Compiling {what}.")
        return {"models": SHIPPED, "folder": str(compiled.SHIPPED)}, "The shipped graphs are up to date."
    compiling.compile_apart(config_of(options.model, tell), tell, device=devices.resolve(options.device))
    folder = str(compiled.folders()[-1])
    return {"model": options.model, "folder": folder}, f"All graphs of {options.model} are compiled."
