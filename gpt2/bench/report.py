"""`python -m gpt2 bench`: how fast a model runs here beside transformers, and how it serves many visitors at once.

Modules: `subject` (the model), `machine`, `timing`, `sides` (both programs behind one interface), `comparison` (one
beside the other), `first_token` (the cold start), `visitors` (many runs at once), `served` (the model as an endpoint),
`table` (the results as text).
"""

from collections.abc import Sequence
from typing import Any

from gpt2.errors import SettingsError

from .subject import Tell, compile_first, subject

DEFAULT_TOKENS = 32


def report(
    model: str,
    tell: Tell,
    *,
    lengths: Sequence[int] | None = None,
    quick: bool = False,
    visitors: int | None = None,
    runs: int | None = None,
    tokens: int | None = None,
    serve: bool = False,
    beside: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure a model; compile its graphs first if they are missing.

    Args:
        model: `bundled`, a stored Hugging Face id or folder, or a short name of `catalog.KNOWN`, which is measured with
            random weights if its own are not stored.
        tell: called with one sentence before each measurement.
        lengths: context lengths in tokens; by default, those of 100, 400 and 900 that fit.
        quick: measure with few repetitions.
        visitors: measure runs at once instead, this many at a time.
        runs: measure this many runs in all; without `visitors`, one at a time.
        tokens: the number of tokens of each of those runs; 32 if not given.
        serve: measure `python -m gpt2 serve` instead, beside the engine's own turns.
        beside: other servers to be asked with it, each as `http://127.0.0.1:9000/v1=name`.

    Raises:
        CheckpointError: if there is no such model.
        EngineError: if it cannot be run here.
        SettingsError: if a number is out of its range, or belongs to the other measurement.
    """
    from gpt2 import bind
    from gpt2.checkpoints.weights import load_checkpoint

    from . import served
    from .comparison import checked_lengths, compare
    from .machine import machine, versions
    from .visitors import check, receive

    at_once = visitors is not None or runs is not None
    others = [served.beside(text) for text in beside]
    if others and not serve:
        raise SettingsError("--beside names servers to be asked with --serve; give that too.")
    if serve and (at_once or lengths is not None or quick or tokens is not None):
        raise SettingsError("--serve is a measurement of its own; leave out all others' settings.")
    if at_once and (lengths is not None or quick):
        raise SettingsError("--lengths and --quick belong to the comparison; leave out --visitors and --runs for it.")
    if not at_once and tokens is not None:
        raise SettingsError("--tokens sets the length of visitors' runs; give --visitors too.")
    n_visitors, n_tokens = 1 if visitors is None else visitors, DEFAULT_TOKENS if tokens is None else tokens
    check(n_visitors, runs, n_tokens)
    with subject(model, tell) as measured:
        fitting = checked_lengths(lengths, measured.config)
        found: dict[str, Any] = {
            "model": measured.to_dict(),
            "machine": machine(),
            "versions": versions(),
            "compile_s": compile_first(measured.config, tell),
        }

        def load() -> Any:
            tell("Loading the model.")
            return bind(load_checkpoint(measured.folder, measured.name), tell)

        if serve:
            return found | {"serve": served.measure(str(measured.folder), load(), others, tell)}
        if at_once:
            return found | {"visitors": receive(load(), n_visitors, runs, n_tokens, tell)}
        return found | compare(measured, load, fitting, quick, tell)
