"""Claims about branches: nothing before the branch is recomputed, and the run that it leaves stays as it is."""

import io
from dataclasses import replace

import numpy as np
import pytest
from max.driver import CPU

from gpt2.engine.cache import KVCache
from gpt2.engine.devices import DeviceCache
from gpt2.engine.engine import Engine
from gpt2.engine.fork import fork_trace
from gpt2.engine.run import Run
from gpt2.errors import EngineError, GPT2Error, SettingsError, TraceError
from gpt2.model.sampling import Distribution, Sampling
from gpt2.reading.report import token_report
from gpt2.trace.budget import squeeze_to_fit
from gpt2.trace.trace import Trace
from tests.models import PROMPT
from tests.reference import relative_difference

WARM = Sampling(0.9, 50, 0.95, seed=12)
AT, STEPS = 4, 9
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def base(engine: Engine) -> Run:
    run = engine.start(PROMPT)
    for _ in range(STEPS):
        run.advance(WARM)
    return run


def go_on(run: Run, token: int, steps: int = STEPS - AT - 1) -> Trace:
    run.choose(token, WARM)
    for _ in range(steps):
        run.advance(WARM)
    return run.trace


def another(trace: Trace, at: int = AT) -> int:
    """A token that the run did not draw there."""
    order = Distribution.of(trace.steps[at].logits, WARM).order
    return int(order[1] if order[0] == trace.steps[at].draw.token else order[0])


def assert_same(one: Trace, two: Trace, tolerance: float) -> None:
    assert one.ids == two.ids
    for name in one.axes:
        ours, theirs = (np.nan_to_num(trace[name], neginf=0) for trace in (one, two))
        assert relative_difference(ours, theirs) <= tolerance, name


def forks(base: Run) -> dict[str, Run]:
    """A branch of the live run, of its record, and of its record in a file."""
    file = io.BytesIO()
    base.trace.save(file)
    file.seek(0)
    return {
        "live": base.fork(AT + 1),
        "recorded": fork_trace(base.engine, base.trace, AT + 1),
        "file": fork_trace(base.engine, Trace.load(file), AT + 1),
    }


@pytest.mark.parametrize("source", ["live", "recorded", "file"])
def test_a_branch_with_the_token_that_the_run_drew_is_the_run_number_for_number(base: Run, source: str) -> None:
    before = base.trace
    assert_same(go_on(forks(base)[source], before.steps[AT].draw.token), before, 0)


@pytest.mark.parametrize("source", ["live", "recorded"])
def test_a_branch_with_another_token_has_the_numbers_of_a_fresh_run_of_its_text(
    engine: Engine, base: Run, source: str
) -> None:
    branched = go_on(forks(base)[source], another(base.trace))
    whole = engine.run(branched.computed_ids)
    for name in whole.axes:
        ours, theirs = branched[name], whole[name]
        if name == "logits":
            ours = ours[-1:]
        assert relative_difference(np.nan_to_num(ours, neginf=0), np.nan_to_num(theirs, neginf=0)) <= TOLERANCE, name


def test_the_run_that_a_branch_leaves_is_unchanged_bit_for_bit_and_goes_on_as_it_would_have(engine: Engine) -> None:
    alone, run = engine.start(PROMPT), engine.start(PROMPT)
    for _ in range(AT + 2):
        alone.advance(WARM)
        run.advance(WARM)
    before = run.trace
    forked = run.fork(AT + 1)
    go_on(forked, another(before))
    assert run.trace is before
    for _ in range(3):
        alone.advance(WARM)
        run.advance(WARM)
        forked.advance(WARM)
    assert_same(run.trace, alone.trace, 0)
    assert [step.draw for step in run.trace.steps] == [step.draw for step in alone.trace.steps]


