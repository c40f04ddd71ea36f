"""When memory is short: stores first, then idle runs are squeezed, then evicted; runs under way share what is left."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine.engine import Engine
from gpt2.errors import TraceError
from gpt2.trace.captures import Level
from gpt2.trace.step import Step
from pages.server import host
from pages.server.traces import Traces
from pages.visit.opening import read_run
from pages.visit.player import Player
from pages.visit.saving import NO_ROOM, Saving, trace_bytes
from tests.budgets import Shelf, played, stands
from tests.players import SAMPLING, alone, finish

pytestmark = pytest.mark.slow


def test_idle_runs_are_squeezed_before_any_is_evicted(engine, budget, traces, trace) -> None:
    first, second = (played(engine, traces, trace, prompt, 40) for prompt in ("The king", "A mouse"))
    first.touch()
    texts, whole = (first.trace.text, second.trace.text), second.nbytes
    budget.nbytes = traces.nbytes - 1
    assert traces.make_room() == 0
    assert first.trace.steps[0].captures.level == Level.FULL and second.trace.steps[0].captures.level > Level.FULL
    assert second.nbytes < whole / 2 and (first.trace.text, second.trace.text) == texts and second.notice == ""
    second.play(engine, SAMPLING, 5, 0)
    assert finish(second).generated_ids == alone(engine, "A mouse", 45)


@given(st.lists(stands, max_size=6), st.integers(0, 300), st.integers(0, 300))
def test_stores_are_emptied_before_any_run_is_touched(visits, stored, spare) -> None:
    """The host is short by what is stored and held less `spare`."""
    store, held = Shelf(stored), sum(visit.nbytes for visit in visits)
    traces = Traces(lambda: 10**9, lambda: spare - store.nbytes - sum(visit.nbytes for visit in visits))
    traces.add_store(store)
    for visit in visits:
        traces.add(visit)
    lacking = traces.make_room()
    left = sum(visit.nbytes for visit in visits)
    assert left == held or store.nbytes == 0
    assert lacking == max(0, left + store.nbytes - spare)
    assert not lacking or all(visit.is_running or not visit.nbytes for visit in visits)


def test_generating_runs_are_squeezed_to_equal_shares_and_go_on_to_the_same_text(engine, budget, traces, trace) -> None:
    """A whole run of 150 tokens takes 20 MB, and 6 MB squeezed."""
    budget.nbytes = 12_000_000
    player = Player(trace, "", traces)
    player.new(engine, "The king", SAMPLING, 150, 0, ignore_eos=True)
    made = finish(player)
    assert len(made.steps) == 150 and player.notice == ""
    assert made.steps[0].captures.level > Level.FULL and player.nbytes <= budget.nbytes
    assert made.generated_ids == alone(engine, "The king", 150, ignore_eos=True)


def memory_of(step: Step) -> list[np.ndarray]:
    """The arrays that own what the step's captures are views of, each once."""
    parts = [step.captures.part(name) for name in step.captures]
    arrays = [array for part in parts if part is not None for array in getattr(part, "bands", (part,))]
    owners = [array if array.base is None else array.base for array in arrays]
    return list({id(owner): owner for owner in owners}.values())


@pytest.mark.parametrize("level", list(Level))
def test_a_token_lies_in_one_block_of_each_type_with_nothing_else_in_it(engine: Engine, level: Level) -> None:
    run = engine.start("The king")
    for _ in range(3):
        step = run.advance(SAMPLING)
    step = step.squeezed(level)
    owners = memory_of(step)
    assert len(owners) == len({owner.dtype for owner in owners})
    assert sum(owner.nbytes for owner in owners) == step.captures.nbytes


@pytest.mark.parametrize("tokens", [1, 30, pytest.param(150, marks=pytest.mark.slow)])
def test_a_run_is_squeezed_to_about_what_it_says_it_needs_at_least(engine: Engine, tokens: int) -> None:
    run = engine.start("The king was old, and all the birds knew it")
    for _ in range(tokens):
        run.advance(SAMPLING)
    whole, ids = run.nbytes, run.trace.ids
    run.squeeze(0)
    assert run.nbytes <= run.least_nbytes <= 1.1 * run.nbytes + 20_000 < whole
    assert run.trace.ids == ids and not run.is_full


def test_a_file_that_unpacks_to_more_than_is_left_is_refused_before_it_is_unpacked(trace) -> None:
    data = trace_bytes(trace)
    unpacked = sum(array.nbytes for array in np.load(io.BytesIO(data)).values())
    left = unpacked + 100_000  # the arrays' own headers take some bytes too
    assert read_run(io.BytesIO(data), Traces(lambda: left)).ids == trace.ids
    with pytest.raises(TraceError, match=r"unpacks to [\d.]+ MB, more than this host has left"):
        read_run(io.BytesIO(data), Traces(lambda: 10**12, lambda: unpacked - 1))


def test_a_run_is_not_saved_where_its_file_does_not_fit(trace) -> None:
    saving, player = Saving(), Player(trace, "")
    saving.make(player, Traces(lambda: 10**12, lambda: trace.nbytes - 1))
    assert (saving.error, saving.data) == (NO_ROOM, b"")
    saving.make(player, Traces(lambda: 10**12, lambda: trace.nbytes))
    assert saving.error == "" and saving.data


@pytest.mark.parametrize(("megabytes", "upload"), [(690, 69), (1000, 100), (24_000, 260), (5, 1)])
def test_an_upload_takes_a_tenth_of_a_small_hosts_memory_at_most(monkeypatch, megabytes: int, upload: int) -> None:
    monkeypatch.setattr(host.config, "get_option", lambda name: {"server.maxUploadSize": 260}[name])
    monkeypatch.setattr(host, "machine_bytes", lambda: megabytes * 10**6)
    assert host.upload_mb() == upload
