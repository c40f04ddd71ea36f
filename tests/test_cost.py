"""What a run cost: the parts of a step are all of it, and measuring without the cache disturbs nobody."""

import gc
import io
import json
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpt2
from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine import readout, uncached
from gpt2.engine.engine import Engine
from gpt2.engine.run import Run
from gpt2.engine.shutdown import CALLS_IN_FLIGHT
from gpt2.engine.turns import Turn, Withdrawn
from gpt2.engine.uncached import LENGTHS, LONG, ROUNDS, plan, rerun
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.trace import timing as timing_module
from gpt2.trace.timing import Clock, Timing, timed
from gpt2.trace.trace import Trace
from pages.server.job import ModelJob
from pages.stage.actions import paint_time
from pages.visit.measurement import NO_RUN, NOT_LOADED, Measurement
from tests.models import PROMPT

pytestmark = pytest.mark.slow

SECONDS = 30  # far more than anything here takes: a wait that is this long has hung
NONE = Interventions()


@given(st.lists(st.sampled_from(sorted(asdict(Timing()))), max_size=30))
def test_a_clock_leaves_no_gap(parts: list[str]) -> None:
    """Parts one after the other, each with another one inside it."""
    before = time.perf_counter()
    with Clock() as clock:
        entered = time.perf_counter()
        for part in parts:
            with timed(part), timed("model"):
                pass
        inside = (time.perf_counter() - entered) * 1000
        spent = asdict(clock.timing)
    assert min(spent.values()) >= 0
    assert inside <= sum(spent.values()) <= (time.perf_counter() - before) * 1000
    assert {part for part, ms in spent.items() if ms} <= {*parts, "model", "storing"}


def test_time_inside_a_part_is_not_counted_for_the_part_around_it() -> None:
    with Clock() as clock, timed("capture"), timed("model"):
        time.sleep(0.02)
    assert clock.timing.model >= 20 > clock.timing.capture


def test_a_clock_is_its_own_threads_alone() -> None:
    other = threading.Thread(target=lambda: timed("lens").__enter__())
    with Clock() as clock:
        other.start()
        other.join(SECONDS)
    assert clock.timing.lens == 0


@pytest.mark.parametrize("budget", [None, 400_000], ids=["whole", "squeezed and by layers"])
def test_the_parts_of_every_step_add_up_to_the_wall_time(engine: Engine, budget: int | None) -> None:
    run = Run(engine, tuple(range(40, 60)), NONE, budget)
    for _ in range(3):
        since = time.perf_counter()
        step = run.advance(Sampling(seed=3))
        wall = (time.perf_counter() - since) * 1000
        assert step.timing is not None and step.timing == run.trace.steps[-1].timing
        parts = asdict(step.timing)
        assert min(parts.values()) >= 0
        assert step.timing.model > 0
        assert step.timing.sampling > 0
        assert step.ms == pytest.approx(parts["model"] + parts["capture"])
        assert sum(parts.values()) <= wall


