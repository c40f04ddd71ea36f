"""Claims about direct logit attribution: its parts are the model's own, add up, and lead back to the words."""

import doctest
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpt2.bench.forced_run import forced_run
from gpt2.bench.hook_parity import some_interventions
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.engine.engine import Engine
from gpt2.errors import PromptError, SettingsError, TraceError
from gpt2.model.interventions import Addition, Interventions, Scale
from gpt2.reading.attribution import attribute, first_and_runner_up, logits_at, looked_at
from gpt2.reading.logit_parts import CHANGE, FINAL_BIAS, HEAD, Attribution, Part
from gpt2.text.one_token import one_token
from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace
from pages.look.names import head_name
from tests import hold_attribution
from tests.command_line import refused, said
from tests.hold_transformer_lens import FILE, MODELS, TOKENS, folder_of, prompt_of
from tests.long_runs import UNBOUNDED, run_of, squeezed, with_recomputer
from tests.reference import Changes, Floats, Reference

TOLERANCE = 1e-4
PROMPT, STEPS = 7, 5
SEQ = PROMPT + STEPS - 1
PLACES = ("hook_resid_pre", "attn.hook_z", "hook_mlp_out", "hook_resid_post")
Key = tuple[Any, ...]


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Iterator[tuple[str, Engine, Reference]]:
    """The bundled model and two random ones of odd shapes, with the independent model in float64."""
    with folder_of(request.param) as folder:
        yield request.param, Engine(load_checkpoint(folder, request.param)), Reference(folder)


@pytest.fixture(scope="module", params=[False, True], ids=["as it is", "changed"])
def run(request: pytest.FixtureRequest, model: tuple[str, Engine, Reference]) -> tuple[Trace, Engine, Reference]:
    """A prompt, and tokens that went through the cache; with interventions at every place, and without."""
    _, engine, reference = model
    changes = some_interventions(engine.config, SEQ) if request.param else None
    return run_of(engine, PROMPT, STEPS, UNBOUNDED, changes).trace, engine, reference


def changes_of(trace: Trace, reference: Reference) -> Changes:
    """A run's interventions as the independent model takes them."""
    made, told = reference.neutral(trace.seq), trace.steps[0].interventions
    for one in (*told.scales, *told.additions):
        at = slice(None) if one.positions is None else [p for p in one.positions if p < trace.seq]
        if one.hook == "attn.hook_z":
            heads = slice(None) if one.head is None else one.head
            shape = made.add[one.hook][one.layer, at][..., heads, :].shape
            rows = np.ix_(np.arange(trace.seq)[at], np.arange(reference.n_head)[heads].reshape(-1))
            if isinstance(one, Scale):
                made.scale[one.hook][one.layer][rows] *= one.factor
            else:
                added = np.broadcast_to(np.reshape(one.vector, shape[1:]), shape)
                made.add[one.hook][one.layer][rows] += added.reshape(len(rows[0]), -1, shape[-1])
        elif isinstance(one, Scale):
            made.scale[one.hook][one.layer, at] *= one.factor
        else:
            made.add[one.hook][one.layer, at] += one.vector
    return made


def vectors_of(reference: Reference, hooks: dict[str, Floats], change: Changes, at: int) -> dict[Key, Floats]:
    """Every part of the last vector of the stream, followed from the bottom up: each later scale scales it."""
    stream: dict[Key, Floats] = {
        ("token embedding",): hooks["hook_embed"][at],
        ("position embedding",): hooks["hook_pos_embed"][at],
    }

    def pass_place(layer: int, place: str) -> None:
        for key in stream:
            stream[key] = stream[key] * change.scale[place][layer, at]
        stream[CHANGE, layer, place] = change.add[place][layer, at]

    for layer in range(reference.n_layer):
        pass_place(layer, "hook_resid_pre")
        weight, bias = (reference.weights[f"h.{layer}.attn.c_proj.{name}"] for name in ("weight", "bias"))
        added = change.add["attn.hook_z"][layer, at]  # [head, d_head]
        z = hooks[f"blocks.{layer}.attn.hook_z"][at] - added
        for head, columns in enumerate(np.split(weight, reference.n_head)):  # [in, out]
            stream[HEAD, layer, head] = z[head] @ columns
        stream[CHANGE, layer, "attn.hook_z"] = added.ravel() @ weight
        stream["attention bias", layer] = bias
        added = change.add["hook_mlp_out"][layer, at]
        stream["MLP", layer], stream[CHANGE, layer, "hook_mlp_out"] = (
            hooks[f"blocks.{layer}.hook_mlp_out"][at] - added,
            added,
        )
        pass_place(layer, "hook_resid_post")
    return stream


