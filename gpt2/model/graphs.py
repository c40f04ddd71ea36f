"""The graphs that are compiled: prefill (a whole prompt), decode (one token more), lens (any rows), layer (one block).

All captures are outputs of the graph that computes them; all interventions are inputs.
"""

from typing import Any

from max.driver import CPU, Device
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.compilation import StagedGraph
from max.experimental.nn import Module
from max.experimental.tensor import Tensor, default_device, default_dtype
from max.graph import TensorType

from .attention import Past
from .block import Block
from .changes import Changes
from .config import GPT2Config
from .hooks import recording, stream_below
from .inputs import PLACES, Inputs, LayerInputs
from .layer_norm import LayerNorm
from .lm_head import LMHead
from .mask import causal_mask
from .packing import pack
from .transformer import Transformer


class Prefill(Module[..., dict[str, Tensor]]):
    """A whole prompt at once; logits for its last position only, all other rows through the lens.

    Shapes: ids, positions [seq] -> every hook, and `logits` [layer + 1, vocab] as `read_out` orders them.
    """

    def __init__(self, config: GPT2Config) -> None:
        """Make stack and head."""
        self.transformer = Transformer(config)
        self.lm_head = LMHead(config)

    def forward(self, ids: Tensor, positions: Tensor, inputs: Inputs) -> dict[str, Tensor]:
        """Run the prompt and return all captures by name."""
        with recording() as captures:
            final = self.transformer(ids, positions, None, changes_of(inputs))
        return {**captures, "logits": self.lm_head(read_out(captures, final, self.transformer))}


class Decode(Module[..., dict[str, Tensor]]):
    """One token after a past whose keys and values are in the cache.

    Shapes: ids, positions [1], past k and v [key, head, d_head] a layer -> every hook in the two blocks of `packing`,
    and `logits` [layer + 1, vocab] as `read_out` orders them.
    """

    def __init__(self, config: GPT2Config) -> None:
        """Make stack and head."""
        self.transformer = Transformer(config)
        self.lm_head = LMHead(config)

    def forward(self, ids: Tensor, positions: Tensor, past: list[Past], inputs: Inputs) -> dict[str, Tensor]:
        """Run one token and return all captures."""
        with recording() as captures:
            final = self.transformer(ids, positions, past, changes_of(inputs))
        logits = self.lm_head(read_out(captures, final, self.transformer))
        return {**pack(captures, len(past)), "logits": logits}


def read_out(captures: dict[str, Tensor], final: Tensor, transformer: Transformer) -> Tensor:
    """What the LM head reads at the newest position: the stream below each block by the logit lens, then the top.

    One product reads the unembedding for all of them: it is most of what a token has to fetch from memory.

    Shapes: final [seq, d_model] -> [layer + 1, d_model].
    """
    below = [captures[name][-1:] for name in stream_below(len(transformer.h))]
    return F.concat([transformer.ln_f(F.concat(below)), final[-1:]])


def changes_of(inputs: Inputs) -> list[Changes]:
    """The changes of every layer."""
    return [Changes.of(inputs.layer(layer)) for layer in range(int(inputs.added.shape[0]))]


class Lens(Module[[Tensor], dict[str, Tensor]]):
    """The logit lens (nostalgebraist, 2020): final norm and unembedding of any rows of the residual stream.

    Shapes: [seq, d_model] -> `logits` [seq, vocab].
    """

    def __init__(self, config: GPT2Config) -> None:
        """Make the final norm and the head, which share their weights with the stack's."""
        self.ln_f = LayerNorm(config, "ln_final")
        self.lm_head = LMHead(config)

    def forward(self, rows: Tensor) -> dict[str, Tensor]:
        """Read each row as if it were the top of the stack."""
        return {"logits": self.lm_head(self.ln_f(rows))}


class Layer(Module[..., dict[str, Tensor]]):
    """One block alone, over all positions at once: it recomputes what a run dropped of a layer.

    The graph is the same for every layer; only the weights that it is given differ.

    Shapes: stream [seq, d_model], positions [seq] -> every hook of `hooks.BLOCK_HOOKS`.
    """

    def __init__(self, config: GPT2Config) -> None:
        """Make the block; its hooks are named as those of layer 0."""
        self.block = Block(config, 0)

    def forward(self, stream: Tensor, positions: Tensor, inputs: LayerInputs) -> dict[str, Tensor]:
        """Run the block and return its captures under their names within the block."""
        with recording() as captures:
            self.block(stream, causal_mask(positions), None, Changes.of(inputs))
        return {name.removeprefix("blocks.0."): capture for name, capture in captures.items()}


def input_types(kind: str, config: GPT2Config, device: Device) -> tuple[Any, ...]:
    """The types of the inputs of the graph `kind`: symbolic `seq` and `key`, everything else fixed."""
    seq: int | str = 1 if kind == "decode" else "seq"

    def floats(*shape: int | str) -> TensorType:
        return TensorType(DType.float32, shape, device=device)

    def whole(*shape: int | str) -> TensorType:
        return TensorType(DType.int64, shape, device=device)

    if kind == "lens":
        return (floats(seq, config.n_embd),)
    layers = [] if kind == "layer" else [config.n_layer]
    inputs = (LayerInputs if kind == "layer" else Inputs)(
        head_scale=floats(*layers, seq, config.n_head),
        stream_scale=floats(*layers, len(PLACES) - 1, seq),
        vectors=floats("vector", config.n_embd),
        added=whole(*layers, len(PLACES), seq),
    )
    if kind == "layer":
        return floats(seq, config.n_embd), whole(seq), inputs
    if kind == "prefill":
        return whole(seq), whole(seq), inputs
    cached = floats("key", config.n_head, config.d_head)
    return whole(seq), whole(seq), [Past(cached, cached) for _ in range(config.n_layer)], inputs


GRAPHS: dict[str, type[Module[..., dict[str, Tensor]]]] = {
    "prefill": Prefill,
    "decode": Decode,
    "lens": Lens,
    "layer": Layer,
}


def trace_graph(kind: str, config: GPT2Config, device: Device | None = None) -> StagedGraph[..., dict[str, Tensor]]:
    """Trace the graph `kind` without compiling it; this takes well under a second.

    On a machine with an accelerator, MAX would otherwise put parameters there, and in bfloat16.
    """
    device = device or CPU()
    with F.lazy(), default_device(device), default_dtype(DType.float32):
        module = GRAPHS[kind](config)
        return module.trace(*input_types(kind, config, device), name=kind, allow_subgraphs=False)
