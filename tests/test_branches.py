"""Claims about a visit's tree: all runs are kept and counted once, memory takes the oldest without a name first."""

import io

import numpy as np
import pytest

from gpt2.engine.cache import KVCache
from gpt2.engine.engine import Engine
from gpt2.errors import GPT2Error
from gpt2.model.sampling import Distribution, Sampling
from gpt2.trace.trace import Trace
from pages.server.traces import Traces
from pages.stage.actions import parse
from pages.stage.snapshot import Elsewhere
from pages.visit import branches as tree_room
from pages.visit.branches import MOST, Branches
from pages.visit.branching import leaves
from pages.visit.controls import Controls
from pages.visit.on_stage import EVICTED
from pages.visit.player import Player
from pages.visit.states import Branch
from tests.budgets import Budget, played
from tests.players import GREEDY, SAMPLING, alone, finish, wait

pytestmark = pytest.mark.slow

PROMPT, STEPS = "The little bird", 6
CONTROLS = Controls(SAMPLING, 4, 0.0)


@pytest.fixture
def player(engine: Engine, traces: Traces, trace: Trace) -> Player:
    return played(engine, traces, trace, PROMPT, STEPS)


@pytest.fixture
def tree(player: Player, traces: Traces) -> Branches:
    return Branches(player, traces)


def other(trace: Trace, step: int, rank: int = 1) -> int:
    """A likely token that the run has not drawn at a step."""
    order = Distribution.of(trace.steps[step].logits, Sampling()).order.tolist()
    order.remove(trace.steps[step].draw.token)
    return order[rank - 1]


def branch(engine: Engine, tree: Branches, player: Player, step: int, rank: int = 1) -> Branch:
    made = tree.start(engine, step, other(player.trace, step, rank), CONTROLS)
    finish(player)
    return made


def test_both_runs_are_kept_with_their_numbers_and_either_can_be_put_on_the_stage(engine, player, tree) -> None:
    first, token = player.trace, other(player.trace, 2)
    made = branch(engine, tree, player, 2)
    branched = player.trace
    assert tree.trace(tree.all[0]) is first and tree.current is made
    assert branched.ids[: len(first.prompt_ids) + 3] == (*first.ids[: len(first.prompt_ids) + 2], token)
    assert len(branched.steps) == 3 + CONTROLS.max_new_tokens and branched.steps[2].draw.is_chosen
    own = np.exp(first.steps[2].logits - first.steps[2].logits.max(), dtype=np.float64)
    assert made.chance == pytest.approx(own[token] / own.sum(), rel=1e-6)
    assert (made.instead, made.step, made.parent) == (first.steps[2].draw.token, 2, tree.all[0])
    tree.show(tree.all[0])
    assert player.trace is first and tree.trace(made) is branched and tree.current is tree.all[0]
    player.play(engine, SAMPLING, 2, 0)
    assert finish(player).steps[:STEPS] == first.steps and tree.trace(made) is branched


def test_where_other_branches_part_is_told_and_which_of_them_refuse_their_token(engine, player, tree) -> None:
    assert tree.elsewhere() == ()
    first, token, sibling = player.trace, other(player.trace, 2), other(player.trace, 2, rank=2)
    own = first.steps[2].draw.token
    branch(engine, tree, player, 2)
    assert tree.elsewhere() == (Elsewhere(2, own, 0, "The first run", True),)
    with pytest.raises(GPT2Error, match="The first run has this token there already"):
        tree.start(engine, 2, own, CONTROLS)
    tree.start(engine, 2, sibling, CONTROLS)
    finish(player)
    assert tree.elsewhere() == (
        Elsewhere(2, own, 0, "The first run", True),
        Elsewhere(2, token, 1, "Branch 1", False),
    )
    tree.show(tree.all[0])
    assert {(one.step, one.token, one.is_parent) for one in tree.elsewhere()} == {
        (2, token, False),
        (2, sibling, False),
    }


def test_a_recorded_run_is_branched_without_being_replayed(engine, trace, traces) -> None:
    player = Player(trace, "Once upon a time", traces)
    tree = Branches(player, traces)
    branch(engine, tree, player, 7)
    assert all(
        own.captures is theirs.captures for own, theirs in zip(player.trace.steps[:8], trace.steps, strict=False)
    )
    assert not player.is_recorded and tree.trace(tree.all[0]) is trace
    tree.show(tree.all[0])
    assert player.is_recorded


def test_a_branch_before_another_leaves_the_run_that_has_the_step_of_its_own(engine, player, tree) -> None:
    late = branch(engine, tree, player, 4)
    deeper = branch(engine, tree, player, 6)
    sibling = branch(engine, tree, player, 4, rank=2)
    assert (late.parent, deeper.parent, sibling.parent) == (tree.all[0], late, tree.all[0])
    early = branch(engine, tree, player, 1)
    assert early.parent is tree.all[0] and early.instead == tree.ids(tree.all[0])[len(player.prompt_ids) + 1]
    tree.let_go(late)
    assert late not in tree.all and (deeper.parent, deeper.step, deeper.token) == (tree.all[0], 4, late.token)