def expected(reference: Reference, stream: dict[Key, Floats], token: int, against: int | None) -> dict[Key, float]:
    """What each vector adds through the final norm, at the scale of their sum, and the unembedding."""
    whole = np.sum(list(stream.values()), axis=0)
    scale = np.sqrt(whole.var() + reference.epsilon)
    unembedding = reference.unembedding[token] - (0 if against is None else reference.unembedding[against])
    gain, bias = reference.weights["ln_f.weight"], reference.weights["ln_f.bias"]
    read = {key: float((vector - vector.mean()) / scale * gain @ unembedding) for key, vector in stream.items()}
    return read | {(FINAL_BIAS,): float(bias @ unembedding)}


def key_of(part: Part) -> Key:
    if part.kind == CHANGE:
        return CHANGE, part.layer, part.hook.split(".", 2)[2]
    return tuple(value for value in (part.kind, part.layer, part.head) if value is not None)


def agree(found: Attribution, wanted: dict[Key, float]) -> None:
    """Fail unless every part is as wanted, and those that are not told of are 0."""
    ours = {key_of(part): part.logit for part in found.parts}
    largest = max(map(abs, wanted.values()))
    assert set(ours) <= set(wanted) and len(ours) == len(found.parts)
    apart = {key: abs(ours.get(key, 0.0) - value) / largest for key, value in wanted.items()}
    assert max(apart.values()) <= TOLERANCE, max(apart, key=lambda key: apart[key])


@pytest.mark.parametrize("against", [None, 9], ids=["a logit", "a difference"])
@pytest.mark.parametrize("position", [0, 3, PROMPT - 1, PROMPT, SEQ - 1])
def test_every_part_is_that_of_the_float64_model(run, position: int, against: int | None) -> None:
    trace, engine, reference = run
    found = attribute(trace, engine.checkpoint, 5, against, position)
    change = changes_of(trace, reference)
    hooks = reference.forward(trace.computed_ids, change)
    agree(found, expected(reference, vectors_of(reference, hooks, change, position), 5, against))
    logits = hooks["logits"][position]
    logit = logits[5] - (0 if against is None else logits[against])
    largest = max(abs(part.logit) for part in found.parts)
    assert abs(found.total - logit) <= TOLERANCE * largest
    assert abs(found.logit - logit) <= TOLERANCE * largest
    assert found.error <= TOLERANCE * largest
    assert found.is_captured == (position >= PROMPT - 1)  # a prompt's other positions have no logits


def test_what_the_looked_at_tokens_brought_is_that_of_the_float64_model_and_adds_up_to_the_head(run) -> None:
    trace, engine, reference = run
    change, at = changes_of(trace, reference), SEQ - 2
    hooks = reference.forward(trace.computed_ids, change)
    found = attribute(trace, engine.checkpoint, 5, 9, at)
    stream = vectors_of(reference, hooks, change, at)
    scale = np.sqrt(np.sum(list(stream.values()), axis=0).var() + reference.epsilon)
    gained = reference.weights["ln_f.weight"] * (reference.unembedding[5] - reference.unembedding[9])
    for part in found.of_kind(HEAD):
        layer, head = part.layer, part.head
        later = np.prod(change.scale["hook_resid_pre"][layer + 1 :, at])
        later *= np.prod(change.scale["hook_resid_post"][layer:, at]) * change.scale["attn.hook_z"][layer, at, head]
        columns = np.split(reference.weights[f"h.{layer}.attn.c_proj.weight"], reference.n_head)[head]
        pattern = hooks[f"blocks.{layer}.attn.hook_pattern"][head, at, : at + 1]
        written = later * pattern[:, None] * (hooks[f"blocks.{layer}.attn.hook_v"][: at + 1, head] @ columns)
        wanted = (written - written.mean(axis=1, keepdims=True)) / scale @ gained  # [key]
        words = looked_at(trace, engine.checkpoint, found, layer, head)
        largest = max(np.abs(wanted).max(), max(abs(one.logit) for one in found.parts))
        np.testing.assert_allclose(words.pattern, pattern, atol=1e-5)
        assert np.abs(words.logits - wanted).max() <= TOLERANCE * largest
        assert words.error <= TOLERANCE * largest
        if part.logit:
            assert words.shares.sum() == pytest.approx(1, abs=1e-2 + words.error / abs(part.logit))