def test_reading_the_lens_is_not_counted_as_the_forward_pass(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that goes on only while its likeliest tokens are sought."""
    passed, most_likely = [0.0], readout.most_likely

    def a_second(*arguments: object) -> object:
        passed[0] += 1
        return most_likely(*arguments)

    monkeypatch.setattr(timing_module.time, "perf_counter", lambda: passed[0])
    monkeypatch.setattr(readout, "most_likely", a_second)
    timing = engine.start(PROMPT).advance(Sampling()).timing
    assert timing is not None
    assert asdict(timing) == {**asdict(Timing()), "lens": 1000}


def test_a_step_that_was_timed_is_the_same_step(engine: Engine) -> None:
    run = engine.start(PROMPT)
    step = run.advance(Sampling())
    assert run.trace.steps[-1].identity is step.identity
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
    file.seek(0)
    with np.load(file) as arrays:
        members = dict(arrays)
    header = json.loads(members["header"].tobytes())
    del header["steps"][0]["timing"]
    old = io.BytesIO()
    np.savez(old, **{**members, "header": np.frombuffer(json.dumps(header).encode(), np.uint8)})
    old.seek(0)
    assert Trace.load(old).steps[0].timing is None


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


def test_all_that_a_pass_leaves_is_freed_while_python_cannot_end(engine: Engine, monkeypatch) -> None:
    read, in_flight = uncached.read_prompt, []

    def watched(*arguments) -> object:
        newest, norms = read(*arguments)
        for left in (newest.captures, arguments[3]):
            weakref.finalize(left, lambda: in_flight.append(CALLS_IN_FLIGHT._count))
        return newest, norms

    monkeypatch.setattr(uncached, "read_prompt", watched)
    passes = len(list(rerun(engine, range(20, 40), NONE, threading.Event())))
    assert in_flight == [1] * 2 * (passes + 1)  # the first pass only warms up
    assert CALLS_IN_FLIGHT._count == 0


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


def test_a_measurement_is_of_its_run_alone_and_ends_by_itself(engine: Engine, trace: Trace) -> None:
    measurement = Measurement(trace, engine)
    measurement.wait(SECONDS)
    assert not measurement.is_running and not measurement.error
    assert measurement.run_id == trace.run_id
    assert [run.tokens for run in measurement.reruns] == plan(trace.seq) and measurement.total == len(plan(trace.seq))


def test_a_measurement_that_is_stopped_is_over_at_once_and_keeps_what_it_has(engine: Engine, trace: Trace) -> None:
    with Turn(engine.turns):
        measurement = Measurement(trace, engine)
        assert measurement.is_running
        measurement.stop()
        assert not measurement.is_running
        measurement.wait(SECONDS)
    assert measurement.reruns == () and not measurement.error
    assert len(engine.turns) == 0


def test_what_was_measured_keeps_no_model_in_memory(checkpoint, trace: Trace) -> None:
    own = Engine(checkpoint)
    measurement, gone = Measurement(trace.cut(1), own), weakref.ref(own)
    measurement.wait(SECONDS)
    del own
    gc.collect()
    assert gone() is None and measurement.reruns


def test_a_measurement_is_refused_in_one_sentence(engine: Engine, trace: Trace) -> None:
    for measurement, sentence in ((Measurement(trace, None), NOT_LOADED), (Measurement(trace.cut(0), engine), NO_RUN)):
        assert measurement.error == sentence and not measurement.is_running
        measurement.stop()
        assert measurement.reruns == ()


def test_a_budget_that_cannot_be_read_ends_a_measurement_in_one_sentence(engine, trace, monkeypatch) -> None:
    monkeypatch.setenv("GPT2_TRACE_MB", "lots")
    measurement = Measurement(trace, engine)
    measurement.wait(SECONDS)
    assert "GPT2_TRACE_MB must be" in measurement.error and "\n" not in measurement.error


@given(st.one_of(st.none(), st.booleans(), st.text(max_size=5), st.integers(), st.floats(), st.lists(st.integers())))
def test_only_a_time_that_can_be_is_taken_from_the_browser(told: object) -> None:
    taken = paint_time(told)
    assert taken is None or (taken == told and 0 <= taken <= 10_000 and not isinstance(told, bool))
    if isinstance(told, float) and 0 <= told <= 10_000:
        assert taken == told


def test_a_model_tells_how_long_it_took_to_come() -> None:
    since = time.monotonic()
    job = ModelJob("bundled", lambda job, config: None)
    job.start()
    job.wait(60)
    wall = time.monotonic() - since
    assert job.phase == "ready" and set(job.seconds) == {"reading", "binding"}
    assert min(job.seconds.values()) > 0 and sum(job.seconds.values()) <= wall


def test_a_model_whose_graphs_are_compiled_tells_how_long_that_took(monkeypatch: pytest.MonkeyPatch) -> None:
    between = []

    def bind(checkpoint: Checkpoint, tell: Callable[[str], None], *_: object, at_once: bool, **__: object) -> Engine:
        tell("Compiling.")
        since = time.monotonic()
        time.sleep(0.01)
        between.append(time.monotonic() - since)
        tell("Compiling.")
        assert at_once
        return Engine(checkpoint)

    monkeypatch.setattr(gpt2, "bind", bind)
    job = ModelJob("bundled", lambda job, config: None)
    job.start()
    job.wait(60)
    assert job.phase == "ready"
    assert 0 < between[0] <= job.seconds["compiling"] and job.seconds["binding"] > 0
