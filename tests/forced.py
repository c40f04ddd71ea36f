"""Running given tokens instead of drawn ones, so that two ways of running them can be compared."""

from collections.abc import Sequence

import numpy as np

from gpt2.bench.forced_run import forced_run
from gpt2.engine.engine import Engine
from gpt2.model.interventions import Interventions
from gpt2.trace.trace import Trace


def forced(engine: Engine, ids: Sequence[int], n_prefill: int, interventions: Interventions | None = None) -> Trace:
    """The first `n_prefill` tokens in one prefill, the rest one by one through the KV cache; nothing is drawn."""
    changes = (interventions or Interventions()).resolved(engine.config, len(ids), engine.config.n_positions)
    return forced_run(engine, ids, n_prefill, changes)


def tokens(engine: Engine, length: int, seed: int = 3) -> list[int]:
    """Token ids that no text would have, the same every time."""
    return np.random.default_rng(seed).integers(engine.config.vocab_size, size=length).tolist()
