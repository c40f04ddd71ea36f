"""One budget for all visitors' runs: who goes first, what stays, and that what is let go is freed and made again."""

import gc
import threading
import time
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine.turns import Turn
from pages.server import traces as module
from pages.server.traces import NO_ROOM, Traces
from pages.visit.on_stage import EVICTED, FILE_EVICTED
from pages.visit.player import Player
from tests.budgets import played, squeezed_bytes, stands
from tests.players import GREEDY, SAMPLING, alone, evict, finish, wait_for_steps

pytestmark = pytest.mark.slow


@given(st.lists(stands, max_size=12), st.integers(0, 600), st.booleans())
def test_only_idle_runs_go_the_longest_unseen_first_and_no_more_than_must(visits, budget, keeps) -> None:
    traces, before = Traces(lambda: budget), [visit.nbytes for visit in visits]
    for visit in visits:
        traces.add(visit)
    kept = visits[0] if keeps and visits else None
    over = traces.make_room(keep=kept)
    held = sum(visit.nbytes for visit in visits)
    assert over == max(0, held - budget) and traces.nbytes == held
    gone = [visit for visit, size in zip(visits, before, strict=True) if visit.nbytes < size]
    could_go = [visit for visit in visits if not visit.is_running and visit is not kept]
    assert all(visit in could_go and visit.nbytes == 0 for visit in gone)
    assert not over or len(gone) == sum(
        size > 0 and visit in could_go for visit, size in zip(visits, before, strict=True)
    )
    if gone:
        newest = max(gone, key=lambda visit: visit.last_seen)
        last = [visit for visit in gone if visit.last_seen == newest.last_seen]  # one of these was the last to go
        assert any(held + before[visits.index(visit)] > budget for visit in last)  # and it had to
        left = [visit for visit in could_go if visit.nbytes]
        assert all(visit.last_seen >= newest.last_seen for visit in left)


def test_what_is_let_go_is_freed_and_its_text_and_a_notice_stay(engine, budget, traces, trace) -> None:
    older, newer = (played(engine, traces, trace, prompt) for prompt in ("The king", "A mouse"))
    older.touch()
    newer.touch()
    gone = [weakref.ref(array) for step in older.trace.steps for array in step.captures.values()]
    gone += [weakref.ref(older._state.run), *map(weakref.ref, older.trace.steps)]
    run_id, ids = older.trace.run_id, older.trace.ids
    assert traces.nbytes == older.nbytes + newer.nbytes > 0
    budget.nbytes = squeezed_bytes(older, newer) - 1
    kept = newer.trace
    assert traces.make_room() == 0
    gc.collect()
    assert not any(ref() is not None for ref in gone) and len(gone) > 100
    assert (older.nbytes, older.trace.steps, older.trace.run_id) == (0, (), run_id)
    assert older.recipe is not None and older.recipe.ids == ids and older.prompt == "The king"
    assert older.notice == EVICTED and not older.is_recorded and not older.is_running
    assert newer.trace is kept and newer.notice == ""


def test_looking_at_a_run_keeps_it_longer(engine, budget, traces, trace) -> None:
    first, second = (played(engine, traces, trace, prompt) for prompt in ("The king", "A mouse"))
    second.touch()
    first.touch()
    budget.nbytes = squeezed_bytes(first, second) - 1
    traces.make_room()
    assert first.trace.steps and not second.trace.steps


@pytest.mark.parametrize("tokens", [3, 6, 9])
def test_run_makes_the_same_text_again_and_goes_on_if_more_is_asked_for(engine, traces, trace, tokens: int) -> None:
    player = played(engine, traces, trace, "The king")
    before = evict(player)
    player.new(engine, "The king", SAMPLING, tokens, 0)
    assert not player.is_recorded
    again = finish(player)
    assert again.generated_ids == alone(engine, "The king", max(6, tokens))
    assert again.run_id != before.run_id and player.notice == player.error == "" and player.recipe is None


def test_a_run_of_mixed_settings_is_made_again_as_it_was(engine, traces, trace) -> None:
    player = played(engine, traces, trace, "The king")
    player.play(engine, GREEDY, 3, 0)
    finish(player)
    before = evict(player)
    assert {step.draw.sampling for step in before.steps} == {SAMPLING, GREEDY}
    player.new(engine, "The king", GREEDY, 1, 0)
    again = finish(player)
    assert again.ids == before.ids
    assert [step.draw for step in again.steps] == [step.draw for step in before.steps]


def test_play_makes_it_again_and_goes_on(engine, traces, trace) -> None:
    player = played(engine, traces, trace, "The king")
    evict(player)
    player.play(engine, SAMPLING, 4, 0)
    assert finish(player).generated_ids == alone(engine, "The king", 10)


def test_another_prompt_or_setting_begins_another_run(engine, traces, trace) -> None:
    player = played(engine, traces, trace, "The king")
    evict(player)
    player.new(engine, "The king", GREEDY, 4, 0)
    assert finish(player).generated_ids == alone(engine, "The king", 4, GREEDY)
    evict(player)
    player.new(engine, "A mouse", GREEDY, 4, 0)
    assert finish(player).generated_ids == alone(engine, "A mouse", 4, GREEDY)


