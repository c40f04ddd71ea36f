"""Running given tokens instead of drawn ones, so that two ways of running them can be compared."""

from collections.abc import Sequence

import numpy as np

from gpt2.engine.engine import Engine
from gpt2.model.interventions import Interventions
from gpt2.trace.trace import Step, Trace


def forced(engine: Engine, ids: Sequence[int], n_prefill: int, interventions: Interventions | None = None) -> Trace:
    """The first `n_prefill` tokens in one prefill, the rest one by one through the KV cache; nothing is drawn."""
    changes, cache = interventions or Interventions(), engine.new_cache()
    trace = Trace(engine.checkpoint.name, engine.config, engine.tokenizer.vocabulary)
    trace = trace.append(Step(tuple(ids[:n_prefill]), 0, engine.prefill(ids[:n_prefill], changes, cache), None, 0.0))
    for token in ids[n_prefill:]:
        trace = trace.append(Step((token,), trace.seq, engine.decode(token, changes, cache), None, 0.0))
    return trace


def tokens(engine: Engine, length: int, seed: int = 3) -> list[int]:
    """Token ids that no text would have, the same every time."""
    return np.random.default_rng(seed).integers(engine.config.vocab_size, size=length).tolist()
