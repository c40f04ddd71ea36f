"""Claims about experiments in the background: they take turns, end with their run, and hold only what is drawn."""

import time
from collections.abc import Callable, Iterator

import pytest

from gpt2.engine.engine import Engine
from gpt2.engine.turns import Turn
from gpt2.experiments.part import head, mlp, stream
from gpt2.experiments.passes import observe
from gpt2.experiments.plan import Mute, Patch, Plan, Steer
from gpt2.experiments.sweep import sweep_ablation
from gpt2.trace.trace import Trace
from pages.server.traces import Traces
from pages.visit.experiment import FREED, LEFT, Experiment, Experiments
from pages.visit.measurement import NO_RUN, NOT_LOADED
from pages.visit.player import Player
from tests.budgets import Budget

MUTED = Mute((head(2, 4), mlp(1)), "mean")


@pytest.fixture
def player(trace: Trace) -> Player:
    return Player(trace.cut(6), "")


@pytest.fixture
def tried() -> Iterator[Experiments]:
    made = Experiments()
    yield made
    for one in (made.changed, made.sweep):
        if one is not None:
            one.stop()
            one.wait(30)


def until(does: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not does():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize(
    "plan",
    [
        MUTED,
        Steer(3, 0.5, " king"),
        pytest.param(Steer(3, -0.5, "", "She was", "He said"), marks=pytest.mark.slow),
        Patch("The king said a few", stream(2), (3,)),
    ],
)
def test_a_change_is_run_beside_the_run_on_the_stage_which_stays_as_it_is(
    engine: Engine, player: Player, tried: Experiments, plan: Plan
) -> None:
    before = player.trace
    tried.try_change(player, before, engine, plan)
    assert tried.changed is not None and plan.says
    tried.changed.wait(60)
    found = tried.changed.found
    assert tried.changed.error == "" and found is not None and found.is_complete and found.is_of(before)
    assert found.kl.shape == (6,) and found.kl.max() > 1e-3 and len(found.changed_ids) == 6
    assert player.trace is before and found.nbytes == tried.changed.nbytes < 20_000
    tried.tend(before)
    assert tried.changed is not None
    tried.tend(before.cut(3))  # the run as it was earlier
    assert tried.changed is None


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (Mute(()), "pick a head or an MLP"),
        (Mute((mlp(9),)), "There is no layer 9"),
        (Mute((mlp(2),), positions=(700,)), "There is no position 700"),
        (Steer(2, 1.0), "type a token, or two prompts"),
        (Steer(2, 1.0, "king said"), "name one, with its blank"),
        (Steer(2, 1e9, " king"), "-1e+06 to 1e+06"),
        (Patch("", stream(1)), "type the prompt"),
        (Patch("The king", stream(1)), "has 2 tokens and the other"),
        (Patch(" the" * 600, stream(1)), "88 more than the 512"),
    ],
)
def test_what_cannot_be_tried_is_one_sentence(
    engine: Engine, player: Player, tried: Experiments, plan: Plan, sentence: str
) -> None:
    tried.try_change(player, player.trace, engine, plan)
    assert tried.changed is not None
    tried.changed.wait(60)
    assert sentence in tried.changed.error and tried.changed.found is None


def test_without_an_engine_or_a_run_it_says_why(player: Player, engine: Engine, tried: Experiments) -> None:
    tried.try_change(player, player.trace, None, MUTED)
    assert tried.changed is not None and tried.changed.error == NOT_LOADED and not tried.is_running
    tried.try_ablations(player, player.trace.cut(0), engine, "zero", ("", ""))
    assert tried.sweep is not None and tried.sweep.error == NO_RUN


def test_a_host_with_a_setting_that_cannot_be_read_runs_no_experiment(
    engine: Engine, player: Player, tried: Experiments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPT2_MAX_PROMPT_TOKENS", "many")
    tried.try_change(player, player.trace, engine, MUTED)
    assert tried.changed is not None and "GPT2_MAX_PROMPT_TOKENS must be" in tried.changed.error


def test_a_sweep_waits_for_its_turns_and_is_stopped_in_the_line(
    engine: Engine, player: Player, tried: Experiments
) -> None:
    with Turn(engine.turns):
        tried.try_ablations(player, player.trace, engine, "mean", (" king", " queen"))
        assert tried.sweep is not None and tried.is_running
        until(lambda: len(engine.turns) == 2)
        tried.sweep.stop()
        tried.sweep.wait(30)
        assert not tried.is_running and tried.sweep.found is None and tried.sweep.error == ""


def test_a_sweep_ends_when_another_run_is_on_the_stage(
    engine: Engine, player: Player, trace: Trace, tried: Experiments
) -> None:
    tried.try_patches(player, player.trace, engine, Patch("The king said a few", stream(0)), "parts", ("", ""), True)
    sweep = tried.sweep
    assert sweep is not None
    until(lambda: not sweep.is_running or (sweep.found is not None and sweep.found.done > 1))
    player.open(trace.branch(3))
    sweep.wait(60)
    assert sweep.error == LEFT and sweep.found is not None and sweep.found.done < sweep.found.total
    assert len(sweep.found.ids) == 5  # of the other prompt
    tried.tend(player.trace)
    assert tried.sweep is None


def test_what_is_found_counts_as_memory_and_can_be_freed(
    engine: Engine, player: Player, traces: Traces, budget: Budget
) -> None:
    def work(own: object, engine: Engine, stop: object) -> Iterator[object]:
        yield from sweep_ablation(engine, observe(engine, [1, 2]))

    made: Experiment = Experiment(player, player.trace, engine, "", work, traces)  # type: ignore[arg-type]
    made.wait(60)
    assert traces.nbytes == made.nbytes == 8 * 54
    assert made.evict_if_made_by("someone/else") == 0
    budget.nbytes = 0
    traces.make_room()
    assert made.found is None and made.error == FREED and traces.nbytes == 0
