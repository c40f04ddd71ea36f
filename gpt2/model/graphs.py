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
from .config import GPT2Config
from .hooks import recording
from .interventions import LayerInputs
from .layer_norm import LayerNorm
from .lm_head import LMHead
from .mask import causal_mask
from .transformer import Transformer


class Prefill(Module[..., dict[str, Tensor]]):
    """A whole prompt at once; logits only for its last position, all other rows through the lens.

    Shapes: ids, positions [seq] -> every hook, and `logits` [1, vocab].
    """

    def __init__(self, config: GPT2Config) -> None:
        """Make stack and head."""
        self.transformer = Transformer(config)
        self.lm_head = LMHead(config)

    def forward(self, ids: Tensor, positions: Tensor, changes: list[LayerInputs]) -> dict[str, Tensor]:
        """Run the prompt and return all captures by name."""
        with recording() as captures:
            final = self.transformer(ids, positions, None, changes)
        return {**captures, "logits": self.lm_head(final[-1:])}


class Decode(Module[..., dict[str, Tensor]]):
    """One token after a past whose keys and values are in the cache.

    Shapes: ids, positions [1], past k and v [key, head, d_head] a layer -> every hook, and `logits` [1, vocab].
    """

    def __init__(self, config: GPT2Config) -> None:
        """Make stack and head."""
        self.transformer = Transformer(config)
        self.lm_head = LMHead(config)

    def forward(
        self, ids: Tensor, positions: Tensor, past: list[Past], changes: list[LayerInputs]
    ) -> dict[str, Tensor]:
        """Run one token and return all captures by name."""
        with recording() as captures:
            final = self.transformer(ids, positions, past, changes)
        return {**captures, "logits": self.lm_head(final)}


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

    Shapes: resid_pre [seq, d_model], positions [seq] -> every hook of `hooks.BLOCK_HOOKS`.
    """

    def __init__(self, config: GPT2Config) -> None:
        """Make the block; its hooks are named as those of layer 0."""
        self.block = Block(config, 0)

    def forward(self, resid_pre: Tensor, positions: Tensor, changes: LayerInputs) -> dict[str, Tensor]:
        """Run the block and return its captures under their names within the block."""
        with recording() as captures:
            self.block(resid_pre, causal_mask(positions), None, changes)
        return {name.removeprefix("blocks.0."): capture for name, capture in captures.items()}


def input_types(kind: str, config: GPT2Config, device: Device) -> tuple[Any, ...]:
    """The types of the inputs of the graph `kind`: symbolic `seq` and `key`, everything else fixed."""
    seq: int | str = 1 if kind == "decode" else "seq"

    def floats(*shape: int | str) -> TensorType:
        return TensorType(DType.float32, shape, device=device)

    if kind == "lens":
        return (floats(seq, config.n_embd),)
    ids = TensorType(DType.int64, [seq], device=device)
    change = LayerInputs(floats(seq, config.n_head), floats(seq), floats(seq, config.n_embd))
    if kind == "layer":
        return floats(seq, config.n_embd), ids, change
    changes = [change] * config.n_layer
    if kind == "prefill":
        return ids, ids, changes
    cached = floats("key", config.n_head, config.d_head)
    return ids, ids, [Past(cached, cached) for _ in range(config.n_layer)], changes


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
