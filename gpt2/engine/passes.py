"""The forward passes of one model: its weights bound to its compiled graphs, every activation captured."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
from max.driver import Buffer
from max.engine import InferenceSession
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.errors import EngineError, PromptError
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import GRAPH_KINDS, output_names
from gpt2.model.inputs import LayerInputs
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Draw, Sampling, draw
from gpt2.model.unpacking import unpack
from gpt2.trace.block import in_one_block
from gpt2.trace.captures import Captures
from gpt2.trace.timing import timed

from . import compiled
from .awake import first_call
from .cache import KVCache
from .devices import DeviceCache, OnDevice, device_of, session_on
from .readout import ForwardOutput
from .shutdown import CALLS_IN_FLIGHT
from .turns import Turns

Array = NDArray[np.float32]


class Graph:
    """One compiled graph with its weights: arrays in, named outputs out. Calls may come from any thread."""

    def __init__(
        self, kind: str, config: GPT2Config, weights: Mapping[str, Array], session: InferenceSession, device: str
    ) -> None:
        """Load the graph `kind` and give it its weights.

        Raises:
            EngineError: if it has not been compiled, or MAX cannot load it.
        """
        self.names, self._device = output_names(kind, config.n_layer), device_of(device)
        # The lens graph is timed by its caller: as the lens, or as the end of a long prompt's forward pass.
        self._timed = nullcontext if kind == "lens" else partial(timed, "model")
        graph = compiled.load(kind, config, device)
        try:
            with CALLS_IN_FLIGHT:
                self.model = session.init(graph, weights_registry=weights)
        except (RuntimeError, ValueError) as error:  # MAX has many names for too little memory
            said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise EngineError(
                f"MAX cannot load the {kind} graph ({said}); give this process more memory, or choose another model."
            ) from None

    def __call__(self, *inputs: NDArray[np.generic] | Buffer) -> dict[str, Buffer]:
        """Run. Inputs must be contiguous, and are read in place if the device can; outputs stay on the device."""
        buffers = [Buffer.from_dlpack(array).to(self._device) for array in inputs]
        with self._timed(), CALLS_IN_FLIGHT, first_call():
            outputs = self.model.execute(*buffers)  # a plain call would first make and bind a signature
            self._device.synchronize()
        return dict(zip(self.names, outputs, strict=True))


# A graph with its weights: arrays in, named outputs out.
BoundGraph = Callable[..., dict[str, Buffer]]
# What gives the graph of a kind its weights.
GraphSource = Callable[[str, Mapping[str, Array]], BoundGraph]


class ForwardPasses:
    """A checkpoint bound to its graphs. It holds no state of any run, so it serves all runs, one at a time.

    Attributes:
        is_interpreted: whether the graphs are run operation by operation for now; see `use_compiled`.
    """

    def __init__(self, checkpoint: Checkpoint, device: str = "cpu", source: GraphSource | None = None) -> None:
        """Bind the checkpoint's weights to its compiled graphs on `cpu` or `gpu`, or to those of another source.

        Raises:
            EngineError: if a graph has not been compiled; see `gpt2.compiled`.
        """
        self.checkpoint, self.config, self.tokenizer = checkpoint, checkpoint.config, checkpoint.tokenizer
        self.device, self.turns = device, Turns()
        self._session = session_on(device)
        self._lock = threading.Lock()
        self._bind(source or self._compiled)
        self.is_interpreted = source is not None

    def use_compiled(self) -> None:
        """Go on with the compiled graphs from the next forward pass on; a run under way is not disturbed.

        Raises:
            EngineError: if a graph has not been compiled.
        """
        self._bind(self._compiled)
        self.is_interpreted = False

    def _bind(self, source: GraphSource) -> None:
        graphs = {kind: source(kind, self.checkpoint.weights) for kind in GRAPH_KINDS if kind != "layer"}
        with self._lock:
            self._graphs, self._source = graphs, source
            self._layers: dict[int, BoundGraph] = {}

    def _compiled(self, kind: str, weights: Mapping[str, Array]) -> Graph:
        return Graph(kind, self.config, weights, self._session, self.device)

    def new_cache(self) -> KVCache:
        """An empty KV cache where this engine's graphs read it."""
        return KVCache(self.config) if self.device == "cpu" else DeviceCache(self.config, device_of(self.device))

    def prefill(self, ids: Sequence[int], interventions: Interventions, cache: KVCache) -> ForwardOutput:
        """Run a whole prompt and fill the empty cache.

        Shapes: every hook as `hooks.hook_axes` says, and `logits` [1, vocab] after the last token.

        Raises:
            PromptError: if there are no ids: MAX would end the process.
        """
        if not (seq := len(ids)):
            raise PromptError("The prompt has no token ids; give at least one.")
        inputs = interventions.inputs(self.config, 0, seq)
        outputs = self._graphs["prefill"](np.array(ids, np.int64), np.arange(seq), *inputs)
        stream_logits = outputs.pop("logits").to_numpy()
        arrays = self._arrays(outputs)
        self._remember(arrays if self.device == "cpu" else outputs, cache)
        arrays["logits"] = stream_logits[-1:].copy()  # not a view, which would hold the rows of all layers
        return ForwardOutput(Captures(arrays), stream_logits)

    def decode(self, token: int, interventions: Interventions, cache: KVCache) -> ForwardOutput:
        """Run one token after the positions in the cache, and add it to the cache.

        Shapes: as `prefill` with seq 1; `key` counts the cached positions and the new one.
        """
        inputs = interventions.inputs(self.config, cache.length, cache.length + 1)
        past = [part for layer in range(self.config.n_layer) for part in cache.past(layer)]
        outputs = self._graphs["decode"](np.array([token]), np.array([cache.length]), *past, *inputs)
        vectors, squares, stream_logits = (outputs[name].to_numpy() for name in ("vectors", "squares", "logits"))
        # A copy in one block (`trace.block`): MAX's own buffers are larger than what is in them.
        block = np.concatenate([vectors, squares.ravel(), stream_logits[-1]])
        vectors, squares_flat, logits = np.split(block, np.cumsum([vectors.size, squares.size]))
        arrays = unpack(vectors, squares_flat.reshape(squares.shape), self.config)
        self._remember(arrays, cache)
        return ForwardOutput(Captures({**arrays, "logits": logits[None]}), stream_logits)

    def lens(self, rows: Array) -> Array:
        """Final norm and unembedding of any rows of the residual stream.

        Shapes: [seq, d_model] -> logits [seq, vocab].
        """
        outputs = self._graphs["lens"](np.ascontiguousarray(rows, np.float32))
        return self._captures(outputs)["logits"]

    def layer(self, layer: int, stream: Array, inputs: LayerInputs) -> Captures:
        """Run one block over all positions.

        Shapes: stream [seq, d_model] -> every hook of `hooks.BLOCK_HOOKS`, by its name within the block.
        """
        rows = np.ascontiguousarray(stream, np.float32)
        return self._captures(self.graph("layer", layer)(rows, np.arange(len(rows)), *inputs))

    def graph(self, kind: str, layer: int = 0) -> BoundGraph:
        """One graph with its weights; `layer` says with which block's, if it is a block alone."""
        with self._lock:
            if kind != "layer":
                return self._graphs[kind]
            if layer not in self._layers:  # bound on first use: most layers are never recomputed
                block = {
                    name.replace(f"h.{layer}.", "block."): array
                    for name, array in self.checkpoint.weights.items()
                    if name.startswith(f"h.{layer}.")
                }
                self._layers[layer] = self._source("layer", block)
            return self._layers[layer]

    def draw(self, logits: Array, sampling: Sampling, position: int) -> Draw:
        """Choose the token for `position`. Shapes: logits [vocab]."""
        return draw(logits, sampling, position)

    def _remember(self, arrays: Mapping[str, Any], cache: KVCache) -> None:
        """Add the new keys and values to the cache, from where they are."""
        layers = range(self.config.n_layer)
        k, v = ([arrays[f"blocks.{layer}.attn.hook_{part}"] for layer in layers] for part in "kv")
        cache.extend(k, v)

    def _captures(self, outputs: Mapping[str, Buffer]) -> Captures:
        """A graph's outputs as captures."""
        return Captures(self._arrays(outputs))

    def _arrays(self, outputs: Mapping[str, Buffer]) -> dict[str, Any]:
        """A graph's outputs as they are stored; an accelerator's stay in its memory until they are read.

        Small ones are copied out of MAX's buffers, which are larger. Large ones stay in them: to copy a prompt's
        captures would take half as long as computing them.
        """
        if self.device != "cpu":
            return {name: OnDevice(output) for name, output in outputs.items()}
        arrays = in_one_block([output.to_numpy() for output in outputs.values()])
        return dict(zip(outputs, arrays, strict=True))
