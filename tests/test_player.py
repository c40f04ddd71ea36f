"""The player: generations return at once, refusals keep the run, two visitors do not disturb each other."""

from dataclasses import replace

import pytest

from gpt2.errors import EngineError, GPT2Error, PromptError, SettingsError
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from pages.visit.player import Player
from tests.players import SAMPLING, alone, finish, wait_for_steps


@pytest.fixture
def player(trace: Trace) -> Player:
    return Player(trace, "Once upon a time")


def test_a_new_run_draws_what_the_engine_draws_alone(engine, player):
    player.new(engine, "The little bird", SAMPLING, 12, 0)
    assert finish(player).generated_ids == alone(engine, "The little bird", 12)
    assert not player.is_recorded


@pytest.mark.parametrize(
    ("prompt", "sampling", "error"),
    [("", SAMPLING, PromptError), (" the" * 600, SAMPLING, PromptError), ("a", Sampling(top_k=9999), SettingsError)],
)
def test_a_refused_run_keeps_the_one_on_the_stage(engine, player, prompt, sampling, error):
    player.new(engine, "The little bird", SAMPLING, 3, 0)
    before = finish(player)
    with pytest.raises(error):
        player.new(engine, prompt, sampling, 3, 0)
    assert player.trace is before


def test_pausing_ends_the_thread_and_playing_on_gives_the_text_of_one_run(engine, player):
    player.new(engine, "The little bird", SAMPLING, 200, 50)
    wait_for_steps(player, 3)
    player.pause()
    seen = len(player.trace.steps)
    assert not player.is_running
    assert 3 <= seen < 200
    player.play(engine, seen - 1, SAMPLING, 5, 0)
    assert finish(player).generated_ids == alone(engine, "The little bird", seen + 5)


def test_other_settings_under_the_cursor_branch_and_keep_what_came_before(engine, player):
    player.new(engine, "The little bird", SAMPLING, 10, 0)
    first = finish(player)
    greedy = Sampling(temperature=0)
    player.play(engine, 3, greedy, 4, 0)
    second = finish(player)
    assert second.steps[:3] == first.steps[:3]
    assert second.lineage is not None and (second.lineage.parent, second.lineage.steps) == (first.run_id, 4)
    kept = first.vocabulary.text(first.ids[: first.steps[3].stop])
    rest = alone(engine, kept, 5, greedy)
    assert second.generated_ids == first.generated_ids[:3] + rest


def test_a_run_of_mixed_settings_is_gone_on_with_from_the_cursor_where_any_step_differs(engine, player):
    player.new(engine, "The little bird", SAMPLING, 6, 0)
    first = finish(player)
    greedy = Sampling(temperature=0)
    player.resample(greedy)
    player.play(engine, 2, greedy, 3, 0)
    second = finish(player)
    assert second.steps[:2] == first.steps[:2] and len(second.steps) == 6
    assert all(step.draw.sampling == greedy for step in second.steps[2:])
    player.play(engine, 2, greedy, 3, 0)
    assert finish(player).steps[:6] == second.steps


def test_the_same_settings_draw_nothing_anew(engine, player):
    player.new(engine, "The little bird", SAMPLING, 4, 0)
    before = finish(player)
    player.resample(SAMPLING)
    assert player.trace is before


def test_reshaping_draws_the_newest_token_again_without_a_new_step(engine, player):
    player.new(engine, "The little bird", SAMPLING, 4, 0)
    before = finish(player)
    player.resample(Sampling(temperature=0))
    after = player.trace
    assert after.steps[:-1] == before.steps[:-1]
    assert after.steps[-1].draw.token == int(before.steps[-1].logits.argmax())
    assert after.steps[-1].captures == before.steps[-1].captures


def test_a_recorded_run_is_gone_on_with_as_if_it_had_been_live(engine, player, trace):
    player.play(engine, len(trace.steps) - 1, SAMPLING, 5, 0)
    continued = finish(player)
    assert not player.is_recorded
    assert continued.generated_ids == alone(engine, "Once upon a time", len(trace.steps) + 5)


def test_a_recorded_run_that_comes_out_otherwise_is_not_swapped_for_another(engine, player, trace):
    newest = trace.steps[-1]
    other = replace(newest, draw=replace(newest.draw, token=(newest.draw.token + 1) % trace.config.vocab_size))
    recorded = trace.cut(len(trace.steps) - 1).append(other)
    player.open(recorded)
    player.play(engine, 0, SAMPLING, 1, 0)
    assert finish(player) is recorded
    assert "gave different tokens" in player.error and player.is_recorded
    player.pause()
    assert "gave different tokens" in player.error


@pytest.mark.slow
def test_two_players_at_once_draw_what_each_draws_alone(engine, trace):
    players = {prompt: Player(trace, "") for prompt in ("The king", "A small mouse", "In the wood")}
    for prompt, player in players.items():
        player.new(engine, prompt, SAMPLING, 30, 0)
    for prompt, player in players.items():
        assert finish(player).generated_ids == alone(engine, prompt, 30)


def test_the_end_of_the_context_is_said_and_playing_on_is_refused(engine, player):
    n_positions = engine.config.n_positions
    player.new(engine, " the" * (n_positions - 2), SAMPLING, 50, 0)
    assert len(finish(player).ids) == n_positions
    assert f"{n_positions} tokens is full" in player.why_full == player.notice
    with pytest.raises(GPT2Error, match="full"):
        player.play(engine, 1, SAMPLING, 5, 0)


def test_a_recorded_run_of_another_model_can_be_looked_at_but_not_gone_on_with(engine, trace):
    foreign = replace(trace, config=replace(trace.config, n_inner=trace.config.n_inner * 2))
    with pytest.raises(EngineError, match="another model"):
        Player(foreign, "").play(engine, 0, SAMPLING, 1, 0)
