"""Claims about the arithmetic of a number: its terms are the model's own, and add up to what the run captured."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from gpt2.bench.hook_parity import some_interventions
from gpt2.checkpoints.weights import Checkpoint, load_checkpoint
from gpt2.engine.engine import Engine
from gpt2.errors import TraceError
from gpt2.model.sampling import Distribution, Sampling, softmax
from gpt2.reading.arithmetic import (
    PREFIX,
    RULES,
    explain,
    explain_cosine,
    explain_lens,
    explain_norm,
    explain_part,
    explain_probability,
)
from gpt2.reading.attribution import attribute
from gpt2.reading.logit_parts import CHANGE
from gpt2.reading.operands import OPERANDS
from gpt2.reading.source_line import line_with
from gpt2.reading.terms import LARGEST, Sum
from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace
from pages.look.formulas import plain_formula
from tests.hold_transformer_lens import MODELS, folder_of
from tests.long_runs import UNBOUNDED, run_of, squeezed, with_recomputer
from tests.reference import Floats, Reference
from tests.test_attribution import changes_of

TOLERANCE = 1e-4
PROMPT, STEPS, PLACES = 7, 5, 4


@pytest.fixture(scope="module", params=[(model, False) for model in MODELS] + [(MODELS[-1], True)], ids=str)
def run(request: pytest.FixtureRequest) -> Iterator[tuple[Trace, Engine, Reference]]:
    """A prompt, and tokens that went through the cache, of each model; of one with interventions at every place too."""
    name, is_changed = request.param
    with folder_of(name) as folder:
        engine = Engine(load_checkpoint(folder, name))
        changes = some_interventions(engine.config, PROMPT + STEPS - 1) if is_changed else None
        yield run_of(engine, PROMPT, STEPS, UNBOUNDED, changes).trace, engine, Reference(folder)


def some_places(hook: str, array: Floats) -> list[tuple[int, ...]]:
    """A few indices of a hook's array, the same every time, the first and the last among them."""
    rng = np.random.default_rng(len(hook))
    drawn = [tuple(int(at) for at in rng.integers(array.shape)) for _ in range(PLACES)]
    return [(0,) * array.ndim, tuple(size - 1 for size in array.shape), *drawn]


def adds_up(found: Sum) -> None:
    """Fail unless the largest terms and the rest are the sum."""
    count, rest = found.rest()
    largest = found.largest()
    assert len(largest) == min(LARGEST, len(found.values)) and count == len(found.values) - len(largest)
    assert math.fsum([*(term.value for term in largest), rest]) == pytest.approx(found.total, rel=1e-12, abs=1e-12)
    assert all(term.value == pytest.approx(math.prod(term.factors), rel=1e-12) for term in largest)


def test_every_hook_is_the_sum_of_its_terms_and_the_float64_models_number(run) -> None:
    trace, engine, reference = run
    hooks = reference.forward(trace.computed_ids, changes_of(trace, reference))
    assert set(hooks) == set(trace.axes)
    for hook, array in hooks.items():
        largest = float(np.abs(array[np.isfinite(array)]).max())
        for index in some_places(hook, array):
            found = explain(trace, engine.checkpoint, hook, index)
            wanted = float(array[index])
            if math.isinf(wanted):  # a key that comes after the query
                assert found.result == found.captured == wanted
                continue
            adds_up(found)
            assert abs(found.result - wanted) <= TOLERANCE * largest, found.name
            assert abs(found.captured - wanted) <= TOLERANCE * largest and found.error <= TOLERANCE * largest
            assert found.name == f"{hook}{list(index)}"


def test_a_norm_is_the_root_of_the_squares(run) -> None:
    trace, _, reference = run
    hooks = reference.forward(trace.computed_ids, changes_of(trace, reference))
    for hook in ("hook_pos_embed", "blocks.0.hook_resid_mid", "blocks.1.hook_mlp_out"):
        found = explain_norm(trace, hook, 3)
        adds_up(found)
        assert found.result == pytest.approx(np.linalg.norm(hooks[hook][3]), rel=TOLERANCE)
        assert found.result == pytest.approx(found.captured, rel=TOLERANCE)


def test_a_cosine_is_the_sum_of_products_by_both_lengths(run) -> None:
    trace, _, reference = run
    hooks = reference.forward(trace.computed_ids, changes_of(trace, reference))
    names = "blocks.1.hook_mlp_out", "blocks.1.hook_resid_mid"
    x, y = (hooks[name][3] for name in names)
    found = explain_cosine(trace, *names, 3)
    adds_up(found)
    assert found.result == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y), abs=TOLERANCE)
    assert found.result == pytest.approx(found.captured, abs=TOLERANCE)


