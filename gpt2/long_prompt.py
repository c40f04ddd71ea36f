"""A prompt whose captures would not fit in the run's budget: run layer by layer, each squeezed before the next one.

A whole prefill of 1,024 tokens holds some gigabytes for a moment; this way it is one layer's share.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .cache import KVCache
from .captures import BARE, KEPT_WHOLE, PATTERN, STREAM, Captures, Part, Triangle
from .config import GPT2Config
from .hooks import BLOCK_HOOKS
from .interventions import Interventions
from .step import NORMS, lengths
from .timing import Clock

if TYPE_CHECKING:
    from .engine import Engine

Array = NDArray[np.float32]
Norms = tuple[Array, Array]


def whole_bytes(config: GPT2Config, seq: int) -> int:
    """Bytes that all captures of a prompt of `seq` tokens hold."""
    size = {"seq": seq, "query": seq, "key": seq, "head": config.n_head, "d_head": config.d_head}
    size |= {"d_model": config.n_embd, "d_mlp": config.n_inner}
    block = sum(int(np.prod([size[axis] for axis in axes], dtype=np.int64)) for axes in BLOCK_HOOKS.values())
    return 4 * (config.n_layer * block + 3 * seq * config.n_embd + config.vocab_size)


def squeezed_bytes(config: GPT2Config, seq: int) -> int:
    """Bytes that a prompt of `seq` tokens holds at the level STREAM."""
    stream = 4 * seq * config.n_embd * (2 * config.n_layer + 3)
    return stream + config.n_layer * config.n_head * seq * (seq + 1) + 4 * config.vocab_size


def read_prompt(
    engine: "Engine", ids: Sequence[int], interventions: Interventions, cache: KVCache, budget: int, clock: Clock
) -> tuple[Mapping[str, Array], Norms | None]:
    """Run a prompt and fill the empty cache, in one pass where all its captures fit in `budget` bytes.

    Returns:
        The captures; and the two norms of `step.Summary` where they were squeezed.
    """
    if whole_bytes(engine.config, len(ids)) <= budget:
        return engine.prefill(ids, interventions, cache, clock), None
    level = STREAM if squeezed_bytes(engine.config, len(ids)) <= budget else BARE
    return prefill_by_layers(engine, ids, interventions, cache, clock, level)


def prefill_by_layers(
    engine: "Engine", ids: Sequence[int], interventions: Interventions, cache: KVCache, clock: Clock, level: int
) -> tuple[Captures, Norms]:
    """Run a prompt and fill the empty cache.

    Returns:
        The captures squeezed to `level`, and the two norms of `step.Summary`; with the logits in any case.
    """
    config, weights, seq = engine.config, engine.checkpoint.weights, len(ids)
    changes = interventions.inputs(config, 0, seq)
    token, position = weights["wte.weight"][list(ids)], weights["wpe.weight"][:seq].copy()
    stored: dict[str, Part] = {"hook_embed": token, "hook_pos_embed": position}
    stream = token + position  # [seq, d_model]
    norms = np.zeros((len(NORMS), config.n_layer, seq), np.float32)
    value_norms = np.zeros((config.n_layer, seq, config.n_head), np.float32)
    keys, values = [], []
    for layer, change in enumerate(changes):
        captures = engine.layer(layer, stream + change.resid_add, change, clock)
        for name in captures:
            if name == PATTERN and level < BARE:
                stored[f"blocks.{layer}.{name}"] = Triangle.of(captures[name])
            elif name.endswith(KEPT_WHOLE[level]):
                stored[f"blocks.{layer}.{name}"] = captures[name]
        norms[:, layer] = [lengths(captures[name]) for name in NORMS]
        value_norms[layer] = lengths(captures["attn.hook_v"])
        keys.append(captures["attn.hook_k"])
        values.append(captures["attn.hook_v"])
        stream = captures["hook_resid_post"]
    cache.extend(keys, values)
    logits = engine.lens(stream[-1:], clock)
    return Captures(stored).squeezed(level).having("logits", logits), (norms, value_norms)
