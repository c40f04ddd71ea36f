"""What a run cost: the parts of a step are all of it, and measuring without the cache disturbs nobody."""

import io
import threading
import time
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine import Engine
from gpt2.interventions import Interventions
from gpt2.run import Run
from gpt2.sampling import Sampling
from gpt2.timing import Clock, Timing
from gpt2.trace import Trace
from gpt2.turns import Turn, Withdrawn
from gpt2.uncached import LENGTHS, LONG, ROUNDS, plan, rerun
from tests.conftest import PROMPT

SECONDS = 30  # far more than anything here takes: a wait that is this long has hung
NONE = Interventions()


@given(st.lists(st.sampled_from(sorted(asdict(Timing()))), max_size=30))
def test_a_clock_leaves_no_gap(parts: list[str]) -> None:
    before = time.perf_counter()
    clock = Clock()
    for part in parts:
        clock.spent(part)
    spent = asdict(clock.timing)
    assert min(spent.values()) >= 0
    assert sum(spent.values()) <= (time.perf_counter() - before) * 1000
    assert {part for part, ms in spent.items() if ms} <= set(parts)


@pytest.mark.parametrize("budget", [None, 400_000], ids=["whole", "squeezed and by layers"])
def test_the_parts_of_every_step_add_up_to_the_wall_time(engine: Engine, budget: int | None) -> None:
    run = Run(engine, tuple(range(40, 60)), NONE, budget)
    for _ in range(3):
        since = time.perf_counter()
        step = run.advance(Sampling(seed=3))
        wall = (time.perf_counter() - since) * 1000
        assert step.timing is not None and step.timing == run.trace.steps[-1].timing
        parts = asdict(step.timing)
        assert min(parts.values()) >= 0 and step.timing.model > 0 and step.timing.sampling > 0
        assert step.ms == pytest.approx(parts["model"] + parts["capture"])
        assert sum(parts.values()) <= wall


def test_a_step_that_was_timed_is_the_same_step(engine: Engine) -> None:
    run = engine.start(PROMPT)
    step = run.advance(Sampling())
    assert run.trace.steps[-1].mark is step.mark
    assert run.trace.steps[-1].nbytes == step.nbytes == run.trace.nbytes


def test_the_wait_for_a_turn_is_no_part_of_the_pass(engine: Engine) -> None:
    run, other = engine.start(PROMPT), Turn(engine.turns)
    with other:
        thread = threading.Thread(target=run.advance, args=(Sampling(),), daemon=True)
        thread.start()
        while not run.waiting:
            time.sleep(0.001)
        since = time.perf_counter()
        time.sleep(0.05)
        held = (time.perf_counter() - since) * 1000
    thread.join(SECONDS)
    timing = run.trace.steps[0].timing
    assert timing is not None and timing.waiting >= held


def test_a_saved_run_keeps_its_timings_and_an_old_one_has_none(engine: Engine) -> None:
    run = engine.start(PROMPT)
    run.advance(Sampling())
    file = io.BytesIO()
    run.trace.save(file)
    file.seek(0)
    assert Trace.load(file).steps[0].timing == run.trace.steps[0].timing
    from pages.frame.examples import recorded_run

    assert {step.timing for step in recorded_run("once").steps} == {None}


@given(st.integers(0, 1024))
def test_the_plan_ends_with_the_whole_run_and_is_bounded(seq: int) -> None:
    lengths = plan(seq)
    assert len(lengths) <= LENGTHS * ROUNDS and all(1 <= tokens <= seq for tokens in lengths)
    assert max(lengths, default=0) == seq
    assert all(lengths.count(tokens) == (1 if tokens > LONG else ROUNDS) for tokens in lengths)


def test_passes_without_the_cache_are_those_of_the_plan_and_grow(engine: Engine) -> None:
    measured = list(rerun(engine, range(20, 220), NONE, threading.Event()))
    assert [run.tokens for run in measured] == plan(200)
    fastest = [min(run.ms for run in measured if run.tokens == tokens) for tokens in (40, 200)]
    assert fastest[0] > 0 and np.isfinite(fastest).all()
    assert len(engine.turns) == 0


def test_other_runs_go_on_between_two_passes(engine: Engine) -> None:
    """A run that asks for a turn while passes are being timed has it before the next of them."""
    passes, run = rerun(engine, range(20, 40), NONE, threading.Event()), engine.start(PROMPT)
    for tokens in (1, 2, 3):
        next(passes)
        run.advance(Sampling())
        assert len(run.trace.steps) == tokens
    passes.close()


def test_measuring_ends_at_once_where_it_waits_for_its_turn(engine: Engine) -> None:
    stop, ended = threading.Event(), threading.Event()

    def measure() -> None:
        with pytest.raises(Withdrawn):
            list(rerun(engine, range(20, 40), NONE, stop))
        ended.set()

    with Turn(engine.turns):
        threading.Thread(target=measure, daemon=True).start()
        engine.turns.withdraw(stop)
        assert ended.wait(SECONDS)
    assert len(engine.turns) == 0
