"""Running a prompt whose captures exceed the run's budget: layer by layer, each squeezed before the next one.

A whole prefill of 1,024 tokens holds some gigabytes for a moment; layer by layer it holds one layer's share.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt2.model.config import GPT2Config
from gpt2.model.hooks import BLOCK_HOOKS, stream_below
from gpt2.model.interventions import Interventions
from gpt2.trace.captures import FLOAT32_HOOKS, MLP_OUT, PATTERN, Captures, Level, Stored, Triangle
from gpt2.trace.step import NORMS, lengths, mlp_out_layers
from gpt2.trace.timing import timed

from .cache import KVCache
from .finite import check_block
from .readout import ForwardOutput

if TYPE_CHECKING:
    from .passes import ForwardPasses

Array = NDArray[np.float32]
Norms = tuple[Array, Array]
# Of a step's logit lens, in each layer: eight tokens with their probabilities, and that of the token drawn.
STEP_BYTES = 72


def whole_bytes(config: GPT2Config, seq: int) -> int:
    """Bytes that all captures of a prompt of `seq` tokens hold."""
    size = {"seq": seq, "query": seq, "key": seq, "head": config.n_head, "d_head": config.d_head}
    size |= {"d_model": config.n_embd, "d_mlp": config.n_inner}
    block = sum(int(np.prod([size[axis] for axis in axes], dtype=np.int64)) for axes in BLOCK_HOOKS.values())
    return 4 * (config.n_layer * block + seq * (3 * config.n_embd + 1) + config.vocab_size)


def squeezed_bytes(config: GPT2Config, seq: int) -> int:
    """Bytes that a prompt of `seq` tokens holds at `Level.STREAM`."""
    stream = 4 * seq * config.n_embd * (2 * config.n_layer + 3)
    return stream + config.n_layer * config.n_head * seq * (seq + 1) + 4 * config.vocab_size


def least_bytes(config: GPT2Config, seq: int) -> int:
    """About the fewest bytes that a run of `seq` positions can be squeezed to: `Level.NO_PATTERNS`, and what stays."""
    stream = 4 * seq * config.n_embd * (config.n_layer + 3)
    summaries = 4 * seq * config.n_layer * (len(NORMS) + config.n_head)
    lenses = STEP_BYTES * seq * (config.n_layer + 1)
    return stream + summaries + lenses + 4 * config.vocab_size


def read_prompt(
    engine: "ForwardPasses", ids: Sequence[int], interventions: Interventions, cache: KVCache, budget: int
) -> tuple[ForwardOutput, Norms | None]:
    """Run a prompt and fill the empty cache, in one pass if all its captures fit in `budget` bytes.

    Returns:
        The output; and the two norms of `step.Summary` if they were squeezed.
    """
    if whole_bytes(engine.config, len(ids)) <= budget:
        return engine.prefill(ids, interventions, cache), None
    level = Level.STREAM if squeezed_bytes(engine.config, len(ids)) <= budget else Level.NO_PATTERNS
    return prefill_by_layers(engine, ids, interventions, cache, level)


def prefill_by_layers(
    engine: "ForwardPasses", ids: Sequence[int], interventions: Interventions, cache: KVCache, level: Level
) -> tuple[ForwardOutput, Norms]:
    """Run a prompt and fill the empty cache.

    Returns:
        The output, its captures squeezed to `level` but always with the logits; and the two norms of `step.Summary`.
    """
    config, weights, seq = engine.config, engine.checkpoint.weights, len(ids)
    token, position = weights["wte.weight"][list(ids)], weights["wpe.weight"][:seq].copy()
    stored: dict[str, Stored] = {"hook_embed": token, "hook_pos_embed": position}
    stream = token + position  # [seq, d_model]
    norms = np.zeros((len(NORMS), config.n_layer, seq), np.float32)
    value_norms = np.zeros((config.n_layer, seq, config.n_head), np.float32)
    own_mlp_out = mlp_out_layers(interventions)
    keys, values = [], []
    for layer in range(config.n_layer):
        captures = engine.layer(layer, stream, interventions.layer_inputs(config, layer, 0, seq))
        check_block(captures, layer, interventions)
        for name in captures:
            if name == PATTERN and level < Level.NO_PATTERNS:
                stored[f"blocks.{layer}.{name}"] = Triangle.of(captures[name])
            elif name.endswith(FLOAT32_HOOKS[level]) or (name == MLP_OUT and layer in own_mlp_out):
                stored[f"blocks.{layer}.{name}"] = captures[name]
        norms[:, layer] = [lengths(captures[name]) for name in NORMS]
        value_norms[layer] = lengths(captures["attn.hook_v"])
        keys.append(captures["attn.hook_k"])
        values.append(captures["attn.hook_v"])
        stream = captures["hook_resid_post"]
    cache.extend(keys, values)
    captures = Captures(stored).squeezed(level, own_mlp_out)
    rows = [*(captures[name][-1] for name in stream_below(config.n_layer)), stream[-1]]
    with timed("model"):
        stream_logits = engine.lens(np.stack(rows))  # [layer + 1, vocab]
    return ForwardOutput(captures.with_logits(stream_logits[-1:].copy()), stream_logits), (norms, value_norms)
