"""GPT-2 in Modular's MAX, with every activation in reach.

Read in the order of the forward pass:

`config` the sizes · `vocabulary`, `tokenizer`, `prompt` text to tokens · `embeddings` tokens and positions to vectors ·
`mask` who may look at whom · `layer_norm` · `linear` · `attention` · `mlp` · `block` the residual additions ·
`transformer` the stack · `lm_head` vectors to logits · `sampling` logits to the next token.

Around it: `hooks` what is captured, `interventions` what may be changed, `graphs` the graphs that are compiled,
`devices` where they run, `cache` keys and values kept, `turns` one pass at a time, `engine` and `run` running them,
`timing` where a step's milliseconds go, `uncached` what a token would cost without the cache, `captures`, `step` and
`trace` what a run leaves behind, `trace_file`, `trace_archive` and `trace_arrays` the same in a file, `budget` what a
long run lets go, `long_prompt` a long prompt run in little memory, `recompute` and `rows` what was let go computed
again, `report` a draw told in numbers, `lens` and `tables` the stream and the embeddings read in NumPy alone, `errors`
what a caller can put right, `catalog`, `hub`, `listing` and `weights` checkpoints, `random_checkpoint` random ones,
`download`, `fetch` and `transfer` the way from the hub, `child` processes of this code, `compiled` precompiled graphs,
`parity` the comparison with Hugging Face transformers, `bench` speed and memory beside it, `train` how the bundled
model came to be.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import EngineError

if TYPE_CHECKING:
    from .engine import Engine
    from .weights import Checkpoint

__all__ = ["bind", "load"]


def load(model: str = "bundled", progress: Callable[[str], None] | None = None, device: str = "cpu") -> "Engine":
    """A model ready to run; graphs that are not precompiled for it are compiled once, in a process of their own.

    Args:
        model: `bundled`, a short name of `catalog`, a Hugging Face id with an optional @revision, or a folder in the
            Hugging Face layout. What is not on this machine is downloaded.
        progress: told in one sentence each what is being waited for.
        device: `cpu`, `gpu`, or `auto`: a GPU where MAX can use one.

    Raises:
        CheckpointError: if the model cannot be found or is not a GPT-2.
        EngineError: if MAX cannot be imported, there is no such device, or a graph cannot be compiled.
        SettingsError: if `device` is none of the three.
    """
    from .hub import model_folder
    from .weights import load_checkpoint

    tell = progress or (lambda _: None)
    return bind(load_checkpoint(model_folder(model, tell), model), tell, device=device)


def bind(
    checkpoint: "Checkpoint",
    progress: Callable[[str], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    device: str = "cpu",
) -> "Engine":
    """A checkpoint bound to its compiled graphs; `load` in its second half. A compile ends once `stopped` is true.

    Raises:
        EngineError: if MAX cannot be imported, there is no such device, or a graph cannot be compiled.
        SettingsError: if `device` is none of `auto`, `cpu` and `gpu`.
    """
    try:
        from . import compiled, devices
        from .engine import Engine
    except ImportError as error:
        raise EngineError(
            f"MAX cannot be imported here ({error}); install it with pip install -r requirements.txt. "
            "Recorded runs still open."
        ) from None
    device = devices.resolve(device)
    compiled.compile_apart(checkpoint.config, progress or (lambda _: None), stopped, device)
    return Engine(checkpoint, device)
