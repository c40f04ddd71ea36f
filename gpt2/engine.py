"""The engine: a checkpoint bound to its compiled graphs, running prompts and recording everything."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from max.driver import Buffer
from max.engine import InferenceSession
from numpy.typing import NDArray

from . import compiled
from .cache import KVCache
from .captures import Captures
from .config import GPT2Config
from .devices import DeviceCache, OnDevice, device_of, session_on
from .hooks import GRAPH_KINDS, output_names
from .interventions import Interventions, LayerInputs
from .prompt import encode_prompt
from .recompute import Recomputed
from .run import Run
from .sampling import Sampling
from .timing import Clock
from .trace import Step, Trace
from .turns import WORK, Turns
from .weights import Checkpoint

Array = NDArray[np.float32]
SMALL_BYTES = 65_536


class Graph:
    """One compiled graph with its weights: arrays in, named outputs out. Calls may come from any thread."""

    def __init__(
        self, kind: str, config: GPT2Config, weights: Mapping[str, Array], session: InferenceSession, device: str
    ) -> None:
        """Load the graph `kind` and give it its weights.

        Raises:
            EngineError: if it has not been compiled.
        """
        self.names, self._device = output_names(kind, config.n_layer), device_of(device)
        with WORK:
            self.model = session.init(compiled.load(kind, config, device), weights_registry=weights)

    def __call__(self, *inputs: NDArray[np.generic] | Buffer, clock: Clock | None = None) -> dict[str, Buffer]:
        """Run. Inputs must be contiguous, and are read in place where the device can; outputs lie on the device."""
        clock = clock or Clock()
        buffers = [Buffer.from_dlpack(array).to(self._device) for array in inputs]
        clock.spent("capture")
        with WORK:
            outputs = self.model(*buffers)
            self._device.synchronize()
        clock.spent("model")
        return dict(zip(self.names, outputs, strict=True))


def kept(output: Buffer) -> Array:
    """An output as it is kept: a small one copied out of MAX's buffer, which is larger; a large one where it lies.

    To copy a prompt's captures would take half as long as computing them.
    """
    array = output.to_numpy()
    return array.copy() if array.nbytes < SMALL_BYTES else array


class Engine:
    """A model ready to run. It holds no state of any run, so one engine serves all of them, each in its turn."""

    def __init__(self, checkpoint: Checkpoint, device: str = "cpu") -> None:
        """Bind the checkpoint's weights to its compiled graphs on `cpu` or `gpu`.

        Raises:
            EngineError: if a graph has not been compiled; see `gpt2.compiled`.
        """
        self.checkpoint, self.config, self.tokenizer = checkpoint, checkpoint.config, checkpoint.tokenizer
        self.device, self.turns = device, Turns()
        self._session = session_on(device)
        self._graphs = {kind: self._graph(kind, checkpoint.weights) for kind in GRAPH_KINDS if kind != "layer"}
        self._layers: dict[int, Graph] = {}
        self._lock = threading.Lock()

    def _graph(self, kind: str, weights: Mapping[str, Array]) -> Graph:
        return Graph(kind, self.config, weights, self._session, self.device)

    def new_cache(self) -> KVCache:
        """An empty KV cache where this engine's graphs read it."""
        return KVCache(self.config) if self.device == "cpu" else DeviceCache(self.config, device_of(self.device))

    def prefill(
        self, ids: Sequence[int], interventions: Interventions, cache: KVCache, clock: Clock | None = None
    ) -> Captures:
        """Run a whole prompt and fill the empty cache; `clock` tells how long the model and the capture took.

        Shapes: every hook as `hooks.hook_axes` says, and `logits` [1, vocab] after the last token.
        """
        seq = len(ids)
        changes = interventions.inputs(self.config, 0, seq)
        outputs = self._graphs["prefill"](np.array(ids, np.int64), np.arange(seq), *_flat(changes), clock=clock)
        return self._remember(outputs, cache, clock)

    def decode(self, token: int, interventions: Interventions, cache: KVCache, clock: Clock | None = None) -> Captures:
        """Run one token after the positions in the cache, and add it to the cache; `clock` as in `prefill`.

        Shapes: as `prefill` with seq 1; `key` counts the cached positions and the new one.
        """
        changes = interventions.inputs(self.config, cache.length, cache.length + 1)
        past = [cache.past(layer) for layer in range(self.config.n_layer)]
        inputs = np.array([token]), np.array([cache.length]), *_flat(past), *_flat(changes)
        return self._remember(self._graphs["decode"](*inputs, clock=clock), cache, clock)

    def lens(self, rows: Array, clock: Clock | None = None) -> Array:
        """Final norm and unembedding of any rows of the residual stream.

        Shapes: [seq, d_model] -> logits [seq, vocab].
        """
        outputs = self._graphs["lens"](np.ascontiguousarray(rows, np.float32), clock=clock)
        return self._captures(outputs)["logits"]

    def layer(self, layer: int, resid_pre: Array, changes: LayerInputs, clock: Clock | None = None) -> Captures:
        """One block run again over all positions from the stream that enters it.

        `resid_pre` is the stream as `hook_resid_pre` captured it: what an intervention adds to it is in it already.

        Shapes: resid_pre [seq, d_model] -> every hook of `hooks.BLOCK_HOOKS`, by its name within the block.
        """
        with self._lock:
            if layer not in self._layers:  # bound when it is first asked for: most layers never are
                block = {
                    name.replace(f"h.{layer}.", "block."): array
                    for name, array in self.checkpoint.weights.items()
                    if name.startswith(f"h.{layer}.")
                }
                self._layers[layer] = self._graph("layer", block)
        rows = np.ascontiguousarray(resid_pre, np.float32)
        inputs = changes._replace(resid_add=np.zeros_like(rows))
        return self._captures(self._layers[layer](rows, np.arange(len(rows)), *inputs, clock=clock))

    def start(self, prompt: str, interventions: Interventions | None = None) -> Run:
        """A run that has not begun.

        Raises:
            PromptError: if the prompt cannot be run.
        """
        return Run(self, encode_prompt(prompt, self.tokenizer, self.config), interventions or Interventions())

    def run(self, prompt: str, interventions: Interventions | None = None) -> Trace:
        """One forward pass over the prompt, nothing drawn; what a long one has no room for is computed when asked for.

        Raises:
            PromptError: if the prompt cannot be run.
        """
        run = self.start(prompt, interventions)
        run.advance(None)
        return replace(run.trace, source=Recomputed().source(self, run.trace))

    def generate(
        self,
        prompt: str,
        max_new_tokens: int,
        sampling: Sampling | None = None,
        interventions: Interventions | None = None,
    ) -> Iterator[Step]:
        """Continue the prompt, one step a token; ends early where the context is full.

        Raises:
            PromptError: if the prompt cannot be run.
            SettingsError: if a setting does not fit the model.
        """
        run = self.start(prompt, interventions)
        for _ in range(max_new_tokens):
            if run.is_full:
                return
            yield run.advance(sampling or Sampling())

    def _remember(self, outputs: Mapping[str, Buffer], cache: KVCache, clock: Clock | None) -> Captures:
        """Add the new keys and values to the cache, and keep everything as this step's captures."""
        captures, layers = self._captures(outputs), range(self.config.n_layer)
        where: Mapping[str, Any] = captures if self.device == "cpu" else outputs
        k, v = ([where[f"blocks.{layer}.attn.hook_{part}"] for layer in layers] for part in "kv")
        cache.extend(k, v)
        if clock:
            clock.spent("capture")
        return captures

    def _captures(self, outputs: Mapping[str, Buffer]) -> Captures:
        """What a graph gave as captures; what an accelerator made stays there until it is looked at."""
        keep = kept if self.device == "cpu" else OnDevice
        return Captures({name: keep(output) for name, output in outputs.items()})


def _flat(groups: Sequence[Sequence[Array]]) -> list[Array]:
    return [array for group in groups for array in group]
