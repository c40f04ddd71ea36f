"""Claims about the forward pass: it is GPT-2's, on the bundled model and on shapes chosen to be awkward.

Two references: Hugging Face transformers (float32), and `reference.py` (float64), which shares no code with either.
The graphs of the awkward shapes are in tests/graphs. Where those do not fit (another CPU, a changed model), they are
compiled on first use, one to four minutes each, and kept in the user's cache.
"""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from gpt2.bench import parity
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.engine import compiling
from gpt2.engine.engine import Engine
from gpt2.errors import EngineError, SettingsError
from gpt2.model.hooks import hook_axes
from tests.checkpoints import write_checkpoint
from tests.forced import forced, tokens
from tests.models import BUNDLED
from tests.reference import Reference, relative_difference
from tests.shapes import ODD

TOLERANCE = 1e-4


@pytest.fixture(scope="session", params=[pytest.param(name, marks=pytest.mark.compiles) for name in ODD])
def odd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Engine]:
    """A random checkpoint of an awkward shape, and the engine that runs it."""
    folder = write_checkpoint(tmp_path_factory.mktemp("odd"), seed=11, **ODD[request.param])
    checkpoint = load_checkpoint(folder)
    compiling.compile_apart(checkpoint.config, lambda _: None)
    return folder, Engine(checkpoint)


def assert_parity(report: parity.ParityReport) -> None:
    for prompt in report.prompts:
        for found in (prompt.whole, prompt.cached, prompt.cached_to_whole):
            assert found.logits <= TOLERANCE, prompt
            assert found.hidden_states <= TOLERANCE, prompt
            assert found.patterns <= TOLERANCE, prompt
        assert prompt.row_error <= 1e-5, prompt
        assert prompt.future == 0, prompt
        assert prompt.same_choice > 0.99, prompt
    assert report.passed


@pytest.mark.slow
@pytest.mark.parametrize("length", [2, 10, 100, 400])
def test_the_bundled_model_equals_transformers(engine: Engine, length: int) -> None:
    assert_parity(parity.compare(BUNDLED, engine, parity.prompts_of(engine, [length])))


def test_awkward_checkpoints_equal_transformers(odd: tuple[Path, Engine]) -> None:
    folder, engine = odd
    assert_parity(parity.compare(folder, engine, parity.prompts_of(engine, [3, 64, engine.config.n_positions])))


@pytest.mark.parametrize("n_prefill", [1, 30, 60])
def test_awkward_checkpoints_equal_the_float64_reference(odd: tuple[Path, Engine], n_prefill: int) -> None:
    folder, engine = odd
    assert_every_hook_equals(folder, engine, tokens(engine, 60), n_prefill)


@pytest.mark.slow
@pytest.mark.parametrize("n_prefill", [1, 50, 80])
def test_the_bundled_model_equals_the_float64_reference(engine: Engine, n_prefill: int) -> None:
    assert_every_hook_equals(BUNDLED, engine, tokens(engine, 80), n_prefill)


def assert_every_hook_equals(folder: Path, engine: Engine, ids: list[int], n_prefill: int) -> None:
    """All hooks at all positions, and the logits of every pass."""
    expected, found = Reference(folder).forward(ids), forced(engine, ids, n_prefill)
    for name in hook_axes(engine.config.n_layer):
        assert relative_difference(found[name], expected[name]) <= TOLERANCE, name
    assert relative_difference(found["logits"], expected["logits"][n_prefill - 1 :]) <= TOLERANCE
    last = found[f"blocks.{engine.config.n_layer - 1}.hook_resid_post"]
    assert relative_difference(engine.lens(last), expected["logits"]) <= TOLERANCE


def test_the_full_context_equals_the_float64_reference(odd: tuple[Path, Engine]) -> None:
    folder, engine = odd
    ids = tokens(engine, engine.config.n_positions, seed=5)
    assert_every_hook_equals(folder, engine, ids, n_prefill=len(ids) - 4)


def test_awkward_attention_is_far_from_uniform(odd: tuple[Path, Engine]) -> None:
    """Else a lost mask or a mixed-up head could hide within the tolerance."""
    _, engine = odd
    trace = forced(engine, tokens(engine, 60), 60)
    for layer in range(engine.config.n_layer):
        pattern = trace[f"blocks.{layer}.attn.hook_pattern"][:, 20:]
        assert np.median(pattern.max(-1)) > 0.1
    gains = [array for name, array in engine.checkpoint.weights.items() if "ln_" in name and name.endswith("weight")]
    assert all(0.9 < gain.mean() < 1.1 for gain in gains)


def test_no_position_can_see_a_later_token(odd: tuple[Path, Engine]) -> None:
    _, engine = odd
    assert_causal(engine)


def test_no_position_of_the_bundled_model_can_see_a_later_token(engine: Engine) -> None:
    assert_causal(engine)


