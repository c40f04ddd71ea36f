"""Claims about runs: stepping back, going on, branching and drawing again never change what was computed."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gpt2.engine import passes
from gpt2.engine import run as running
from gpt2.engine.engine import Engine
from gpt2.engine.readout import LENS_TOKENS
from gpt2.engine.run import Run
from gpt2.errors import GPT2Error, PromptError, SettingsError
from gpt2.model.hooks import hook_axes
from gpt2.model.interventions import Interventions, Scale
from gpt2.model.sampling import Distribution, Sampling, softmax
from gpt2.trace.trace import Trace
from tests.models import PROMPT
from tests.reference import relative_difference

WARM = Sampling(0.9, 50, 0.95, seed=12)


def started(engine: Engine, n_steps: int, sampling: Sampling = WARM, prompt: str = PROMPT) -> Run:
    run = engine.start(prompt)
    for _ in range(n_steps):
        run.advance(sampling)
    return run


def assert_same_numbers(one: Trace, two: Trace) -> None:
    assert one.ids == two.ids
    for name in one.axes:
        assert np.array_equal(one[name], two[name]), name
    assert [step.draw for step in one.steps] == [step.draw for step in two.steps]


def test_the_first_step_takes_the_prompt_and_each_later_one_the_token_drawn(engine: Engine) -> None:
    run = engine.start(PROMPT)
    assert run.trace.steps == () and run.trace.text == ""
    first, second = run.advance(WARM), run.advance(WARM)
    assert engine.tokenizer.vocabulary.text(first.ids) == PROMPT
    assert second.ids == (first.draw.token,)
    assert (first.start, first.stop, second.start) == (0, len(first.ids), len(first.ids))


def test_the_same_settings_give_the_same_run_bit_for_bit(engine: Engine) -> None:
    assert_same_numbers(started(engine, 12).trace, started(engine, 12).trace)


def test_another_seed_gives_another_text(engine: Engine) -> None:
    texts = {started(engine, 12, Sampling(1.2, seed=seed)).trace.text for seed in range(4)}
    assert len(texts) == 4


@pytest.mark.parametrize("kept", [0, 1, 5, 11])
def test_stepping_back_and_on_again_gives_the_same_run(engine: Engine, kept: int) -> None:
    run = started(engine, 12)
    before = run.trace
    run.cut(kept)
    for _ in range(12 - kept):
        run.advance(WARM)
    assert_same_numbers(run.trace, before)
    assert all(one is two for one, two in zip(run.trace.steps[:kept], before.steps[:kept], strict=True))


def test_going_on_after_a_cut_equals_a_full_pass_over_those_tokens(engine: Engine) -> None:
    run = started(engine, 8)
    run.cut(4)
    run.resample(Sampling(0))
    for _ in range(4):
        run.advance(Sampling(0))
    whole = Run(engine, run.trace.computed_ids, Interventions())
    whole.advance(None)
    for name in hook_axes(engine.config.n_layer):
        assert relative_difference(run.trace[name], whole.trace[name]) <= 1e-5, name
    assert relative_difference(run.trace["logits"][-1], whole.trace["logits"][-1]) <= 1e-5


def test_each_draw_can_be_repeated_from_the_trace(trace: Trace) -> None:
    for step in trace.steps:
        draw = step.draw
        assert draw.u == draw.sampling.uniform(step.stop)
        assert Distribution.of(step.logits, draw.sampling).pick(draw.u) == draw.token
        assert step.distribution.final[draw.token] > 0


def test_the_seed_and_not_the_way_there_decides_a_draw(engine: Engine) -> None:
    """After a detour of greedy tokens and a step back, position 7 draws the same u as it did at first."""
    run = started(engine, 8)
    u = [step.draw.u for step in run.trace.steps]
    run.cut(3)
    for _ in range(5):
        run.advance(Sampling(0, seed=WARM.seed))
    assert [step.draw.u for step in run.trace.steps] == u


def test_resample_changes_the_draw_and_nothing_else(engine: Engine) -> None:
    run = started(engine, 6)
    before = run.trace
    step = run.resample(Sampling(0))
    assert step.captures == before.steps[-1].captures
    assert step.draw.token == int(step.logits.argmax())
    assert run.trace.steps[:-1] == before.steps[:-1]
    assert before.steps[-1].draw.sampling == WARM
    run.resample(WARM)
    assert run.trace.ids == before.ids


def test_a_token_drawn_again_is_the_one_that_goes_in(engine: Engine) -> None:
    run = started(engine, 3)
    least = Sampling(100.0, seed=99)
    token = run.resample(least).draw.token
    assert run.advance(WARM).ids == (token,)


def test_resample_before_the_first_step_is_refused(engine: Engine) -> None:
    with pytest.raises(GPT2Error, match="Nothing has been computed"):
        engine.start(PROMPT).resample(WARM)


def test_a_branch_shares_its_steps_and_names_its_parent(engine: Engine) -> None:
    run = started(engine, 8)
    parent = run.trace
    branch = run.branch(3)
    assert branch.run_id != parent.run_id
    assert (branch.lineage.parent, branch.lineage.steps) == (parent.run_id, 3)
    run.resample(Sampling(5.0, seed=4))
    for _ in range(5):
        run.advance(Sampling(5.0, seed=4))
    assert run.trace.run_id == branch.run_id and run.trace.lineage == branch.lineage
    assert all(one is two for one, two in zip(run.trace.steps[:2], parent.steps[:2], strict=True))
    assert len(parent.steps) == 8 and parent.ids == started(engine, 8).trace.ids
    assert run.trace.ids[: parent.steps[2].stop] == parent.ids[: parent.steps[2].stop]
    assert run.trace.ids != parent.ids


@pytest.mark.slow
def test_a_trace_handed_out_does_not_change_while_the_run_goes_on(engine: Engine) -> None:
    run = started(engine, 4)
    handed, copies = run.trace, {name: run.trace[name].copy() for name in run.trace.axes}
    for _ in range(80):  # past the cache's first growth
        run.advance(WARM)
    run.cut(2)
    run.advance(Sampling(0))
    assert len(handed.steps) == 4
    assert all(np.array_equal(handed[name], copy) for name, copy in copies.items())


def test_a_run_stops_at_the_full_context_with_a_token_drawn_at_its_last_position(engine: Engine) -> None:
    n = engine.config.n_positions
    run = Run(engine, tuple([7] * (n - 1)), Interventions())
    run.advance(WARM)
    assert not run.is_full
    run.advance(WARM)
    assert run.is_full and run.trace.seq == n and len(run.trace.ids) == n + 1
    for refused in (WARM, Sampling(0), None):
        with pytest.raises(GPT2Error, match=f"context of {n} tokens is full"):
            run.advance(refused)
    assert len(run.trace.steps) == 2
    run.cut(1)
    assert not run.is_full
    assert run.advance(WARM).stop == n


@pytest.mark.slow
def test_a_prompt_that_fills_the_context_is_followed_by_one_token(engine: Engine) -> None:
    n = engine.config.n_positions
    run = Run(engine, tuple([7] * n), Interventions())
    step = run.advance(WARM)
    assert run.is_full and step.distribution.final[step.draw.token] > 0
    read = io.BytesIO()
    run.trace.save(read)
    assert Trace.load(io.BytesIO(read.getvalue())).ids == run.trace.ids == (*[7] * n, step.draw.token)


def test_nothing_is_run_beyond_the_last_position(engine: Engine) -> None:
    n = engine.config.n_positions
    run = Run(engine, tuple([7] * n), Interventions())
    run.advance(None)
    run.resample(WARM)
    with pytest.raises(GPT2Error, match="full"):
        run.advance(None)


def test_a_step_without_a_draw_is_no_start_for_the_next(engine: Engine) -> None:
    run = engine.start(PROMPT)
    run.advance(None)
    with pytest.raises(GPT2Error, match="No token was drawn"):
        run.advance(WARM)
    run.resample(WARM)
    run.advance(WARM)
    assert_same_numbers(run.trace, started(engine, 2).trace)


def test_generate_ends_early_and_quietly_at_the_full_context(engine: Engine) -> None:
    n = engine.config.n_positions
    prompt = " a" * (n - 3)
    steps = list(engine.generate(prompt, 10, Sampling(0), ignore_eos=True))
    assert len(steps) == 1 + n - len(engine.tokenizer.encode(prompt))


def test_generate_yields_as_many_steps_as_asked(engine: Engine) -> None:
    steps = list(engine.generate(PROMPT, 5, WARM))
    assert [step.draw for step in steps] == [step.draw for step in started(engine, 5).trace.steps]


def test_run_computes_the_prompt_and_draws_nothing(engine: Engine) -> None:
    trace = engine.run(PROMPT)
    assert trace.generated_ids == () and trace.text == PROMPT
    with pytest.raises(GPT2Error, match="Nothing was drawn"):
        _ = trace.steps[0].distribution


def test_settings_that_do_not_fit_leave_the_run_as_it_was(engine: Engine) -> None:
    run = started(engine, 3)
    before = run.trace
    with pytest.raises(SettingsError, match="Top-k is 2049"):
        run.advance(Sampling(top_k=2049))
    assert run.trace is before
    run.advance(WARM)
    assert_same_numbers(run.trace, started(engine, 4).trace)


@pytest.mark.parametrize("n_steps", [0, 3])
@pytest.mark.parametrize("part", ["draw", "lens_rows", "squeeze_to_fit"])
def test_a_step_that_fails_halfway_leaves_the_run_as_it_was(engine: Engine, monkeypatch, part: str, n_steps) -> None:
    run = started(engine, n_steps)
    before = run.trace

    def fails(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(passes if part == "draw" else running, part, fails)
        with pytest.raises(MemoryError):
            run.advance(WARM)
    assert run.trace is before
    run.advance(WARM)
    assert_same_numbers(run.trace, started(engine, n_steps + 1).trace)


def test_no_tokens_are_refused_by_the_forward_pass_which_would_end_the_process(engine: Engine) -> None:
    with pytest.raises(PromptError, match="no token ids"):
        engine.prefill((), Interventions(), engine.new_cache())


def test_a_bad_prompt_is_refused_before_anything_runs(engine: Engine) -> None:
    for prompt in ("", "\ud800", " a" * 2000):
        with pytest.raises(PromptError):
            engine.start(prompt)


def test_the_lens_reads_every_layer_at_the_newest_position(engine: Engine, trace: Trace) -> None:
    for step in trace.steps[::10]:
        rows = [step.captures["blocks.0.hook_resid_pre"][-1]]
        rows += [step.captures[f"blocks.{layer}.hook_resid_post"][-1] for layer in range(engine.config.n_layer)]
        for row, logits in enumerate(engine.lens(np.stack(rows))):
            probabilities = softmax(logits)
            best = np.sort(probabilities)[::-1][:LENS_TOKENS]
            assert step.lens.probabilities[row] == pytest.approx(best, rel=1e-5)
            assert probabilities[step.lens.tokens[row]] == pytest.approx(best, rel=1e-5)
            assert step.lens.drawn[row] == pytest.approx(probabilities[step.draw.token], rel=1e-5)
        assert step.lens.drawn[-1] == pytest.approx(step.distribution.raw[step.draw.token], rel=1e-4)


@pytest.mark.slow
def test_runs_in_many_threads_do_not_disturb_each_other(engine: Engine) -> None:
    """One engine serves all visitors: interleaved runs with different changes give what each gives alone."""
    changes = [Interventions((Scale(layer, None, 0.5),)) for layer in range(4)]

    def run_alone(changed: Interventions) -> Trace:
        run = engine.start(PROMPT, changed)
        for _ in range(15):
            run.advance(WARM)
        return run.trace

    alone = [run_alone(changed) for changed in changes]
    with ThreadPoolExecutor(4) as pool:
        for one, two in zip(alone, pool.map(run_alone, changes), strict=True):
            assert_same_numbers(one, two)


def test_one_run_asked_from_many_threads_stays_one_run(engine: Engine) -> None:
    run = engine.start(PROMPT)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run.advance, [WARM] * 12))
    assert_same_numbers(run.trace, started(engine, 12).trace)


def test_a_prompt_of_one_token_runs(engine: Engine) -> None:
    trace = started(engine, 3, prompt="a").trace
    assert trace.prompt_ids == tuple(engine.tokenizer.encode("a"))
    assert trace["blocks.0.attn.hook_pattern"][:, 0, 0] == pytest.approx(np.ones(engine.config.n_head))
