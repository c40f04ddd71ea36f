"""Claims about experiments: ablation, steering, patching and sweeps do what they say, against the float64 reference."""

import doctest
import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.engine.long_prompt import whole_bytes
from gpt2.engine.turns import Turn, Withdrawn
from gpt2.errors import EngineError, SettingsError
from gpt2.experiments import ablation, patching, steering
from gpt2.experiments.ablation import ablate
from gpt2.experiments.effect import effect_of, kl_bits
from gpt2.experiments.part import Part, head, mlp, stream
from gpt2.experiments.passes import observe, read
from gpt2.experiments.patching import Pair, patch
from gpt2.experiments.steering import steer
from gpt2.experiments.sweep import sweep_ablation, sweep_patching
from gpt2.experiments.twin import twin
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from tests.effects import TOLERANCE, agrees, chances
from tests.forced import tokens
from tests.models import BUNDLED
from tests.reference import Changes, Floats, Reference

SEQ = 14
HERO, OTHER = "The king said to his", "The king went to the"


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(BUNDLED)


def zeroed(change: Changes, _: dict[str, Floats]) -> None:
    change.scale["attn.hook_z"][2, :, 4] = change.scale["hook_mlp_out"][0] = 0


def zeroed_in_places(change: Changes, _: dict[str, Floats]) -> None:
    change.scale["attn.hook_z"][1, [3, SEQ - 1], 5] = 0


def averaged(change: Changes, hooks: dict[str, Floats]) -> None:
    zeroed(change, hooks)
    change.add["attn.hook_z"][2, :, 4] = hooks["blocks.2.attn.hook_z"][:, 4].mean(0)
    change.add["hook_mlp_out"][0] = hooks["blocks.0.hook_mlp_out"].mean(0)


@pytest.mark.parametrize(
    ("meant", "asked"),
    [
        (zeroed, {"heads": [(2, 4)], "mlps": [0]}),
        (zeroed_in_places, {"heads": [(1, 5)], "positions": [3, -1]}),
        (averaged, {"heads": [(2, 4)], "mlps": [0], "kind": "mean"}),
    ],
    ids=["zero", "zero in places", "mean"],
)
def test_an_ablation_has_the_effect_that_the_reference_computes(
    engine: Engine, reference: Reference, meant: Callable[[Changes, dict[str, Floats]], None], asked: dict
) -> None:
    ids, change = tokens(engine, SEQ), reference.neutral(SEQ)
    plain = reference.forward(ids)
    meant(change, plain)
    found = ablate(engine, ids, **asked)
    assert found.effect.kl > 1e-3  # or it would prove nothing
    agrees(found, plain["logits"][-1], reference.forward(ids, change)["logits"][-1])


def test_a_mean_may_be_over_other_prompts(engine: Engine, reference: Reference) -> None:
    ids, others = tokens(engine, SEQ), [tokens(engine, 5, seed=8), tokens(engine, 9, seed=9)]
    change = reference.neutral(SEQ)
    change.scale["hook_mlp_out"][3] = 0
    rows = [reference.forward(other)["blocks.3.hook_mlp_out"] for other in others]
    change.add["hook_mlp_out"][3] = np.concatenate(rows).mean(0)
    found = ablate(engine, ids, mlps=[3], kind="mean", references=others)
    agrees(found, reference.forward(ids)["logits"][-1], reference.forward(ids, change)["logits"][-1])
    assert "2 references" in found.says


