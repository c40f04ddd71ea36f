"""The player: generations return at once, refusals keep the run, two visitors do not disturb each other."""

from dataclasses import replace

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.engine.turns import Turn
from gpt2.errors import EngineError, GPT2Error, PromptError, SettingsError
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from pages.visit.on_stage import EVICTED
from pages.visit.player import Player
from pages.visit.states import Live
from tests.players import GREEDY, SAMPLING, alone, evict, finish, wait_for_steps


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
    player.play(engine, SAMPLING, 5, 0)
    assert finish(player).generated_ids == alone(engine, "The little bird", seen + 5)


def test_with_other_settings_only_the_newest_token_is_drawn_again_and_the_run_goes_on_from_there(engine, player):
    player.new(engine, "The little bird", SAMPLING, 6, 0)
    first = finish(player)
    player.play(engine, GREEDY, 3, 0)
    second = finish(player)
    assert second.steps[:5] == first.steps[:5] and len(second.steps) == 9
    assert all(step.draw.sampling == GREEDY for step in second.steps[5:])
    player.play(engine, GREEDY, 3, 0)
    assert finish(player).steps[:9] == second.steps


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


@pytest.mark.slow
def test_a_recorded_run_is_gone_on_with_as_if_it_had_been_live(engine, player, trace):
    player.play(engine, SAMPLING, 5, 0)
    continued = finish(player)
    assert not player.is_recorded
    assert continued.generated_ids == alone(engine, "Once upon a time", len(trace.steps) + 5)


def test_a_recorded_run_that_comes_out_otherwise_is_not_swapped_for_another(engine, player, trace):
    newest = trace.steps[-1]
    other = replace(newest, draw=replace(newest.draw, token=(newest.draw.token + 1) % trace.config.vocab_size))
    recorded = trace.cut(len(trace.steps) - 1).append(other)
    player.open(recorded)
    player.play(engine, SAMPLING, 1, 0)
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
    assert len(finish(player).ids) == n_positions + 1
    assert f"{n_positions} tokens is full" in player.why_full == player.notice
    with pytest.raises(GPT2Error, match="full"):
        player.play(engine, SAMPLING, 5, 0)


def test_a_recorded_run_of_another_model_can_be_looked_at_but_not_gone_on_with(engine, trace):
    foreign = replace(trace, config=replace(trace.config, n_inner=trace.config.n_inner * 2))
    with pytest.raises(EngineError, match="another model"):
        Player(foreign, "").play(engine, SAMPLING, 1, 0)


def overflows(engine: Engine) -> Engine:
    """The same model with finite weights that are too large."""
    gain = np.full(engine.config.n_embd, 3e38, np.float32)
    return Engine(replace(engine.checkpoint, weights={**engine.checkpoint.weights, "ln_f.weight": gain}))


def test_until_its_first_step_the_run_before_stays_on_the_stage(engine, player):
    player.new(engine, "The little bird", SAMPLING, 3, 0)
    before = finish(player)
    with Turn(engine.turns):  # nothing can be computed meanwhile
        player.new(engine, "The king", SAMPLING, 3, 0)
        assert player.is_starting and player.is_running
        assert player.trace is before and player.prompt == "The little bird" and not player.has_ended
    assert finish(player).text.startswith("The king") and player.prompt == "The king" and not player.is_starting
    player.touch()
    assert player.nbytes == Live(player._state.generation).nbytes


def test_a_run_whose_first_step_fails_leaves_the_run_before_with_its_text_and_one_sentence(engine, player):
    player.new(engine, "The little bird", SAMPLING, 3, 0)
    before = finish(player)
    player.new(overflows(engine), "The king", SAMPLING, 3, 0)
    assert finish(player) is before
    player.touch()
    assert (player.trace, player.prompt, player.why_full) == (before, "The little bird", "")
    assert "not finite" in player.error and "first at logits" in player.error
    player.play(engine, SAMPLING, 2, 0)
    assert finish(player).generated_ids == alone(engine, "The little bird", 5) and player.error == ""


def test_a_run_paused_before_its_first_step_leaves_the_run_before(engine, player):
    recorded = player.trace
    with Turn(engine.turns):
        player.new(engine, "The king", SAMPLING, 3, 0)
        player.pause()
    assert player.trace is recorded and player.is_recorded and not player.is_running


def test_the_run_before_can_be_evicted_while_the_next_one_waits(engine, player):
    player.new(engine, "The little bird", SAMPLING, 3, 0)
    before = finish(player)
    with Turn(engine.turns):
        player.new(engine, "The king", SAMPLING, 3, 0)
        assert player.evict() >= before.nbytes and player.prompt_ids == before.prompt_ids
        player.pause()
    assert player.notice == EVICTED and not player.trace.steps
    player.new(engine, "The little bird", SAMPLING, 3, 0)
    assert finish(player).ids == before.ids


def test_a_run_stops_where_its_text_ends_and_plays_on_if_asked(engine, player):
    """After this sentence the bundled model draws the end of a text first."""
    text, ends = "They lived happily ever after.", engine.checkpoint.end_of_text
    player.new(engine, text, GREEDY, 12, 0)
    made = finish(player)
    assert made.generated_ids[-1] in ends and len(made.steps) < 12 and player.has_ended
    assert made.vocabulary.label(made.ids[-1]) == "<|endoftext|>"
    player.play(engine, GREEDY, 4, 0)
    went_on = finish(player)
    assert went_on.ids[: len(made.ids)] == made.ids and len(went_on.steps) == len(made.steps) + 4
    player.new(engine, text, GREEDY, 12, 0, ignore_eos=True)
    assert len(finish(player).steps) == 12 and finish(player).ids[: len(went_on.ids)] == went_on.ids


def test_an_evicted_run_that_ended_is_replayed_to_its_end_and_no_further(engine, player):
    player.new(engine, "They lived happily ever after.", GREEDY, 12, 0)
    made = finish(player)
    evict(player)
    player.new(engine, "They lived happily ever after.", GREEDY, 12, 0)
    assert finish(player).ids == made.ids and player.has_ended
