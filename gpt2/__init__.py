"""GPT-2 in Modular's MAX, with every activation in reach: load a model here, and use the names that people type.

Its rooms, each importing only those before it: `errors` what a caller can meet · `model` the model itself · `text`
prompts and tokens · `checkpoints` weights from a folder or the hub · `trace` what a run leaves behind · `reading` what
is read out of it · `engine` running the model · `experiments` changing it and measuring what follows · `interpreter`
running any graph at once · `learn` the course · `bench` beside transformers · `serving` many requests at once over HTTP
· `train` how the bundled model was made.
"""

from collections.abc import Callable
from importlib import import_module
from os import PathLike, environ, fspath
from typing import TYPE_CHECKING, Any

from .errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from .checkpoints.weights import Checkpoint
    from .engine.engine import Engine
    from .experiments.ablation import ablate
    from .experiments.part import head, mlp, stream
    from .experiments.patching import patch
    from .experiments.second_run import compare
    from .experiments.steering import steer
    from .model.interventions import Addition, Interventions, Scale
    from .model.sampling import Sampling
    from .trace.trace import Trace

__all__ = [
    "Addition",
    "Interventions",
    "Sampling",
    "Scale",
    "Trace",
    "ablate",
    "bind",
    "compare",
    "head",
    "load",
    "mlp",
    "patch",
    "steer",
    "stream",
]

# NumPy's products are small here, and its threads wait for each other: with another program on one of two cores, such
# as the browser that shows the page, what takes 0.1 ms alone took 10. Read once, when NumPy is first imported.
environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Without it MAX reports to its makers, over the network, each time it starts.
environ.setdefault("MODULAR_TELEMETRY_ENABLED", "false")

# The names that people type, imported when they are first used: a trace opens without MAX.
NAMES = {
    "Trace": ".trace.trace",
    "Sampling": ".model.sampling",
    "Interventions": ".model.interventions",
    "Scale": ".model.interventions",
    "Addition": ".model.interventions",
    "ablate": ".experiments.ablation",
    "steer": ".experiments.steering",
    "patch": ".experiments.patching",
    "compare": ".experiments.second_run",
    "head": ".experiments.part",
    "mlp": ".experiments.part",
    "stream": ".experiments.part",
    "ARCHITECTURES": ".serving.architecture",  # what `max serve --custom-architectures gpt2` asks for
}


def __getattr__(name: str) -> Any:
    """One of `NAMES`."""
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(NAMES[name], __name__), name)


def load(
    model: str | PathLike[str] = "bundled",
    progress: Callable[[str], None] | None = None,
    device: str = "cpu",
    at_once: bool = False,
) -> "Engine":
    """A model ready to run; graphs that are not precompiled for it are compiled once, in a process of their own.

    Args:
        model: `bundled`, `mine` (built by a reader of the course), a short name of `catalog`, a Hugging Face id with an
            optional @revision, or a folder in the Hugging Face layout. It is downloaded if it is not on this machine.
        progress: called with one sentence on each step that takes a while.
        device: `cpu`, `gpu`, or `auto`: a GPU if MAX can use one.
        at_once: compile nothing. On a CPU a model whose graphs are not compiled runs operation by operation, slower.

    Raises:
        CheckpointError: if the model cannot be found or is not a GPT-2.
        EngineError: if MAX cannot be imported, there is no such device, or a graph cannot be compiled.
        SettingsError: if `device` is none of the three, or `GPT2_THREADS` is not a whole number from 1 up.
    """
    from .checkpoints.catalog import MINE
    from .checkpoints.download import model_folder
    from .checkpoints.hub import BUNDLED
    from .checkpoints.weights import load_checkpoint
    from .engine.settings import learn_folder

    tell, model = progress or (lambda _: None), fspath(model)
    if model == MINE:
        return bind(load_checkpoint(BUNDLED, model), tell, device=device, own_code=learn_folder())
    return bind(load_checkpoint(model_folder(model, tell), model), tell, device=device, at_once=at_once)


def bind(
    checkpoint: "Checkpoint",
    progress: Callable[[str], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    device: str = "cpu",
    threads: int | None = None,
    at_once: bool = False,
    own_code: "Path | None" = None,
) -> "Engine":
    """Bind a checkpoint to its compiled graphs: the second half of `load`. A compile ends once `stopped` is true.

    With `own_code`, a reader's folder, their code runs in a process of its own, on the CPU; nothing is compiled.
    With `at_once` nothing is compiled: until the engine's `use_compiled` is called, it runs operation by operation. The
    first model of a process decides how many threads run all: `threads`, or what `engine.settings.threads` says.

    Raises:
        EngineError: if MAX cannot be imported or has too few addresses or files, there is no such device, or a graph
            cannot be compiled.
        SettingsError: if `device` is none of `auto`, `cpu` and `gpu`, or `GPT2_THREADS` is asked for and not a whole
            number from 1 up.
    """
    from .engine.importing import check_address_space, check_open_files, importing_max

    check_open_files()
    check_address_space()
    try:
        with importing_max():
            from .engine import compiled, compiling, devices, settings
            from .engine.engine import Engine
    except ImportError as error:
        raise EngineError(
            f"MAX cannot be imported here ({error}); install it with pip install -r requirements.txt. "
            "Recorded runs still open."
        ) from None
    # Before anything else: MAX starts its threads with the first device, also to look for a GPU or to trace a graph.
    devices.start_threads(settings.threads(checkpoint.config) if threads is None else threads)
    device = devices.resolve(device)
    if own_code is not None:
        with importing_max():
            from .learn.own_model import OwnEngine

        return OwnEngine(checkpoint, own_code)
    if at_once and device == "cpu" and compiled.missing(checkpoint.config):
        with importing_max():
            from .interpreter.graph import source

        return Engine(checkpoint, device, source(checkpoint.config))
    compiling.compile_apart(checkpoint.config, progress or (lambda _: None), stopped, device)
    return Engine(checkpoint, device)
