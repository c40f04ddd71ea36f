"""Hook points: the named places of the forward pass, with their axes.

The names are TransformerLens's, with the meaning that they have in its version 4: `hook_normalized` is a norm's vector
before gain and bias, `hook_scale` is what it was divided by.

A component applies its hook points inline: ``q = self.hook_q(q)``. A hook point gives back what it was given; while
a graph is being traced it also records it, and the recorded tensors become outputs of the graph.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# Said in saved files: up to TransformerLens 2, `hook_normalized` was a norm's output.
ACTIVATIONS = "TransformerLens 4"

# Every axis name, defined once. `query` and `key` are both positions of the prompt.
AXES = {
    "layer": "blocks, from the bottom",
    "head": "attention heads of one block",
    "query": "the positions that look",
    "key": "the positions that are looked at",
    "seq": "positions of the prompt",
    "d_head": "width of one head",
    "d_model": "width of the residual stream (n_embd)",
    "d_mlp": "width of the MLP's middle (n_inner)",
    "vocab": "the vocabulary",
}

POSITION = ("seq",)
STREAM = ("seq", "d_model")
PER_HEAD = ("seq", "head", "d_head")
SQUARE = ("head", "query", "key")
MIDDLE = ("seq", "d_mlp")

# The hook points of one block, in the order of the forward pass, and their axes.
BLOCK_HOOKS: dict[str, tuple[str, ...]] = {
    "hook_resid_pre": STREAM,
    "ln1.hook_scale": POSITION,
    "ln1.hook_normalized": STREAM,
    "attn.hook_q": PER_HEAD,
    "attn.hook_k": PER_HEAD,
    "attn.hook_v": PER_HEAD,
    "attn.hook_attn_scores": SQUARE,
    "attn.hook_pattern": SQUARE,
    "attn.hook_z": PER_HEAD,
    "hook_attn_out": STREAM,
    "hook_resid_mid": STREAM,
    "ln2.hook_scale": POSITION,
    "ln2.hook_normalized": STREAM,
    "mlp.hook_pre": MIDDLE,
    "mlp.hook_post": MIDDLE,
    "hook_mlp_out": STREAM,
    "hook_resid_post": STREAM,
}

_recording: ContextVar[dict[str, Any] | None] = ContextVar("recording", default=None)


def hook_axes(n_layer: int) -> dict[str, tuple[str, ...]]:
    """Every hook name of a model with `n_layer` blocks, in the order of the forward pass, with its axes."""
    blocks = {f"blocks.{layer}.{name}": axes for layer in range(n_layer) for name, axes in BLOCK_HOOKS.items()}
    final = {"ln_final.hook_scale": POSITION, "ln_final.hook_normalized": STREAM}
    return {"hook_embed": STREAM, "hook_pos_embed": STREAM, **blocks, **final}


def stream_below(n_layer: int) -> list[str]:
    """The residual stream before the first block and between any two: what the logit lens reads below the top."""
    return ["blocks.0.hook_resid_pre", *(f"blocks.{layer}.hook_resid_post" for layer in range(n_layer - 1))]


# The graphs that are compiled; see `graphs`.
GRAPH_KINDS = ("prefill", "decode", "lens", "layer")


def output_names(kind: str, n_layer: int) -> list[str]:
    """The outputs of the graph `kind` in their order: MAX sorts what a graph returns by name."""
    if kind == "layer":
        return sorted(BLOCK_HOOKS)
    if kind == "decode":
        return ["logits", "squares", "vectors"]
    return ["logits"] if kind == "lens" else sorted([*hook_axes(n_layer), "logits"])


@contextmanager
def recording() -> Iterator[dict[str, Any]]:
    """Collect what hook points see, by name, while the block runs."""
    recorded: dict[str, Any] = {}
    token = _recording.set(recorded)
    try:
        yield recorded
    finally:
        _recording.reset(token)


class HookPoint:
    """One named place in the forward pass; it may record what passes, and never changes it."""

    def __init__(self, name: str, axes: tuple[str, ...]) -> None:
        """Name the place in full, such as `blocks.3.attn.hook_q`, and declare the axes of what passes."""
        self.name, self.axes = name, axes

    def __call__(self, value: Any) -> Any:
        """Give back `value`, recording it under this hook point's name if a recording is on."""
        recorded = _recording.get()
        if recorded is not None:
            recorded[self.name] = value
        return value

    def __repr__(self) -> str:
        """Name and axes, as a learner would write them."""
        return f"{self.name} [{', '.join(self.axes)}]"