def assert_causal(engine: Engine) -> None:
    """Changing a token changes no earlier row of anything, and every row from it on."""
    ids = tokens(engine, 40)
    for changed in (1, 20, 39):
        others = list(ids)
        others[changed] = (ids[changed] + 1) % engine.config.vocab_size
        before, after = forced(engine, ids, 40), forced(engine, others, 40)
        for layer in range(engine.config.n_layer):
            pattern = before[f"blocks.{layer}.attn.hook_pattern"]
            assert np.triu(pattern, 1).max() == 0
            scores = before[f"blocks.{layer}.attn.hook_attn_scores"]
            above = np.triu(np.ones(scores.shape[1:], bool), 1)
            assert np.isneginf(scores[:, above]).all() and np.isfinite(scores[:, ~above]).all()
            name = f"blocks.{layer}.hook_resid_post"
            assert relative_difference(after[name][:changed], before[name][:changed]) <= 1e-6
            moved = np.abs(after[name] - before[name]).max(axis=1)
            assert (moved[changed:] > 1e-5).all(), "the change should reach every later row"


def test_cached_decode_equals_a_full_pass(odd: tuple[Path, Engine]) -> None:
    _, engine = odd
    ids = tokens(engine, 70, seed=8)
    whole, cached = forced(engine, ids, 70), forced(engine, ids, 1)
    for name in hook_axes(engine.config.n_layer):
        assert relative_difference(cached[name], whole[name]) <= 1e-5, name
    assert relative_difference(cached["logits"][-1], whole["logits"][-1]) <= 1e-5


def test_the_position_of_a_decoded_token_counts(engine: Engine) -> None:
    ids = [5] * 12
    trace = forced(engine, ids, 1)
    positions = trace["hook_pos_embed"]
    assert np.array_equal(positions, engine.checkpoint.weights["wpe.weight"][:12])


def test_parity_fails_for_other_weights(odd: tuple[Path, Engine], tmp_path: Path) -> None:
    """One number of one bias is off by a twentieth: the comparison must see it."""
    folder, engine = odd
    weights = dict(engine.checkpoint.weights)
    off = np.eye(1, engine.config.n_embd, dtype=np.float32)[0] / 20
    weights["h.1.mlp.c_proj.bias"] = weights["h.1.mlp.c_proj.bias"] + off
    other = Engine(type(engine.checkpoint)("other", engine.config, engine.tokenizer, weights))
    report = parity.compare(folder, other, {"text": tokens(engine, 10)})
    assert not report.passed
    assert report.prompts[0].whole.logits > TOLERANCE
    assert report.prompts[0].cached_to_whole.largest <= TOLERANCE
    assert "FAILED" in parity.table(report.to_dict())


def test_parity_reports_the_worst_of_everything() -> None:
    ours = np.array([[1.0, 2.0], [3.0, -4.5]], np.float32)
    reference = np.array([[1.0, 2.0], [3.0, -4.0]], np.float32)
    assert parity.relative(ours, reference) == pytest.approx(0.5 / 4)
    assert parity.relative(reference * np.float32(math.nan), reference) == math.inf


@pytest.mark.slow
def test_the_report_holds_what_was_compared(engine: Engine) -> None:
    found = parity.report(BUNDLED, "bundled", (10,))
    assert found["passed"]
    assert found["model"] == "bundled"
    assert found["tolerance"] == 1e-4
    assert [prompt["prompt"] for prompt in found["prompts"]] == ["text, 10", "random, 10"]
    assert found["reference"]["attention"] == "eager"
    lines = parity.table(found).splitlines()
    assert len(lines) == 2 + 3 * len(found["prompts"]) + 1
    assert lines[-1].startswith("passed")


def test_comparison_prompts_are_the_same_every_time(engine: Engine) -> None:
    prompts = parity.prompts_of(engine, [10, 400])
    assert prompts == parity.prompts_of(engine, [10, 400])
    assert [len(ids) for ids in prompts.values()] == [10, 10, 400, 400]
    assert engine.tokenizer.vocabulary.text(prompts["text, 400"]).startswith("Alice was beginning")


@pytest.mark.parametrize("length", [-1, 0, 1, 513])
def test_a_length_that_cannot_be_compared_is_refused(engine: Engine, length: int) -> None:
    with pytest.raises(SettingsError, match=rf"2 to {engine.config.n_positions} tokens"):
        parity.compare(BUNDLED, engine, {"none": [0] * length})


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_parity_without_its_reference_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(EngineError, match=rf"{missing}.*pip install -r tests/requirements\.txt"):
        parity.HuggingFace(BUNDLED)


@pytest.mark.slow
def test_a_checkpoint_that_transformers_reads_otherwise_is_no_reference(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, tied=False)
    (folder / "model.safetensors").unlink()
    write_checkpoint(tmp_path / "tied", tied=True)
    (tmp_path / "tied" / "model.safetensors").rename(folder / "model.safetensors")
    with pytest.raises(EngineError, match=r"no lm_head\.weight"):
        parity.HuggingFace(folder)