def test_steps_that_runs_share_are_counted_once(engine, player, tree, traces) -> None:
    first = player.trace
    branch(engine, tree, player, 3)
    held = {id(step.captures): step.nbytes for run in (first, player.trace) for step in run.steps}
    assert len(held) == len(first.steps) + len(player.trace.steps) - 4
    caches = 2 * KVCache(engine.config).nbytes
    assert traces.nbytes == sum(held.values()) + caches
    tree.show(tree.all[0])
    assert traces.nbytes == sum(held.values()) + caches


def test_what_cannot_be_branched_is_one_sentence_and_keeps_run_and_tree(engine, player, tree) -> None:
    before = player.trace
    drawn = before.steps[2].draw.token
    for at, step, token, sentence in (
        (engine, 2, drawn, "has this token there already"),
        (engine, 99, 5, "no step to branch at"),
        (engine, 2, 10**6, "There is no token"),
        (None, 2, 5, "is not loaded"),
    ):
        with pytest.raises(GPT2Error, match=sentence):
            tree.start(at, step, token, CONTROLS)
        assert player.trace is before and tree.all == [] and tree.current is None
    made = branch(engine, tree, player, 2)
    again = player.trace
    with pytest.raises(GPT2Error, match="The first run has this token there already"):
        tree.start(engine, 2, drawn, CONTROLS)
    with pytest.raises(GPT2Error, match="is on the stage"):
        tree.let_go(made)
    assert player.trace is again and tree.current is made


def test_a_branch_at_a_full_context_is_refused_in_one_sentence(engine, traces, trace) -> None:
    positions = engine.config.n_positions
    player = Player(trace, "", traces)
    player.new(engine, " the" * (positions - 1), GREEDY, 5, 0, ignore_eos=True)
    full = finish(player, 120)
    assert full.seq == positions
    tree = Branches(player, traces)
    with pytest.raises(GPT2Error, match=f"context of {positions} tokens is full at this step"):
        tree.start(engine, len(full.steps) - 1, 7, CONTROLS)
    token = 7 if full.steps[0].draw.token != 7 else 8
    tree.start(engine, 0, token, CONTROLS)
    assert finish(player, 60).seq == positions and "is full" in player.notice


def test_another_text_drops_the_tree_and_a_refused_one_keeps_it(engine, player, tree, trace) -> None:
    branch(engine, tree, player, 2)
    with pytest.raises(GPT2Error):
        player.new(engine, "", SAMPLING, 3, 0)
    tree.tend()
    assert len(tree.all) == 2
    player.new(engine, "The queen", SAMPLING, 3, 0)
    finish(player)
    player.touch()
    tree.tend()
    assert (tree.all, tree.current, tree.nbytes) == ([], None, 0)
    branch(engine, tree, player, 1)
    player.open(trace)
    tree.tend()
    assert tree.all == []


def test_the_oldest_branch_without_a_name_is_let_go_first_and_that_is_said(engine, player, tree) -> None:
    made = [branch(engine, tree, player, 1, rank) for rank in range(1, MOST + 1)]
    tree.rename(made[0], "  the\n one ")
    assert made[0].title == "the one" and len(tree.all) == MOST + 1
    newest = branch(engine, tree, player, 1, MOST + 1)
    assert made[1] not in tree.all and made[0] in tree.all and newest in tree.all
    assert tree.note.startswith("Branch 2 was let go to make room")
    for one in tree.all[1:]:
        tree.rename(one, "kept")
    with pytest.raises(GPT2Error, match="have names"):
        branch(engine, tree, player, 1, MOST + 2)
    assert len(tree.all) == MOST + 1 and tree.current is newest


def test_a_tree_that_outgrows_a_visits_budget_lets_the_oldest_go(engine, player, tree, monkeypatch) -> None:
    first = branch(engine, tree, player, 1)
    held = player.trace.nbytes
    monkeypatch.setattr(tree_room, "trace_budget", lambda: int(1.2 * held))
    second = branch(engine, tree, player, 1, 2)
    assert first not in tree.all and second in tree.all and tree.all[0] in tree.all
    assert "was let go to make room" in tree.note