def test_a_run_under_way_is_never_let_go(engine, budget, traces, trace) -> None:
    player = Player(trace, "", traces)
    with Turn(engine.turns):
        player.new(engine, "The king", SAMPLING, 3, 0)
        while len(engine.turns) < 2:
            assert player.is_running
        assert player.evict() == 0
    assert finish(player).generated_ids == alone(engine, "The king", 3)


def test_a_recorded_run_that_all_share_costs_nobody_and_stays(traces, trace) -> None:
    player = Player(trace, "", traces)
    assert traces.nbytes == 0 and player.evict() == 0 and player.trace is trace


def test_an_opened_file_counts_and_says_how_to_have_it_back(engine, traces, trace) -> None:
    player = Player(trace, "", traces)
    mine = engine.run("The little bird")
    player.open(mine, is_own=True)
    assert traces.nbytes == mine.nbytes
    assert player.evict() == mine.nbytes
    assert player.notice == FILE_EVICTED and not player.trace.steps
    player.open(trace)
    assert (player.notice, traces.nbytes, player.is_recorded) == ("", 0, True)


def test_opening_a_file_makes_room_for_it_and_not_of_it(engine, budget, traces, trace) -> None:
    other = played(engine, traces, trace, "The king")
    mine, player = engine.run("The little bird"), Player(trace, "", traces)
    budget.nbytes = mine.nbytes
    other.touch()
    player.open(mine, is_own=True)
    assert player.trace is mine and not other.trace.steps


def test_a_run_that_is_too_large_when_nothing_idle_is_left_ends_with_a_notice(engine, budget, traces, trace) -> None:
    player = Player(trace, "", traces)
    budget.nbytes = 3_000_000
    player.new(engine, "The king", SAMPLING, 200, 0)
    steps = len(finish(player).steps)
    assert player.notice == NO_ROOM and 1 < steps < 200
    assert budget.nbytes < player.nbytes < 2 * budget.nbytes  # a KV cache doubles when it grows
    budget.nbytes = 10**9
    player.play(engine, SAMPLING, 5, 0)
    assert finish(player).generated_ids == alone(engine, "The king", steps + 5) and player.notice == ""


def test_the_budget_bounds_what_many_runs_hold_together(engine, budget, traces, trace) -> None:
    """Six visitors run at once, twice over, in room for about two: never far above it, and every text is right."""
    prompts = ["The king", "A mouse", "In the wood", "Once", "The fox", "My dear"]
    budget.nbytes, most = 5_000_000, [0]
    players = {prompt: Player(trace, "", traces) for prompt in prompts}
    done = threading.Event()

    def weigh() -> None:
        while not done.wait(0.005):
            most[0] = max(most[0], traces.nbytes)

    scales = threading.Thread(target=weigh)
    scales.start()
    for _ in range(2):
        for prompt, player in players.items():
            player.new(engine, prompt, SAMPLING, 12, 0)
        for prompt, player in players.items():
            text = finish(player).generated_ids
            assert text == alone(engine, prompt, 12)[: len(text)] and player.error == ""
    done.set()
    scales.join()
    largest_step = 1_500_000  # a run may be a step over its share when it is asked to end
    assert 0 < most[0] <= budget.nbytes + len(prompts) * largest_step
    assert traces.make_room() == 0 and traces.nbytes <= budget.nbytes


def test_a_visit_that_ends_takes_its_run_with_it(engine, traces, trace) -> None:
    player = Player(trace, "", traces)
    player.new(engine, "The king", SAMPLING, 400, 0)
    wait_for_steps(player, 2)
    thread, run = player._state.generation._thread, weakref.ref(player._state.run)
    del player
    thread.join(30)
    assert not thread.is_alive()
    del thread
    gc.collect()
    assert run() is None and traces.nbytes == 0


def test_visits_that_are_over_go_before_any_that_is_not(engine, budget, traces, trace, monkeypatch) -> None:
    """A session that ends may lie in memory for long, as nothing but itself holds it; it is not waited for."""
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0)
    here, over = (played(engine, traces, trace, prompt) for prompt in ("The king", "A mouse"))
    over.touch()
    over.itself = over
    gc.freeze()  # as a model's load leaves it
    budget.nbytes = here.nbytes
    gc.disable()
    try:
        del over
        assert traces.nbytes > budget.nbytes
        assert traces.make_room() == 0 and here.trace.steps
    finally:
        gc.enable()


def test_an_order_that_is_just_being_taken_is_not_waited_for(engine, traces, trace) -> None:
    player = played(engine, traces, trace, "The king")
    freed: list[int] = []
    with player._lock:
        other = threading.Thread(target=lambda: freed.append(player.evict()))
        other.start()
        other.join(30)
    assert freed == [0] and player.trace.steps
    since = time.monotonic()
    player.touch()
    assert player.last_seen >= since