def test_steering_adds_a_share_of_the_streams_mean_length(engine: Engine, reference: Reference) -> None:
    ids, toward, away = tokens(engine, SEQ), tokens(engine, 6, seed=4), tokens(engine, 8, seed=5)
    plain = reference.forward(ids)
    row = reference.unembedding[77]
    ends = [reference.forward(other)["blocks.3.hook_resid_pre"][-1] for other in (toward, away)]
    for layer, direction, asked in (
        (4, row, {"toward": 77}),
        (3, ends[0] - ends[1], {"toward": toward, "away": away, "positions": [2, -1]}),
    ):
        change = reference.neutral(SEQ)
        mean = np.linalg.norm(plain[f"blocks.{layer}.hook_resid_pre"], axis=1)[1:].mean()
        at = [2, SEQ - 1] if "positions" in asked else slice(None)
        change.add["hook_resid_pre"][layer, at] = 0.7 * mean * direction / np.linalg.norm(direction)
        found = steer(engine, ids, layer, 0.7, **asked)
        agrees(found, plain["logits"][-1], reference.forward(ids, change)["logits"][-1])
        assert f"{0.7 * mean:.1f} long" in found.says and "70\u202f%" in found.says


@pytest.mark.parametrize("part", [stream(3), head(2, 6), mlp(4)], ids=lambda part: part.hook)
@pytest.mark.parametrize("positions", [None, (4, -1)])
def test_a_patch_restores_what_the_reference_restores(
    engine: Engine, reference: Reference, part: Part, positions: tuple[int, ...] | None
) -> None:
    clean, corrupted = tokens(engine, SEQ, seed=6), tokens(engine, SEQ, seed=7)
    source, plain, change = reference.forward(clean), reference.forward(corrupted), reference.neutral(SEQ)
    at = list(range(SEQ)) if positions is None else [4, SEQ - 1]
    where = (part.layer, at) if part.head is None else (part.layer, at, part.head)
    value = source[f"blocks.{part.layer}.{part.hook}"]
    change.scale[part.hook][where] = 0
    change.add[part.hook][where] = value[at] if part.head is None else value[at, part.head]
    after = reference.forward(corrupted, change)["logits"][-1]
    found = patch(engine, corrupted, clean, part, positions)
    token, against = source["logits"][-1].argmax(), plain["logits"][-1].argmax()
    assert (found.effect.token, found.effect.against) == (token, against)
    difference = [logits[token] - logits[against] for logits in (plain["logits"][-1], source["logits"][-1], after)]
    share = (difference[2] - difference[0]) / (difference[1] - difference[0])
    assert found.share == pytest.approx(share, abs=TOLERANCE)
    assert np.abs(found.effect.after - after).max() <= TOLERANCE * np.abs(after).max()


def test_neutral_changes_change_nothing_at_all(engine: Engine) -> None:
    ids = tokens(engine, SEQ)
    base = observe(engine, ids)
    before = read(engine, ids).logits
    pair = Pair(base, base, 1, 2)
    for changes in (
        ablation.scaling([head(2, 4), mlp(3)], 1),
        *(pair.changes(part) for part in (stream(2), head(3, 3), mlp(1))),
        pair.changes(stream(5), (7,)),
    ):
        assert np.array_equal(read(engine, ids, changes).logits, before)
    # One position is its own mean.
    assert ablate(engine, ids[:1], heads=[(2, 4)], mlps=[1], kind="mean").effect.kl == 0


def test_patching_the_whole_stream_restores_all_and_the_ends_may_be_aligned(engine: Engine) -> None:
    source, destination = observe(engine, HERO), observe(engine, "Once " + OTHER)
    pair = Pair.of(source, destination, align_end=True)
    assert pair.shift == destination.seq - source.seq > 0
    assert list(pair.positions) == list(range(pair.shift, destination.seq))
    part, at = mlp(2), destination.seq - 1
    (added,) = pair.changes(part, (-1,)).additions
    assert added.positions == (at,) and np.array_equal(np.float32(added.vector), part.values(source)[-1])
    same = patch(engine, OTHER, HERO, stream(0))
    assert same.share == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_a_sweep_measures_each_change_as_it_is_measured_by_itself(engine: Engine) -> None:
    ids = tokens(engine, 5)
    *_, swept = sweep_ablation(engine, observe(engine, ids), "mean")
    assert swept.values.shape == (6, 9) and swept.done == swept.total == 54
    for (layer, column), asked in {(3, 2): {"heads": [(3, 2)]}, (4, 8): {"mlps": [4]}}.items():
        before, after = ablate(engine, ids, kind="mean", **asked).effect.difference
        assert swept.values[layer, column] == pytest.approx(after - before, abs=1e-6)
    pair = Pair.of(observe(engine, tokens(engine, 5, seed=9)), observe(engine, ids))
    *partly, whole = sweep_patching(engine, pair)
    assert whole.values.shape == (6, 5) and whole.columns == (0, 1, 2, 3, 4)
    alone = patch(engine, ids, pair.source.computed_ids, stream(2), (3,))
    assert whole.values[2, 3] == pytest.approx(alone.share, abs=1e-6)
    assert np.isnan(partly[3].values).sum() == 30 - 3 and partly[3].strongest[0] == 5