def test_the_lens_reads_the_stream_as_the_float64_model_does(run) -> None:
    trace, engine, reference = run
    hooks = reference.forward(trace.computed_ids, changes_of(trace, reference))
    x = hooks["blocks.0.hook_resid_post"][2]
    normed = (x - x.mean()) / np.sqrt(x.var() + reference.epsilon)
    final = normed * reference.weights["ln_f.weight"] + reference.weights["ln_f.bias"]
    logits = final @ reference.unembedding.T
    found = explain_lens(trace, engine.checkpoint, "blocks.0.hook_resid_post", 2, 9)
    adds_up(found)
    assert abs(found.result - logits[9]) <= TOLERANCE * np.abs(logits).max() >= found.error


def test_a_part_of_a_logit_is_its_own_product(run) -> None:
    trace, engine, _ = run
    found = attribute(trace, engine.checkpoint, 5, 9, PROMPT)
    for part in found.parts:
        if part.kind != CHANGE:
            opened = explain_part(trace, engine.checkpoint, found, part)
            adds_up(opened)
            assert opened.result == pytest.approx(part.logit, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "sampling",
    [Sampling(), Sampling(0.7, 5), Sampling(1.3, 0, 0.8), Sampling(0.0)],
    ids=["as it is", "top-k", "top-p", "greedy"],
)
def test_a_probability_is_a_share_of_what_the_filters_kept(trace: Trace, sampling: Sampling) -> None:
    logits = trace.step(-1).logits
    distribution = Distribution.of(logits, sampling)
    token, last = (int(distribution.order[rank]) for rank in (0, -1))
    found = explain_probability(logits, distribution, sampling.temperature, token, trace.vocabulary)
    adds_up(found)
    assert found.result == pytest.approx(distribution.final[token], rel=1e-9)
    if sampling == Sampling():
        assert found.result == pytest.approx(softmax(logits)[token], rel=1e-9)
    else:
        removed = explain_probability(logits, distribution, sampling.temperature, last, trace.vocabulary)
        assert removed.result == removed.captured == 0


def test_a_sum_is_opened_in_a_run_that_has_dropped_its_captures(engine: Engine, trace: Trace) -> None:
    small = with_recomputer(engine, squeezed(trace, Level.NO_PATTERNS))
    for hook, index in (("blocks.1.mlp.hook_post", (3, 7)), ("blocks.2.attn.hook_z", (9, 1, 2)), ("logits", (3, 9))):
        found = explain(small, engine.checkpoint, hook, index)
        assert found.result == pytest.approx(explain(trace, engine.checkpoint, hook, index).captured, rel=1e-3)


@pytest.mark.parametrize(
    ("hook", "index"),
    [("blocks.0.hook_resid_pre", (0, 999)), ("blocks.9.hook_resid_pre", (0, 0)), ("hook_embed", (-1, 0)),
     ("hook_embed", (0,)), ("logits", (400, 0)), ("norm", (0,))],
)  # fmt: skip
def test_a_number_that_is_not_in_the_run_is_refused(
    trace: Trace, checkpoint: Checkpoint, hook: str, index: tuple[int, ...]
) -> None:
    with pytest.raises(TraceError, match="There is no number"):
        explain(trace, checkpoint, hook, index)


def test_every_rule_shows_lines_of_the_model_and_every_hook_has_one(trace: Trace) -> None:
    readings = {"norm", "cosine", "lens", "part", "final bias", "probability"}
    assert {PREFIX.sub("", hook) for hook in trace.axes} == set(OPERANDS) == set(RULES) - readings
    assert all(line.code and line.number for rule in RULES.values() for line in rule.lines)
    with pytest.raises(ValueError, match="0 lines"):
        line_with("model/mlp.py", "self.hook_unheard_of(")


def test_every_formula_can_be_written_as_a_line_of_text() -> None:
    lines = {name: plain_formula(rule.formula) for name, rule in RULES.items()}
    assert not [line for line in lines.values() if set(line) & set("\\{}") or "  " in line]
    assert lines["attn.hook_z"] == "z[j] = Σ_k pattern[qk] v[kj]"
    assert lines["hook_scale"] == "s = √(1/n Σ_i (x[i] − x̄)^2 + ε)"
    assert lines["hook_resid_pre"] == "x_pre[0] = token + position, x_pre[l] = x_post[l − 1]"
    assert lines["cosine"] == "cos(x, y) = Σ_i x[i] y[i] / (‖x‖ ‖y‖)"
    assert lines["lens"] == "logit[t] = Σ_i ln_f(x)[i] W[ti]"
    assert lines["part"] == "part = Σ_i c[i] d[i], d = (w ⊙ u − mean(w ⊙ u)) / s"
    assert lines["probability"] == "p[t] = e^((z[t] − m) / T) / Σ_(kept j) e^((z[j] − m) / T)"
