"""A run that was let go keeps its text, however the making again of its numbers is interrupted."""

import gc
import weakref
from dataclasses import replace

import pytest

from gpt2.engine.engine import Engine
from gpt2.engine.turns import Turn
from gpt2.errors import EngineError
from gpt2.trace.trace import Trace
from pages.server.traces import NO_ROOM, Traces
from pages.stage.actions import parse
from pages.stage.message import BrowserState, encode_message
from pages.stage.record_cache import RecordCache
from pages.visit import generation
from pages.visit.branches import Branches
from pages.visit.branching import leaves
from pages.visit.controls import Controls
from pages.visit.generation import GONE, GONE_SECONDS
from pages.visit.on_stage import EVICTED, HALF_REPLAYED
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.messages import read
from tests.players import GREEDY, SAMPLING, alone, evict, finish

pytestmark = pytest.mark.slow

WHOLE, MADE = 10, 4


@pytest.fixture
def player(engine: Engine, trace: Trace) -> Player:
    """A run of mixed settings: six tokens drawn with some, then four with others."""
    player = Player(trace, "", Traces(lambda: 10**9))
    player.new(engine, "The king", SAMPLING, 6, 0)
    finish(player)
    player.play(engine, GREEDY, 4, 0)
    assert len(finish(player).steps) == WHOLE
    return player


@pytest.fixture
def half(engine: Engine, player: Player, monkeypatch) -> tuple[Player, Trace]:
    """It was let go, and Pause was pressed when four of its ten tokens had been made again."""
    before = evict(player)
    stop_after(monkeypatch, MADE)
    player.new(engine, "The king", GREEDY, 3, 0)
    finish(player)
    monkeypatch.undo()
    player.pause()
    assert len(player.trace.steps) == MADE
    return player, before


def stop_after(monkeypatch, steps: int) -> None:
    """Orders end, as if Pause had been pressed, once their run has so many steps."""
    advance = generation.Generation._advance
    monkeypatch.setattr(
        generation.Generation,
        "_advance",
        lambda self, sampling: len(self.run.trace.steps) < steps and advance(self, sampling),
    )


def same(again: Trace, before: Trace) -> bool:
    """Whether a run begins with all tokens and draws of another."""
    kept = len(before.steps)
    return [step.draw for step in again.steps[:kept]] == [step.draw for step in before.steps]


def test_the_whole_text_stays_on_the_stage_while_it_is_half_made(half) -> None:
    player, before = half
    assert player.recipe is not None and player.recipe.ids == before.ids and player.notice == HALF_REPLAYED
    shown, records = read(encode_message(Visit(player).snapshot(), "live", BrowserState(), RecordCache()))
    assert shown["labels"] == [before.vocabulary.label(token) for token in before.ids]
    assert len(records) == len(shown["stamps"]) == MADE


def test_play_goes_on_with_its_own_settings_and_then_beyond(engine, half) -> None:
    player, before = half
    made = player.trace.steps
    player.play(engine, GREEDY, 3, 0)
    again = finish(player)
    assert same(again, before) and len(again.steps) == WHOLE + 3 and again.steps[:MADE] == made
    assert (player.recipe, player.notice, player.error) == (None, "", "")


def test_run_goes_on_to_its_end_and_no_further_than_was_asked_for(engine, half) -> None:
    player, before = half
    made = player.trace.steps
    player.new(engine, "The king", GREEDY, 3, 0)
    again = finish(player)
    assert same(again, before) and len(again.steps) == WHOLE and again.steps[:MADE] == made


def test_settings_changed_at_the_newest_step_count_after_the_text_and_draw_nothing_anew_before(engine, half) -> None:
    player, before = half
    made, warm = player.trace, replace(SAMPLING, temperature=1.3)
    player.resample(warm)
    assert player.trace is made and player.recipe.ids == before.ids
    player.play(engine, warm, 3, 0)
    again = finish(player)
    assert same(again, before.cut(WHOLE - 1)) and {step.draw.sampling for step in again.steps[WHOLE - 1 :]} == {warm}


def test_settings_changed_at_an_earlier_step_branch_there_and_the_whole_text_is_kept(engine, half) -> None:
    player, before = half
    warm, tree = replace(SAMPLING, temperature=1.3), Branches(player)
    assert leaves(player, 1, warm) and not leaves(player, MADE - 1, warm) and not leaves(player, 1, GREEDY)
    tree.start(engine, 1, None, Controls(warm, 5, 0.0))
    again = finish(player)
    assert same(again, before.cut(1))
    assert {step.draw.sampling for step in again.steps[1:]} == {warm} and len(again.steps) == 7
    assert player.recipe is None and again.lineage.steps == 2
    assert tree.ids(tree.all[0]) == before.ids and tree.all[0].kept.recipe.samplings[-1] == GREEDY


def test_other_prompts_and_settings_begin_another_run(engine, half) -> None:
    player, _ = half
    player.new(engine, "The king", SAMPLING, 3, 0)
    assert finish(player).generated_ids == alone(engine, "The king", 3) and player.recipe is None


