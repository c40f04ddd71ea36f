"""Random tokens, said twice, and what each head does while the model reads them: a measure of the model alone."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from gpt2.model.config import GPT2Config
from gpt2.reading.roles import HeadRoles, roles_in_repeats
from gpt2.trace.trace import Trace

if TYPE_CHECKING:
    from .engine import Engine

SEED, RUNS, LENGTH = 0, 8, 50


def repeated_tokens(config: GPT2Config) -> list[list[int]]:
    """The same random token ids for every model of this vocabulary; within half a sequence all are different."""
    length, draw = min(LENGTH, config.n_positions // 2, config.vocab_size), np.random.default_rng(SEED)
    return [np.tile(draw.choice(config.vocab_size, length, replace=False), 2).tolist() for _ in range(RUNS)]


def measure_roles(engine: "Engine", progress: Callable[[int], None] = lambda _: None) -> HeadRoles:
    """Run them, each in its turn at the engine, with no token before them.

    Args:
        engine: the model.
        progress: called with the number of sequences read so far.

    Raises:
        EngineError: if a pass overflowed.
    """
    sequences = repeated_tokens(engine.config)

    def runs() -> Iterator[Trace]:
        for done, ids in enumerate(sequences):
            progress(done)
            yield engine.run(ids)

    length = len(sequences[0]) // 2
    return roles_in_repeats(runs(), f"{RUNS} sequences of {length} random tokens, each said twice (seed {SEED})")
