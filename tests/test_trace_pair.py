"""Two runs in lockstep: what each reads, and every number of the pair against a formula written anew."""

import doctest
from dataclasses import replace

import numpy as np
import pytest

import gpt2
from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine.engine import Engine
from gpt2.errors import PromptError, SettingsError
from gpt2.experiments import second_run
from gpt2.experiments.ablation import ablation
from gpt2.experiments.part import head
from gpt2.experiments.second_run import alongside, compare, reread
from gpt2.experiments.trace_pair import TracePair
from gpt2.experiments.twin import twin
from gpt2.model.sampling import Sampling
from gpt2.text.vocabulary import Vocabulary
from gpt2.trace.budget import squeeze_to_fit
from gpt2.trace.trace import Trace
from tests.effects import chances
from tests.models import BUNDLED, lower_half
from tests.players import alone
from tests.reference import Reference

HERO, OTHER = "The king said to his", "The queen said"
WARM, STEPS = Sampling(0.9, 50, 0.95, seed=12), 6


@pytest.fixture(scope="module")
def first(engine: Engine) -> Trace:
    run = engine.start(HERO)
    for _ in range(STEPS):
        run.advance(WARM)
    return run.trace


@pytest.fixture(scope="module")
def pair(engine: Engine, first: Trace) -> TracePair:
    """Prompts of five and of three tokens."""
    *_, second = alongside(engine, first, OTHER)
    return TracePair(first, second)


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    return float((p * np.log2(p / q)).sum())


def test_another_prompt_goes_on_by_itself_with_the_settings_of_each_step(engine: Engine, pair: TracePair) -> None:
    assert pair.second.generated_ids == alone(engine, OTHER, STEPS, WARM)
    assert pair.n_steps == STEPS and pair.parted_at == 1 and not pair.has_one_text


def test_the_divergence_of_every_step_is_that_of_the_float64_reference_both_ways(pair: TracePair) -> None:
    reference = Reference(BUNDLED)
    logits = [
        reference.forward(trace.computed_ids)["logits"][len(trace.prompt_ids) - 1 :] for trace in pair.both
    ]  # each [step, vocab]
    for step, found in enumerate(pair.divergences().T):
        p, q = (chances(rows[step]) for rows in logits)
        assert found == pytest.approx([divergence(p, q), divergence(q, p)], rel=1e-3)
        assert pair.next_tokens([step])[1].tolist() == [[p.argmax()], [q.argmax()]]
    assert pair.divergences([4]).tolist() == pair.divergences()[:, [4]].tolist()


def test_positions_are_paired_from_the_newest_backwards(pair: TracePair) -> None:
    at = pair.at(2)
    assert (at.first.seq, at.second.seq) == (7, 5)
    mine, theirs = (trace["blocks.2.attn.hook_pattern"] for trace in at.both)  # [head, query, key]
    assert at.patterns(2, 64).shape == (2, 8, 5, 5)
    assert np.array_equal(at.patterns(2, 64), np.stack([mine[:, 2:, 2:], theirs]))
    assert np.array_equal(at.patterns(2, 3), np.stack([mine[:, 4:, 4:], theirs[:, 2:, 2:]]))
    apart = np.abs(mine[3, -1, 2:].astype(np.float64) - theirs[3, -1]).sum() + mine[3, -1, :2].sum()
    assert at.attention_moved()[2, 3] == pytest.approx(apart / 2, rel=1e-5)
    lengths = [[np.linalg.norm(t[f"blocks.{n}.hook_resid_post"][-1].astype(float)) for n in range(6)] for t in at.both]
    assert at.stream_norms() == pytest.approx(np.array(lengths), rel=1e-5)


def test_a_changed_model_reads_the_first_text_and_is_as_far_from_it_as_its_twin(engine: Engine, first: Trace) -> None:
    changes = ablation([head(2, 4)])
    *_, second = reread(engine, first, changes)
    *_, other = twin(engine, first, changes)
    pair = TracePair(first, second)
    assert second.ids == first.ids and pair.has_one_text and pair.parted_at is None
    assert pair.divergences()[0] == pytest.approx(other.kl, rel=1e-3, abs=1e-6) and other.kl.max() > 1e-3
    assert not TracePair(first, first).divergences().any()


@pytest.mark.slow
def test_a_model_of_another_shape_is_compared_in_what_both_have(
    engine: Engine, checkpoint: Checkpoint, first: Trace
) -> None:
    small = lower_half(checkpoint, n_positions=10)
    *_, second = reread(small, first)
    pair = TracePair(first, second)
    assert second.computed_ids == first.computed_ids[:10] and pair.n_steps == 6  # its context is full then
    assert (pair.n_layer, pair.n_head) == (3, 4)
    assert pair.attention_moved().shape == (3, 4) and pair.stream_norms().shape == (2, 3)
    assert np.array_equal(pair.patterns(1, 4)[1], second["blocks.1.attn.hook_pattern"][:4, -4:, -4:])
    p, q = (chances(trace.steps[5].logits.astype(np.float64)) for trace in pair.both)
    assert pair.divergences()[:, 5] == pytest.approx([divergence(p, q), divergence(q, p)], rel=1e-6)
    with pytest.raises(PromptError, match="than the 10"):
        next(reread(small, engine.run(" the" * 11)))


def test_dropped_logits_are_recomputed_for_the_divergence(engine: Engine, pair: TracePair) -> None:
    squeezed = squeeze_to_fit(pair.first, 0)
    assert "logits" not in squeezed.steps[0].captures
    whole = replace(squeezed, recomputer=engine.run(HERO).recomputer)
    assert TracePair(whole, pair.second).divergences() == pytest.approx(pair.divergences(), rel=1e-3)


def test_two_models_with_other_tokens_are_refused_by_name(engine: Engine, first: Trace) -> None:
    tokens = (*first.vocabulary.tokens[:-1], b"other")
    foreign = replace(first, model="someone/else", vocabulary=Vocabulary(tokens))
    with pytest.raises(SettingsError, match=r"^bundled and someone/else have different vocabularies"):
        TracePair(first, foreign)
    with pytest.raises(SettingsError, match=r"^someone/else and bundled have different vocabularies"):
        next(reread(engine, foreign))


def test_exactly_one_thing_is_compared_with(engine: Engine) -> None:
    for asked in ({}, {"with_prompt": OTHER, "with_engine": engine}):
        with pytest.raises(SettingsError, match="exactly one"):
            compare(engine, HERO, **asked)
    looked = compare(engine, HERO, with_prompt=OTHER, max_new_tokens=0)
    assert looked.n_steps == 1 and looked.first.steps[0].draw is None is looked.second.steps[0].draw
    assert gpt2.compare is compare
    assert doctest.testmod(second_run).failed == 0 < doctest.testmod(second_run).attempted