@pytest.mark.parametrize("why", [GONE, NO_ROOM])
def test_a_visitor_who_is_gone_and_memory_that_is_short_leave_the_text_too(engine, player, why, monkeypatch) -> None:
    before = evict(player)
    touch = player.touch

    def touched() -> None:
        touch()
        player.last_seen -= (why == GONE) * (GONE_SECONDS + 1)

    monkeypatch.setattr(player, "touch", touched)
    if why == NO_ROOM:
        player._traces._budget = lambda: 1_000
    player.play(engine, GREEDY, 2, 0)
    assert len(finish(player).steps) < WHOLE
    assert player.notice == why and player.recipe.ids == before.ids
    monkeypatch.undo()
    player._traces._budget = lambda: 10**9
    player.play(engine, GREEDY, 2, 0)
    assert same(finish(player), before) and len(player.trace.steps) == WHOLE + 2


def test_stopping_in_the_line_before_the_first_token_leaves_the_text(engine, player) -> None:
    before = evict(player)
    with Turn(engine.turns):
        player.play(engine, GREEDY, 2, 0)
        player.pause()
        assert player.trace.steps == () and player.recipe.ids == before.ids
    player.play(engine, GREEDY, 2, 0)
    assert same(finish(player), before)


def test_a_half_made_run_that_is_let_go_keeps_its_whole_text(engine, half) -> None:
    player, before = half
    evict(player)
    assert player.recipe.ids == before.ids and player.notice == EVICTED
    player.new(engine, "The king", GREEDY, 3, 0)
    assert same(finish(player), before)


@pytest.fixture
def other(checkpoint) -> Engine:
    """Another model of the same shape."""
    weights = {name: array * 1.1 if ".mlp." in name else array for name, array in checkpoint.weights.items()}
    return Engine(replace(checkpoint, weights=weights, name="someone/else"))


def test_another_model_of_the_same_shape_is_refused_and_the_text_stays(engine, player, other) -> None:
    before = evict(player)
    with pytest.raises(EngineError, match="bundled made this run; choose it again"):
        player.play(other, GREEDY, 2, 0)
    assert player.recipe.ids == before.ids and not player.is_running and player.notice == EVICTED
    player.play(engine, GREEDY, 2, 0)
    assert same(finish(player), before)


def test_a_half_made_run_goes_on_with_its_own_model_though_another_is_chosen(half, other) -> None:
    player, before = half
    player.play(other, GREEDY, 2, 0)
    assert same(finish(player), before) and player.trace.model == "bundled"


def test_a_run_that_comes_out_otherwise_goes_back_to_its_text(engine, player, other) -> None:
    """The files of a model may have changed since."""
    before = evict(player)
    changed = Engine(replace(other.checkpoint, name="bundled"))
    player.play(changed, GREEDY, 2, 0)
    assert finish(player).steps == () and "gave different tokens" in player.error
    assert player.recipe.ids == before.ids and not player.is_recorded
    player.pause()
    assert player.recipe.ids == before.ids and "gave different tokens" in player.error and player.nbytes == 0
    player.play(engine, GREEDY, 2, 0)
    assert same(finish(player), before) and player.error == ""


def test_an_opened_file_leaves_memory_when_its_run_has_been_made_again(engine, trace) -> None:
    player = Player(trace, "", Traces(lambda: 10**9))
    run = engine.start("The king")
    for _ in range(5):
        run.advance(SAMPLING)
    held, ids = weakref.ref(run.trace.steps[2]), run.trace.ids
    player.open(run.trace, is_own=True)
    del run
    with Turn(engine.turns):
        player.play(engine, SAMPLING, 1, 0)
        assert player.trace.ids == ids and player.is_recorded and player.nbytes >= player.trace.nbytes > 0
    made = finish(player)
    player.touch()  # as every message from the browser does
    gc.collect()
    assert made.ids[: len(ids)] == ids and held() is None and player.nbytes == player._state.run.nbytes


def test_a_file_that_is_not_made_again_to_its_end_stays(engine, trace) -> None:
    player = Player(trace, "", Traces(lambda: 10**9))
    mine = engine.run("The little bird")
    player.open(mine, is_own=True)
    with Turn(engine.turns):
        player.play(engine, SAMPLING, 1, 0)
        player.pause()
    assert player.trace is mine and player.nbytes == mine.nbytes and player.is_recorded


def test_the_hosts_limit_of_a_prompt_holds_for_a_run_that_was_let_go(engine, trace, monkeypatch) -> None:
    monkeypatch.setattr(Visit, "_engine", lambda _: engine)
    monkeypatch.setenv("GPT2_MAX_PROMPT_TOKENS", "6")
    visit, run = Visit(Player(trace, ""), speed=0), engine.start(" the" * 8)
    run.advance(SAMPLING)
    visit.open(run.trace, is_own=True)
    evict(visit.player)
    for name in ("play", "step", "run"):
        visit.answer(parse(name, {"cursor": 0, "text": " the" * 8}))
        assert "8 tokens, 2 more than the 6 allowed" in visit.player.error and not visit.player.is_running
    assert visit.player.recipe.ids == run.trace.ids
