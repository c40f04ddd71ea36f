"""Claims about the line before the engine: its order, who may leave it, and that nobody is passed over."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine.engine import Engine
from gpt2.engine.turns import Turn, Turns, Withdrawn
from gpt2.model.sampling import Sampling
from tests.models import PROMPT

SECONDS = 20  # far more than anything here takes: a wait that is this long has hung


def in_thread(turn: Turn, *, entered: threading.Event, leave: threading.Event) -> threading.Thread:
    """Have a turn in a thread of its own, until `leave`."""

    def have() -> None:
        with turn:
            entered.set()
            assert leave.wait(SECONDS)

    thread = threading.Thread(target=have, daemon=True)
    thread.start()
    return thread


@given(st.lists(st.tuples(st.sampled_from(["join", "finish", "leave"]), st.integers(0, 9)), max_size=60))
def test_the_line_is_served_in_order_whoever_leaves_it(orders: list[tuple[str, int]]) -> None:
    """Compared with a plain list after every order; exactly the first is called."""
    turns, line = Turns(), []
    for order, which in orders:
        if order == "join":
            turn = Turn(turns)
            turn.join()
            assert turn.before == len(line)
            line.append(turn)
        elif line:
            line.pop(0 if order == "finish" else which % len(line)).leave()
        assert [turn.waiting for turn in line] == list(range(len(line)))
        assert [turn.called.is_set() for turn in line] == [n == 0 for n in range(len(line))]
        assert len(turns) == len(line)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.data())
def test_nobody_has_two_turns_while_another_waits_for_one(tokens: list[int], data: st.DataObject) -> None:
    """Runs of any length, joining at any time, each asking again as soon as its pass is over."""
    turns, line = Turns(), []
    left, outside = dict(enumerate(tokens)), list(range(len(tokens)))
    passed_by: dict[int, list[int]] = {}  # whose passes each run has seen since it asked

    def ask(run: int) -> None:
        line.append((run, Turn(turns)))
        line[-1][1].join()
        passed_by[run] = []

    while left:
        while outside and (not line or data.draw(st.booleans())):
            ask(outside.pop())
        run, turn = line.pop(next(n for n, (_, turn) in enumerate(line) if turn.called.is_set()))
        assert len(set(passed_by[run])) == len(passed_by[run])
        for other, _ in line:
            passed_by[other].append(run)
        turn.leave()
        left[run] -= 1
        if left[run]:
            ask(run)
        else:
            del left[run]


@given(st.lists(st.sampled_from("abc"), max_size=20), st.sampled_from("abc"))
def test_withdrawing_calls_all_who_wait_with_that_stop_and_nobody_else(who: list[str], gone: str) -> None:
    turns, stops = Turns(), {name: threading.Event() for name in "abc"}
    first = Turn(turns)
    first.join()
    line = [Turn(turns, stops[name]) for name in who]
    for turn in line:
        turn.join()
    turns.withdraw(stops[gone])
    for name, turn in zip(who, line, strict=True):
        assert turn.called.is_set() == (name == gone)
        if name == gone:
            with pytest.raises(Withdrawn):
                turn.wait()
            turn.leave()
    assert len(turns) == 1 + sum(name != gone for name in who)


def test_one_at_a_time_has_the_turn() -> None:
    turns, inside, most = Turns(), [], []

    def pass_often(name: int) -> None:
        for _ in range(50):
            with Turn(turns):
                inside.append(name)
                most.append(len(inside))
                inside.remove(name)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pass_often, range(8)))
    assert len(most) == 400
    assert max(most) == 1
    assert len(turns) == 0


def test_a_waiting_turn_is_withdrawn_at_once_and_the_others_close_up() -> None:
    turns, stop = Turns(), threading.Event()
    last = Turn(turns)
    with Turn(turns):
        with ThreadPoolExecutor(1) as pool:
            waiting = Turn(turns, stop)
            refused = pool.submit(waiting.__enter__)
            while waiting.waiting == 0:
                assert not refused.done()
            last.join()
            assert (waiting.waiting, last.waiting) == (1, 2)
            turns.withdraw(stop)  # the one whose turn it is has not moved
            assert isinstance(refused.exception(SECONDS), Withdrawn)
        assert (len(turns), last.waiting) == (2, 1)
    assert last.called.is_set()


def test_who_comes_withdrawn_is_turned_away_even_from_an_empty_line() -> None:
    turns, stop = Turns(), threading.Event()
    turns.withdraw(stop)
    with pytest.raises(Withdrawn), Turn(turns, stop):
        raise AssertionError("it was let in")
    assert len(turns) == 0


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_thread_that_dies_in_its_turn_leaves_it_to_the_next(error: type[BaseException]) -> None:
    turns, entered, leave = Turns(), threading.Event(), threading.Event()
    with pytest.raises(error), Turn(turns):
        thread = in_thread(Turn(turns), entered=entered, leave=leave)
        raise error
    assert entered.wait(SECONDS)
    leave.set()
    thread.join(SECONDS)
    assert len(turns) == 0


def test_a_turn_tells_how_long_it_waits() -> None:
    turns = Turns()
    first, second = Turn(turns), Turn(turns)
    assert first.seconds == 0
    first.join()
    first.wait()
    second.join()
    waited, so_far = first.seconds, second.seconds
    while second.seconds <= so_far:  # it goes on
        pass
    assert first.seconds == waited  # it is over


def test_a_run_gives_up_its_turn_and_is_as_it_was(engine: Engine) -> None:
    run, stop = engine.start(PROMPT), threading.Event()
    run.advance(Sampling(seed=1))
    before = run.trace
    with Turn(engine.turns), ThreadPoolExecutor(1) as pool:
        refused = pool.submit(run.advance, Sampling(seed=1), stop)
        while run.waiting == 0:
            assert not refused.done()
        assert run.waiting == 1
        engine.turns.withdraw(stop)
        assert isinstance(refused.exception(SECONDS), Withdrawn)
    assert run.trace is before
    assert run.waiting == 0
    assert len(engine.turns) == 0
    run.advance(Sampling(seed=1))
    assert run.trace.ids == tuple(run.trace.prompt_ids) + tuple(
        step.draw.token for step in engine.generate(PROMPT, 2, Sampling(seed=1))
    )


def test_runs_go_on_token_by_token(engine: Engine) -> None:
    """Three runs that wait at once each get one pass before any gets its second, a long prompt or not."""
    came: list[tuple[float, int]] = []
    prompts = [PROMPT, "The king " * 60, "A mouse"]
    runs = [engine.start(prompt) for prompt in prompts]

    def go_on(number: int) -> None:
        for _ in range(4):
            runs[number].advance(Sampling(seed=1))
            came.append((runs[number].turn.called_at, number))

    with ThreadPoolExecutor(3) as pool:
        with Turn(engine.turns):  # until all stand in the line
            done = [pool.submit(go_on, number) for number in range(3)]
            while len(engine.turns) < 4:
                assert not any(task.done() for task in done)
        for task in done:
            task.result(SECONDS)
    order = [number for _, number in sorted(came)]
    assert sorted(order[:3]) == [0, 1, 2] and sorted(order) == sorted([0, 1, 2] * 4)