def test_a_branch_shares_the_captures_before_it_and_remembers_where_it_left(base: Run) -> None:
    branched = go_on(base.fork(AT + 1), another(base.trace))
    pairs = zip(branched.steps[: AT + 1], base.trace.steps, strict=False)
    assert all(own.captures is theirs.captures for own, theirs in pairs)
    assert branched.steps[:AT] == base.trace.steps[:AT] and branched.run_id != base.trace.run_id
    assert (branched.lineage.parent, branched.lineage.steps) == (base.trace.run_id, AT + 1)


def test_a_chosen_token_has_the_models_numbers_and_no_draw_also_in_a_file(base: Run) -> None:
    token, step = another(base.trace), base.trace.steps[AT]
    chosen = go_on(base.fork(AT + 1), token)
    file = io.BytesIO()
    chosen.save(file)
    file.seek(0)
    logits = step.logits.astype(np.float64)
    probability = float(np.exp(logits[token] - logits.max()) / np.exp(logits - logits.max()).sum())
    for trace in (chosen, Trace.load(file)):
        own = trace.steps[AT]
        told = token_report(own, trace.vocabulary, 0.0)
        assert own.draw.is_chosen and told["u"] is None and not trace.steps[AT + 1].draw.is_chosen
        assert told["id"] == token and told["rank"] == 1 + int((step.logits > step.logits[token]).sum())
        assert told["probability"] == pytest.approx(probability, rel=1e-9)
        assert own.choice[1] == pytest.approx(-np.log2(probability)) == told["surprisal_bits"]
        assert own.lens.drawn[-1] == pytest.approx(probability, rel=1e-4)


def test_a_squeezed_run_is_branched_with_the_numbers_of_the_whole_one(engine: Engine, base: Run) -> None:
    token = another(base.trace)
    squeezed = squeeze_to_fit(base.trace, 0)  # all it can drop is dropped
    assert "blocks.0.attn.hook_k" not in squeezed.steps[0].captures
    branched, whole = (go_on(fork_trace(engine, trace, AT + 1), token) for trace in (squeezed, base.trace))
    assert branched.ids == whole.ids
    for name in ("blocks.5.hook_resid_post", "blocks.3.attn.hook_pattern", "logits"):
        ours, theirs = (trace.steps[-1].captures[name] for trace in (branched, whole))
        assert relative_difference(ours, theirs) <= TOLERANCE, name


def test_what_cannot_be_branched_is_refused_in_a_sentence_and_changes_nothing(engine: Engine, base: Run) -> None:
    before = base.trace
    with pytest.raises(TraceError, match="it cannot be cut to 99"):
        base.fork(99)
    with pytest.raises(GPT2Error, match="needs a step"):
        fork_trace(engine, before, 0)
    with pytest.raises(SettingsError, match="There is no token 99999"):
        base.fork(AT).choose(99_999, WARM)
    with pytest.raises(GPT2Error, match="Nothing has been computed"):
        engine.start(PROMPT).choose(3, WARM)
    assert base.trace is before
    other = replace(before, config=replace(before.config, layer_norm_epsilon=2e-5))
    with pytest.raises(EngineError, match="another model"):
        fork_trace(engine, other, 1)


@pytest.mark.parametrize("kind", [KVCache, DeviceCache])
def test_a_copied_cache_shares_no_memory_with_its_source(engine: Engine, kind: type[KVCache]) -> None:
    config = engine.config
    source = kind(config) if kind is KVCache else kind(config, CPU())
    rows = [np.full((70, config.n_head, config.d_head), layer + 1, np.float32) for layer in range(config.n_layer)]
    source.extend(rows, rows)
    other = source.copied(5)
    other.extend([-row[:3] for row in rows], [-row[:3] for row in rows])
    assert (source.length, other.length) == (70, 8) and other.nbytes < source.nbytes
    for layer in range(config.n_layer):
        ours, theirs = (
            np.asarray(part if kind is KVCache else part.to_numpy())
            for part in (other.past(layer)[1], source.past(layer)[1])
        )
        assert (theirs == layer + 1).all() and (ours[:5] == layer + 1).all() and (ours[5:] == -layer - 1).all()