def test_a_sweep_takes_turns_and_ends_between_two_passes(engine: Engine) -> None:
    stop, base = threading.Event(), observe(engine, tokens(engine, 4))
    sweep = sweep_ablation(engine, base, stop=stop)
    assert [next(sweep).done for _ in range(4)] == [0, 1, 2, 3]
    engine.turns.withdraw(stop)
    with pytest.raises(Withdrawn):
        next(sweep)
    with Turn(engine.turns):
        assert len(engine.turns) == 1  # the sweep holds no turn between its passes


@pytest.fixture(scope="module")
def base(engine: Engine) -> Trace:
    run = engine.start(HERO)
    for _ in range(10):
        run.advance(Sampling(0.8, 0, 0.95, seed=1))
    return run.trace


def test_a_twin_reads_the_bases_text_and_goes_on_by_itself(engine: Engine, reference: Reference, base: Trace) -> None:
    part = head(1, 0), mlp(3)
    changes = ablation.ablation(part)
    *_, made = twin(engine, base, changes)
    change = reference.neutral(base.seq)
    change.scale["attn.hook_z"][1, :, 0] = change.scale["hook_mlp_out"][3] = 0
    plain, other = (reference.forward(base.computed_ids, changed)["logits"] for changed in (None, change))
    at = [step.stop - 1 for step in base.steps]
    expected = [(chances(plain[p]) * np.log2(chances(plain[p]) / chances(other[p]))).sum() for p in at]
    assert made.kl == pytest.approx(expected, rel=1e-3, abs=1e-4)
    before, after = made.probabilities(engine, 77)
    assert before == pytest.approx([chances(plain[p])[77] for p in at], rel=1e-3)
    assert after == pytest.approx([chances(other[p])[77] for p in at], rel=1e-3)
    drawn = [step.draw.token for step in engine.generate(HERO, 10, Sampling(0.8, 0, 0.95, seed=1), changes)]
    assert made.changed_ids == tuple(drawn) and made.is_complete
    assert made.parted_at == next(
        n for n, pair in enumerate(zip(drawn, base.generated_ids, strict=True)) if len({*pair}) > 1
    )
    assert made.is_of(base) and not made.is_of(base.branch(3)) and not made.is_of(base.cut(4))
    assert made.nbytes < 25_000 and made.effect(engine, 3).kl == pytest.approx(made.kl[3], abs=1e-9)


def test_a_twin_without_a_change_is_the_base(engine: Engine, base: Trace) -> None:
    *_, made = twin(engine, base, Interventions())
    assert not made.kl.any() and made.changed_ids == base.generated_ids and made.parted_at is None


def test_the_divergence_is_the_formula_in_bits() -> None:
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.25, 0.5])
    assert kl_bits(np.log(p), np.log(q)) == pytest.approx(0.25)
    assert kl_bits(np.log([p, q]), np.log([q, q])) == pytest.approx([0.25, 0])