def test_when_the_host_is_short_branches_go_before_their_own_visitors_run_and_named_ones_can_be_replayed(
    engine, player, tree, traces: Traces, budget: Budget
) -> None:
    named, unnamed = branch(engine, tree, player, 2), branch(engine, tree, player, 3)
    tree.rename(named, "mine")
    texts = [tree.ids(one) for one in (named, tree.all[0])]
    tree.show(tree.all[0])
    budget.nbytes = player.nbytes + 1_000_000  # of a KV cache
    assert traces.make_room(keep=player) == 0
    assert unnamed not in tree.all and player.trace.steps and not tree.trace(named).steps
    assert "The numbers of mine were freed" in tree.note and [tree.ids(one) for one in (named, tree.all[0])] == texts
    budget.nbytes = 10**9
    tree.show(named)
    assert player.notice == EVICTED
    player.play(engine, SAMPLING, 1, 0)
    replayed = finish(player)
    assert replayed.ids[: len(texts[0])] == texts[0] and replayed.steps[2].draw.is_chosen
    assert tree.current is named


def test_two_visitors_have_trees_of_their_own(engine, player, tree, traces, trace) -> None:
    neighbour = played(engine, traces, trace, PROMPT, STEPS)
    own = Branches(neighbour, traces)
    branch(engine, tree, player, 2)
    assert own.all == [] and own.nbytes == 0 and neighbour.trace.ids[:STEPS] != player.trace.ids
    assert len(neighbour.trace.steps) == STEPS


def test_a_branch_under_way_can_be_stopped_and_another_takes_its_turn(engine, player, tree) -> None:
    tree.start(engine, 2, other(player.trace, 2), Controls(SAMPLING, 200, 2.0))
    assert player.is_running
    player.pause()
    assert not player.is_running
    seen = len(player.trace.steps)
    branch(engine, tree, player, 1)
    assert len(tree.trace(tree.all[1]).steps) == seen and len(engine.turns) == 0


def test_other_settings_at_an_older_step_branch_there_and_the_run_before_is_kept_whole(engine, player, tree) -> None:
    first = player.trace
    assert leaves(player, 2, GREEDY) and not leaves(player, 2, SAMPLING) and not leaves(player, STEPS - 1, GREEDY)
    made = tree.start(engine, 2, None, Controls(GREEDY, 4, 0.0))
    second = finish(player)
    assert second.steps[:2] == first.steps[:2] and second.steps[2].captures == first.steps[2].captures
    kept = first.vocabulary.text(first.ids[: first.steps[2].stop])
    assert second.generated_ids == first.generated_ids[:2] + alone(engine, kept, 5, GREEDY)
    assert tree.trace(tree.all[0]) is first and (made.step, made.is_chosen) == (2, False)
    assert made.token == second.steps[2].draw.token and made.instead == first.steps[2].draw.token


def test_other_settings_never_redraw_a_chosen_token(engine, player, tree) -> None:
    token = other(player.trace, 2)
    tree.start(engine, 2, token, Controls(SAMPLING, 1, 0.0))
    finish(player)
    tree.start(engine, 2, None, Controls(GREEDY, 2, 0.0))
    after = finish(player)
    assert after.steps[2].draw.token == token and after.steps[2].draw.is_chosen
    assert after.steps[3].draw.sampling == GREEDY
    file = io.BytesIO()
    after.save(file)
    file.seek(0)
    opened = Trace.load(file)
    assert opened.steps[2].draw.is_chosen and opened.ids == after.ids


def test_the_stage_branches_with_a_token_or_other_settings_and_says_where_the_run_before_is(visit) -> None:
    first, tree = visit.player.trace, visit.branches
    token = other(first, 2)
    visit.answer(parse("branch", {"cursor": 2, "token": token, "max_new_tokens": 2, "speed": 0}))
    wait(visit)
    second, said = visit.player.trace, visit.status()
    assert second.steps[2].draw.token == token and len(second.steps) == 5 and visit.cursor == 2
    assert said.is_news and said.text == "This is Branch 1. The first run is kept as it was, on the page Branches."
    visit.answer(parse("play", {"cursor": 1, "temperature": 0, "max_new_tokens": 3, "speed": 0}))
    wait(visit)
    assert [tree.trace(one) for one in tree.all] == [first, second, visit.player.trace]
    assert visit.status().text.startswith("This is Branch 2. Branch 1 is kept")
    visit.answer(parse("play", {"cursor": 1, "max_new_tokens": 2, "speed": 0}))  # no other settings: on from the end
    wait(visit)
    assert len(tree.all) == 3 and len(visit.player.trace.steps) == 7 and visit.status().text == "Paused."


def test_a_branch_that_the_stage_asks_for_and_cannot_be_made_is_one_sentence(visit) -> None:
    before = visit.player.trace
    for values, sentence in (
        ({"cursor": 99, "token": 5}, "There is no step to branch at"),
        ({"cursor": 2, "token": 10**6}, "There is no token 1000000"),
        ({"cursor": 2, "token": before.steps[2].draw.token}, "The run has this token there already"),
        ({"cursor": 2}, "A branch needs a step and a token"),
        ({"cursor": 2, "token": "king"}, "The token must be a whole number"),
    ):
        visit.answer(parse("branch", values))
        assert visit.status().kind == "error" and visit.status().text.startswith(sentence)
        assert visit.player.trace is before and visit.branches.all == []