def test_the_parts_are_those_of_the_numbers_that_transformer_lens_gives(model) -> None:
    """From its own hooks, which the tests hold."""
    name, engine, reference = model
    trace = forced_run(engine, prompt_of(engine.config), 2, Interventions())
    with np.load(FILE) as held:
        hooks = {hook: held[f"{name}/False/{hook}"].astype(np.float64) for hook in (*trace.axes, "logits")}
    for at in range(TOKENS):
        wanted = expected(reference, vectors_of(reference, hooks, reference.neutral(TOKENS), at), 5, None)
        agree(attribute(trace, engine.checkpoint, 5, None, at), wanted)
        assert sum(wanted.values()) == pytest.approx(hooks["logits"][at, 5], rel=TOLERANCE)


def test_transformer_lens_takes_a_logit_apart_alike_and_leaves_the_final_norms_bias_out(model) -> None:
    name, engine, _ = model
    trace = forced_run(engine, prompt_of(engine.config), 2, Interventions())
    with np.load(hold_attribution.FILE) as held:
        for at in range(TOKENS):
            found = attribute(trace, engine.checkpoint, hold_attribution.TOKEN, hold_attribution.AGAINST, at)
            ours = {key_of(part): part.logit for part in found.parts}
            stream = [ours["token embedding",], ours["position embedding",]]
            for layer, heads in enumerate(found.heads):
                stream += [heads.sum() + ours["attention bias", layer], ours["MLP", layer]]
            for mine, theirs in (
                (found.heads.ravel(), held[f"{name}/{at}/heads"]),
                (stream, held[f"{name}/{at}/stream"]),
            ):
                assert np.abs(mine - theirs).max() <= TOLERANCE * np.abs(theirs).max()
            assert found.logit - theirs.sum() == pytest.approx(ours[FINAL_BIAS,], abs=1e-4)


def test_a_head_that_is_muted_adds_nothing_and_what_was_added_instead_is_a_part_of_its_own(engine: Engine) -> None:
    vector = tuple(np.random.default_rng(1).normal(0, 2, 32).tolist())
    changes = Interventions((Scale(3, 5, 0.0),), (Addition(3, vector, head=5),))
    found = engine.attribute(engine.run("Once upon a time", changes), ",", " there")
    assert found.heads[3, 5] == pytest.approx(0, abs=1e-6) and np.count_nonzero(np.abs(found.heads) > 1e-5) == 47
    (change,) = found.of_kind(CHANGE)
    assert change.name == "change of L3's attn.hook_z" and abs(change.logit) > 1e-3 and found.error < 1e-4


def test_the_first_token_is_the_drawn_one_and_the_runner_up_the_likeliest_other(trace: Trace, engine: Engine) -> None:
    for position in (0, 3, 20, trace.seq - 1):
        logits, is_captured = logits_at(trace, engine.checkpoint, position)
        first, other = first_and_runner_up(trace, logits, position)
        order = np.argsort(-logits)
        assert is_captured == (position >= len(trace.prompt_ids) - 1)
        assert first == (trace.ids[position + 1] if is_captured else order[0])
        assert other == order[1 if first == order[0] else 0]


