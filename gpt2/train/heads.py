"""Measure each attention head: how much it looks one token back, and how much it copies (induction)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.engine.engine import Engine
from gpt2.engine.run import Run
from gpt2.model.interventions import Interventions

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class HeadScores:
    """Mean attention to the position that the behaviour predicts, between 0 and 1.

    Shapes: both [layer, head]. `previous_token` is measured on held-out text, `induction` on random tokens said twice:
    the share that goes to the token after the previous occurrence of the current one (Olsson et al., 2022).
    """

    previous_token: Scores
    induction: Scores


def patterns(engine: Engine, ids: list[int]) -> Scores:
    """The attention patterns of all heads over these tokens. Shapes: [layer, head, query, key]."""
    run = Run(engine, tuple(ids), Interventions())
    run.advance(None)
    layers = range(engine.config.n_layer)
    return np.stack([run.trace[f"blocks.{layer}.attn.hook_pattern"] for layer in layers]).astype(np.float64)


def along(pattern: Scores, back: int, first: int) -> Scores:
    """Mean attention to the key `back` positions before the query, for the queries from `first` on.

    Shapes: [layer, head, query, key] -> [layer, head].
    """
    queries = np.arange(first, pattern.shape[2])
    return pattern[:, :, queries, queries - back].mean(axis=-1)


def head_scores(
    engine: Engine, texts: list[list[int]], seed: int = 0, period: int = 40, repeats: int = 16
) -> HeadScores:
    """Measure all heads on held-out texts (token ids), and on random sequences of `period` tokens, repeated once."""
    rng = np.random.default_rng(seed)
    previous = [along(patterns(engine, ids[: engine.config.n_positions]), 1, 1) for ids in texts]
    induction = []
    for _ in range(repeats):
        span = rng.integers(256, engine.config.vocab_size - 1, period).tolist()  # whole words and pieces, no lone bytes
        induction.append(along(patterns(engine, span * 2), period - 1, period))
    return HeadScores(np.mean(previous, axis=0), np.mean(induction, axis=0))
