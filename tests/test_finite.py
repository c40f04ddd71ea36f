"""A forward pass that overflows is refused in one sentence that says where; nothing is drawn from it."""

from dataclasses import replace

import numpy as np
import pytest

from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine.engine import Engine
from gpt2.engine.run import Run
from gpt2.errors import EngineError
from gpt2.model.interventions import Addition, Interventions, Scale
from gpt2.model.sampling import Sampling
from tests.models import PROMPT

DRAWN = Sampling(seed=3)
OVERFLOWS = [
    (Interventions(tuple(Scale(2, None, 1e6) for _ in range(8))), r"blocks\.2\.hook_mlp_out \(layer 2\)"),
    (Interventions(tuple(Scale(4, None, 1e6) for _ in range(4))), r"blocks\.4\.hook_resid_post \(layer 4\)"),
    (Interventions(tuple(Scale(1, 0, 1e6, (2,)) for _ in range(9))), r"blocks\.1\.attn\.hook_z \(layer 1\)"),
]


def overflow_in(engine: Engine, weights: dict[str, np.ndarray]) -> Engine:
    """The same model with other weights: finite ones, which are too large."""
    known: Checkpoint = engine.checkpoint
    return Engine(replace(known, weights={**known.weights, **weights}))


@pytest.mark.parametrize(("interventions", "place"), OVERFLOWS)
@pytest.mark.parametrize("budget", [None, 2_000_000], ids=["whole", "layer by layer"])
def test_interventions_that_overflow_are_refused_with_the_place(engine, interventions, place, budget):
    run = Run(engine, tuple(engine.tokenizer.encode(PROMPT * 40)), interventions, budget)
    with pytest.raises(EngineError, match=f"first at {place}; use weaker interventions"):
        run.advance(DRAWN)
    assert not run.trace.steps


def test_weights_that_overflow_are_refused_with_the_place(engine):
    bias = np.full(engine.config.n_embd, 1e30, np.float32)
    run = overflow_in(engine, {"h.3.mlp.c_proj.bias": bias}).start(PROMPT)
    with pytest.raises(EngineError, match=r"blocks\.3\.hook_resid_post \(layer 3\); its weights are too large"):
        run.advance(DRAWN)


def test_logits_that_overflow_are_refused(engine):
    gain = np.full(engine.config.n_embd, 3e38, np.float32)
    run = overflow_in(engine, {"ln_f.weight": gain}).start(PROMPT)
    with pytest.raises(EngineError, match=r"first at logits; its weights"):
        run.advance(DRAWN)


def test_a_run_goes_on_after_a_step_that_overflowed(engine):
    """The intervention is at one position, which the third step reads."""
    tokens = len(engine.tokenizer.encode(PROMPT))
    late = Interventions(additions=tuple(Addition(0, np.full(256, 1e6), (tokens + 1,)) for _ in range(3)))
    harmless, harmful = engine.start(PROMPT, late), engine.start(PROMPT, overflowing_at(tokens + 1))
    for run in (harmless, harmful):
        run.advance(DRAWN), run.advance(DRAWN)
    harmless.advance(DRAWN)
    before = harmful.trace
    for _ in range(2):
        with pytest.raises(EngineError, match="first at"):
            harmful.advance(DRAWN)
        assert harmful.trace is before
    harmful.cut(1)
    assert harmful.advance(DRAWN).draw == before.steps[1].draw


def overflowing_at(position: int) -> Interventions:
    return Interventions(tuple(Scale(2, None, 1e6, (position,)) for _ in range(8)))
