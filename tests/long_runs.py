"""Runs of tokens that no text would have, under any budget, and the same runs squeezed."""

from dataclasses import replace

from gpt2.engine.engine import Engine
from gpt2.engine.recompute import RecomputeCache
from gpt2.engine.run import Run
from gpt2.model.interventions import Addition, Interventions, Scale
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from tests.forced import tokens

WARM = Sampling(0.9, 50, 0.95, seed=12)
UNBOUNDED = 10**12
CHANGES = Interventions(
    (
        *(Scale(1, 2, 0.0, (0, 2, 9)), Scale(3, None, 0.5, (1, 10, 11)), Scale(0, 5, 2.0)),
        *(Scale(4, None, 0.5, (3, 9), "hook_resid_pre"), Scale(5, None, 2.0, (2, 10), "hook_resid_post")),
    ),
    (
        *(Addition(2, (0.25,) * 256, (1, 9)), Addition(5, (-0.5,) * 256), Addition(1, (0.1,) * 32, (2, 11), head=2)),
        *(Addition(0, (0.1,) * 256, hook="attn.hook_z"), Addition(2, (0.5,) * 256, (0, 10), "hook_resid_post")),
    ),
)


def run_of(engine: Engine, length: int, n_steps: int, budget: int, changes: Interventions | None = None) -> Run:
    run = Run(engine, tuple(tokens(engine, length)), changes or Interventions(), budget)
    for _ in range(n_steps):
        run.advance(WARM)
    return run


def squeezed(trace: Trace, level: int) -> Trace:
    return replace(trace, steps=tuple(step.squeezed(level) for step in trace.steps))


def with_recomputer(engine: Engine, trace: Trace) -> Trace:
    return replace(trace, recomputer=RecomputeCache().recomputer(engine, trace))