REFUSED: list[tuple[Callable[[Engine], object], str]] = [
    (lambda engine: ablate(engine, HERO), "name at least one head or MLP"),
    (lambda engine: ablate(engine, HERO, heads=[(9, 0)]), "There is no layer 9; this model's run from 0 to 5."),
    (lambda engine: ablate(engine, HERO, heads=[(0, 8)]), "There is no head 8; this model's run from 0 to 7."),
    (lambda engine: ablate(engine, HERO, heads=[(1, 2, 3)]), "pair of its layer and its number"),
    (lambda engine: ablate(engine, HERO, mlps=[0], positions=[5]), "There is no position 5 in this run"),
    (lambda engine: ablate(engine, HERO, mlps=[0], kind="median"), "'zero' or 'mean', not 'median'"),
    (lambda engine: ablate(engine, HERO, mlps=[0], token=-3), "There is no token -3"),
    (lambda engine: ablate(engine, HERO, mlps=[0], token=3, against=3), "choose two different ones"),
    (lambda engine: steer(engine, HERO, 2, float("nan"), 5), "A dose must be a finite number"),
    (lambda engine: steer(engine, HERO, 2, 1e9, 5), "from -1e+06 to 1e+06"),
    (lambda engine: steer(engine, HERO, 2, 1, HERO), "give `away` too"),
    (lambda engine: steer(engine, HERO, 2, 1, HERO, HERO), "no length"),
    (lambda engine: patch(engine, HERO, "The king", stream(0)), "has 2 tokens and the other 5; give two of the same"),
    (lambda engine: patch(engine, HERO, HERO, stream(0)), "choose other prompts, or two tokens"),
    (lambda engine: patch(engine, HERO, OTHER, mlp(6)), "There is no layer 6"),
    (lambda engine: patch(engine, HERO, OTHER, mlp(1), (9,)), "run from 0 to 4"),
]


@pytest.mark.parametrize(("asked", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_cannot_be_done_is_one_sentence(engine: Engine, asked: Callable[[Engine], object], sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        asked(engine)
    said = str(refused.value)
    assert sentence in said and said.endswith(".") and "\n" not in said


def test_a_change_that_overflows_says_so(engine: Engine) -> None:
    with pytest.raises(EngineError, match="use weaker interventions"):
        read(engine, tokens(engine, 3), ablation.scaling([mlp(layer) for layer in range(6) for _ in range(8)], 1e6))


def test_a_prompt_that_exceeds_the_budget_is_read_layer_by_layer_to_the_same_numbers(
    engine: Engine, base: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"heads": [(2, 4)], "mlps": [3], "kind": "mean"}
    whole, (*_, at_once) = ablate(engine, HERO, **asked), twin(engine, base, ablation.ablation([head(2, 4)]))
    monkeypatch.setenv("GPT2_TRACE_MB", "0.1")
    apart, (*_, layered) = ablate(engine, HERO, **asked), twin(engine, base, ablation.ablation([head(2, 4)]))
    assert apart.effect.after == pytest.approx(whole.effect.after, abs=1e-4)
    assert layered.kl == pytest.approx(at_once.kl, rel=1e-3, abs=1e-6)
    assert layered.changed_ids == at_once.changed_ids


PEAK = """
import gpt2
from gpt2.bench.machine import peak_mb, resident_mb
from gpt2.experiments.passes import read
engine = gpt2.load("bundled")
read(engine, range(8))
before = resident_mb()
read(engine, range(512))
print(peak_mb() - before)
"""


@pytest.mark.slow
def test_a_pass_over_the_whole_context_never_holds_all_captures_at_once(engine: Engine) -> None:
    grown = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True, timeout=300).stdout
    assert float(grown) < 0.9 * whole_bytes(engine.config, 512) / 1e6


def test_two_tokens_are_compared_even_if_the_runner_up_is_watched(engine: Engine) -> None:
    logits = np.array([1.0, 3.0, 2.0])
    assert (effect_of(logits, logits, 2, None).against, effect_of(logits, logits, None, None).against) == (1, 2)


@pytest.mark.parametrize("module", [ablation, steering, patching], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_run(module: object) -> None:
    assert doctest.testmod(module).failed == 0 < doctest.testmod(module).attempted  # type: ignore[arg-type]