def test_a_squeezed_run_gives_the_same_parts_or_says_what_is_missing(trace: Trace, engine: Engine) -> None:
    whole = attribute(trace, engine.checkpoint, 5, 9, 20)
    for level in (Level.STREAM, Level.NO_PATTERNS):
        bare = squeezed(trace, level)
        found = attribute(with_recomputer(engine, bare), engine.checkpoint, 5, 9, 20)
        for ours, part in zip(found.parts, whole.parts, strict=True):
            assert ours.logit == pytest.approx(part.logit, abs=1e-4), part.name
        with pytest.raises(TraceError, match=r"blocks\.0\.attn\.hook_z was dropped .* load the model"):
            attribute(bare, engine.checkpoint, 5, 9, 20)


def test_what_does_not_fit_is_refused_in_one_sentence(trace: Trace, engine: Engine) -> None:
    weights, size = engine.checkpoint, engine.config.vocab_size
    for token, against, position, sentence in (
        (size, None, -1, f"There is no token {size}; this model's go from 0 to {size - 1}."),
        (3, -1, -1, "There is no token -1"),
        (3, 3, -1, "Give two different tokens"),
        (3, None, trace.seq, f"There is no position {trace.seq}; this run's go from 0 to {trace.seq - 1}."),
        (3.5, None, -1, "A token id must be a whole number, not 3.5."),
    ):
        with pytest.raises(SettingsError, match=sentence):
            attribute(trace, weights, token, against, position)
    with pytest.raises(TraceError, match="no steps"):
        attribute(trace.cut(0), weights, 3)
    with pytest.raises(SettingsError, match="no head L6·H0"):
        looked_at(trace, weights, attribute(trace, weights, 3), 6, 0)
    moved = replace(weights, weights={**weights.weights, "wte.weight": weights.weights["wte.weight"] + 0.05})
    for other in (moved, replace(weights, config=replace(weights.config, layer_norm_epsilon=1e-3))):
        with pytest.raises(TraceError, match=r"did not make this run; load bundled"):
            attribute(trace, other, 3)


def test_a_token_is_named_by_its_text_its_label_or_its_id(engine: Engine) -> None:
    tokenizer = engine.tokenizer
    (king,) = tokenizer.encode(" king")
    assert one_token(" king", tokenizer) == one_token("·king", tokenizer) == one_token(f"#{king}", tokenizer) == king
    assert one_token("\n", tokenizer) == one_token("↵", tokenizer)
    with pytest.raises(PromptError, match=r"' kingg' is 2 tokens \(·king g\); name one"):
        one_token(" kingg", tokenizer)
    with pytest.raises(PromptError, match="is 0 tokens"):
        one_token("", tokenizer)
    with pytest.raises(PromptError, match="There is no token 999999"):
        one_token("#999999", tokenizer)


def test_a_part_has_the_name_that_pages_give_it(trace: Trace, engine: Engine) -> None:
    heads = attribute(trace, engine.checkpoint, 5).of_kind(HEAD)
    assert [part.name for part in heads] == [head_name(layer, head) for layer, head in np.ndindex(6, 8)]


def test_the_example_in_python_runs_as_it_stands() -> None:
    (example,) = doctest.DocTestFinder(recurse=False).find(Engine.attribute, "attribute")
    assert len(example.examples) > 5
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.slow
def test_the_command_line_gives_the_same_parts(capsys, engine: Engine) -> None:
    prompt = "Once upon a time, there was a little"
    trace = engine.run(prompt)
    told = said(capsys, "attribute", prompt, "--token", " boy", "--against", "·girl", "--head", "1", "1", "--json")
    found = engine.attribute(trace, " boy", " girl")
    assert told["parts"] == json.loads(json.dumps(found.to_dict()))["parts"]
    assert (told["text"], told["against_text"], told["error"]) == (" boy", " girl", found.error)
    words = looked_at(trace, engine.checkpoint, found, 1, 1)
    assert [row["logit"] for row in told["looked_at"]] == words.logits.tolist()
    likeliest = said(capsys, "attribute", prompt, "--position", "3", "--json")
    order = np.argsort(-trace.position_logits()[3])
    assert [likeliest["token"], likeliest["against"], likeliest["position"]] == [*order[:2].tolist(), 3]
    assert said(capsys, "attribute", prompt, "--token", " boy", "--json")["against"] is None
    assert "There is no position 99" in refused(capsys, "attribute", prompt, "--position", "99")
    assert "is 2 tokens" in refused(capsys, "attribute", prompt, "--token", " kingg")
