"""The model's components as they stand in a run: their weights at one layer, and what the run gave to them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.trace.trace import Trace

from .lesson import OnStage

if TYPE_CHECKING:
    from gpt2.model.changes import Change, Changes

Array = NDArray[np.float32]


def weights_of(checkpoint: Checkpoint, prefix: str) -> dict[str, Array]:
    """The weights whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in checkpoint.weights.items() if name.startswith(prefix)}


def positions_of(trace: Trace) -> NDArray[np.int64]:
    """The positions of a run. Shapes: [seq]."""
    return np.arange(trace.seq)


def mask_of(trace: Trace) -> Array:
    """The causal mask. Shapes: [query, key]."""
    return np.triu(np.full((trace.seq, trace.seq), -np.inf, np.float32), 1)


def no_change(*shape: int) -> "Change":
    """A change that leaves a value as it is."""
    from gpt2.model.changes import Change

    return Change(np.ones(shape, np.float32), np.zeros(shape, np.float32))


def no_changes() -> "Changes":
    """The changes of a block in a run without interventions."""
    from gpt2.model.changes import Changes

    return Changes(resid_pre=no_change(1, 1), z=no_change(1, 1, 1), mlp_out=no_change(1, 1), resid_post=no_change(1, 1))


def normed(trace: Trace, checkpoint: Checkpoint, layer: int, norm: int) -> Array:
    """What a part of a block reads: the norm's output. Shapes: [seq, d_model]."""
    gain, shift = (checkpoint.weights[f"h.{layer}.ln_{norm}.{part}"] for part in ("weight", "bias"))
    return trace[f"blocks.{layer}.ln{norm}.hook_normalized"] * gain + shift


def mask(trace: Trace, checkpoint: Checkpoint, layer: int) -> OnStage:
    """The causal mask over the run's positions."""
    return OnStage(None, {}, (positions_of(trace),), {})


def layer_norm(trace: Trace, checkpoint: Checkpoint, layer: int) -> OnStage:
    """The first norm of a block, on the stream that enters it."""
    name = f"blocks.{layer}.ln1"
    return OnStage(
        made_with=(checkpoint.config, name),
        weights=weights_of(checkpoint, f"h.{layer}.ln_1."),
        arguments=(trace[f"blocks.{layer}.hook_resid_pre"],),
        captures={"scale": f"{name}.hook_scale", "normalized": f"{name}.hook_normalized"},
    )


def mlp(trace: Trace, checkpoint: Checkpoint, layer: int) -> OnStage:
    """The MLP of a block, on what its norm gives."""
    name = f"blocks.{layer}"
    return OnStage(
        made_with=(checkpoint.config, f"{name}.mlp"),
        weights=weights_of(checkpoint, f"h.{layer}.mlp."),
        arguments=(normed(trace, checkpoint, layer, 2),),
        captures={"pre": f"{name}.mlp.hook_pre", "post": f"{name}.mlp.hook_post", "return": f"{name}.hook_mlp_out"},
    )


def embeddings(trace: Trace, checkpoint: Checkpoint, layer: int) -> OnStage:
    """Both tables, on the run's tokens and positions."""
    return OnStage(
        made_with=(checkpoint.config,),
        weights={name: checkpoint.weights[name] for name in ("wte.weight", "wpe.weight")},
        arguments=(np.array(trace.ids[: trace.seq], np.int64), positions_of(trace)),
        captures={"token": "hook_embed", "position": "hook_pos_embed", "return": "blocks.0.hook_resid_pre"},
    )


def attention(trace: Trace, checkpoint: Checkpoint, layer: int) -> OnStage:
    """The attention of a block, over the whole run at once."""
    name = f"blocks.{layer}.attn"
    return OnStage(
        made_with=(checkpoint.config, name),
        weights=weights_of(checkpoint, f"h.{layer}.attn."),
        arguments=(normed(trace, checkpoint, layer, 1), mask_of(trace), None, no_change(1, 1, 1)),
        captures={"pattern": f"{name}.hook_pattern", **{part: f"{name}.hook_{part}" for part in "qkvz"}},
    )


def block(trace: Trace, checkpoint: Checkpoint, layer: int) -> OnStage:
    """A whole block, on the stream that enters it."""
    name = f"blocks.{layer}"
    hooks = {part: f"{name}.hook_{part}" for part in ("resid_pre", "attn_out", "resid_mid", "mlp_out")}
    return OnStage(
        made_with=(checkpoint.config, layer),
        weights=weights_of(checkpoint, f"h.{layer}."),
        arguments=(trace[hooks["resid_pre"]], mask_of(trace), None, no_changes()),
        captures={**hooks, "return": f"{name}.hook_resid_post"},
    )


def stack(trace: Trace, checkpoint: Checkpoint, layer: int) -> OnStage:
    """The whole stack, on the run's tokens and positions."""
    config = checkpoint.config
    return OnStage(
        made_with=(config,),
        weights={name: array for name, array in checkpoint.weights.items() if not name.startswith("lm_head")},
        arguments=(
            np.array(trace.ids[: trace.seq], np.int64),
            positions_of(trace),
            None,
            [no_changes() for _ in range(config.n_layer)],
        ),
        captures={"x": f"blocks.{config.n_layer - 1}.hook_resid_post"},
    )


def lm_head(trace: Trace, checkpoint: Checkpoint, layer: int) -> OnStage:
    """The head, on what the final norm gives at every position."""
    gain, shift = (checkpoint.weights[f"ln_f.{part}"] for part in ("weight", "bias"))
    return OnStage(
        made_with=(checkpoint.config,),
        weights={"weight": checkpoint.weights["lm_head.weight"]},
        arguments=(trace["ln_final.hook_normalized"] * gain + shift,),
        captures={},
    )
