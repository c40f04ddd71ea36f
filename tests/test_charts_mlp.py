"""Pictures of the MLP's neurons: their numbers are the run's, and equal ones computed anew in float64."""

import re

import numpy as np
import pytest

from gpt2.model.interventions import Interventions, Scale
from gpt2.reading import neurons as reading
from gpt2.text.vocabulary import Vocabulary
from pages.charts.mlp import bars, curve, layers, places, tokens
from pages.charts.mlp.measures import ACTIVATION, EFFECT, FIRST, NORM, Measured, leaders_sentence, option_label
from pages.look.numbers import number, signed
from pages.look.palette import LIGHT
from pages.look.tokens import spoken, unmarked
from tests.models import BUNDLED
from tests.reference import Reference, gelu_new

LAYER, POSITION = 3, 9


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(BUNDLED)


@pytest.fixture(scope="module")
def hooks(reference, trace):
    """The run's activations, computed anew."""
    return reference.forward(trace.computed_ids)


@pytest.fixture(scope="module")
def measured(trace, checkpoint) -> Measured:
    return Measured.of(trace, checkpoint, LAYER, POSITION)


def vectors(reference, hooks, layer: int, position: int):
    """What each neuron adds to the stream. Shapes: [d_mlp, d_model]; the file keeps c_proj as [in, out]."""
    post = hooks[f"blocks.{layer}.mlp.hook_post"][position]
    return post[:, None] * reference.weights[f"h.{layer}.mlp.c_proj.weight"]


def direct(reference, hooks, vector, position: int):
    """What a vector adds to all logits at the final norm's own scale. Shapes: [..., d_model] -> [..., vocab]."""
    x = hooks[f"blocks.{reference.n_layer - 1}.hook_resid_post"][position]
    scale = np.sqrt(x.var() + reference.epsilon)
    centred = vector - vector.mean(-1, keepdims=True)
    return centred / scale * reference.weights["ln_f.weight"] @ reference.unembedding.T


def test_the_curve_is_the_models_own_gelu(trace) -> None:
    pre, post = (trace[f"blocks.{LAYER}.mlp.hook_{name}"] for name in ("pre", "post"))
    np.testing.assert_allclose(reading.gelu(pre.astype(float)), gelu_new(pre.astype(float)), rtol=1e-12)
    assert np.abs(reading.gelu(pre.astype(float)) - post).max() < 1e-5


def test_every_measure_of_every_neuron_equals_one_computed_anew(trace, measured, reference, hooks) -> None:
    written = vectors(reference, hooks, LAYER, POSITION)
    follower = trace.ids[POSITION + 1]
    assert measured.target == follower
    expected = {
        ACTIVATION: hooks[f"blocks.{LAYER}.mlp.hook_post"][POSITION],
        NORM: np.linalg.norm(written, axis=1),
        EFFECT: direct(reference, hooks, written, POSITION)[:, follower],
    }
    assert measured.values.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(measured.values[name], values, atol=2e-5 * np.abs(values).max())


def test_the_effects_of_all_neurons_and_of_all_else_add_up_to_the_logit(trace, checkpoint, reference, hooks) -> None:
    at, top = trace.seq - 1, trace.config.n_layer - 1
    last = Measured.of(trace, checkpoint, top, at)
    assert last.target == trace.steps[-1].draw.token
    rest = hooks[f"blocks.{top}.hook_resid_mid"][at] + reference.weights[f"h.{top}.mlp.c_proj.bias"]
    other = direct(reference, hooks, rest, at) + reference.unembedding @ reference.weights["ln_f.bias"]
    whole = last.values[EFFECT].astype(float).sum() + other[last.target]
    assert whole == pytest.approx(trace.step(-1).logits[last.target], abs=1e-4)


def test_promoted_tokens_are_read_with_the_final_norms_gain_and_compared_with_the_mean(
    trace, checkpoint, measured, reference, hooks
) -> None:
    neuron = measured.order(ACTIVATION)[0]
    logits = direct(reference, hooks, reference.weights[f"h.{LAYER}.mlp.c_proj.weight"][neuron], POSITION)
    logits -= logits.mean()
    shown = tokens.Promoted(measured, checkpoint, neuron)
    np.testing.assert_allclose(shown.values, logits, atol=2e-5 * np.abs(logits).max())
    raw = [int(token) for token in np.argsort(-logits)]
    texts = [token for token in raw if tokens.is_text(trace.vocabulary, token)]
    assert (shown.most, shown.least) == (texts[:8], texts[:-9:-1])
    assert shown.left_out == raw.index(shown.most[-1]) - 7 + raw[::-1].index(shown.least[-1]) - 7
    post = float(measured.neurons.post[neuron])
    rows = tokens.token_rows(shown)
    assert [row["id"] for row in rows] == [*shown.most, *shown.least[::-1]]
    assert [row["here"] for row in rows] == pytest.approx([post * logits[row["id"]] for row in rows], rel=1e-4)
    said = tokens.tokens_sentence(shown)
    first = spoken(trace.vocabulary.label(shown.most[0]))
    assert f"promotes {first} most" in said and f"{first} by {signed(post * float(logits[shown.most[0]]))}" in said
    assert "pushes with this list" in said


def test_a_neuron_below_0_pushes_against_its_list(measured, checkpoint) -> None:
    lowest = int(np.argmin(measured.neurons.post))
    assert measured.neurons.post[lowest] < 0
    assert "pushes against this list" in tokens.tokens_sentence(tokens.Promoted(measured, checkpoint, lowest))


def test_parts_of_characters_control_characters_and_unused_ids_are_no_text() -> None:
    words = Vocabulary((b" king", b"\n", "é".encode(), b"\xc3", b"\xff", b"\x07", b"", b" \xf0"))
    assert [at for at in range(len(words)) if tokens.is_text(words, at)] == [0, 1, 2]
    values = np.array([1, 2, 0, 9, 8, 7, 6, 5], np.float32)
    assert tokens.first_texts(words, values) == ([1, 0, 2], 5)


def test_the_list_is_sorted_by_each_measure_and_direct_effects_by_their_size(measured) -> None:
    for name, values in measured.values.items():
        sizes = np.abs(values) if name == EFFECT else values
        assert measured.order(name) == sorted(range(len(values)), key=lambda at, sizes=sizes: (-sizes[at], at))
    order = measured.order(EFFECT)
    rows = bars.bar_rows(measured, EFFECT, order, order[40])
    assert [row["rank"] for row in rows] == [*range(1, 12), 41] and [row["chosen"] for row in rows][-1]
    assert rows[0]["value"] == pytest.approx(float(measured.values[EFFECT][order[0]]))
    assert rows[0]["pre"] == pytest.approx(float(measured.neurons.pre[order[0]]))
    assert bars.bars_chart(measured, EFFECT, order, order[0], LIGHT).to_dict()


def test_a_choice_is_of_one_layer_and_its_text_names_it(trace, checkpoint, measured) -> None:
    order = measured.order(ACTIVATION)
    options = measured.options(order)
    assert options[0] == FIRST and measured.chosen(FIRST, order) == order[0]
    assert [measured.chosen(option, order) for option in options[1:]] == order
    assert option_label(1024, options[1]) == f"L{LAYER}·N{order[0]}"
    other = Measured.of(trace, checkpoint, LAYER + 1, POSITION)
    assert not set(options[1:]) & set(other.options(other.order(ACTIVATION))[1:])


def test_the_sentences_quote_the_first_neuron_of_each_measure(measured) -> None:
    said = unmarked(leaders_sentence(measured))
    first = {name: measured.order(name)[0] for name in measured.values}
    assert f"N{first[ACTIVATION]} is most active ({number(float(measured.neurons.post[first[ACTIVATION]]))})" in said
    assert f"norm {number(float(measured.values[NORM][first[NORM]]))}" in said
    assert f"{signed(float(measured.values[EFFECT][first[EFFECT]]))} of its logit" in said
    pre, post = measured.neurons.pre.astype(float), measured.neurons.post.astype(float)
    told = unmarked(curve.curve_sentence(measured, 5))
    fires = sorted(post[pre > 0], reverse=True)
    half = next(many for many in range(1, 1025) if sum(fires[:many]) >= sum(fires) / 2)
    assert f"{len(fires)} of 1,024 neurons are above 0" in told and f"{half} of them with half" in told
    assert f"L{LAYER}·N5 has {number(pre[5])} before GELU and {number(post[5])} after" in told


def test_the_points_lie_on_the_curve_and_the_bars_count_every_neuron(measured) -> None:
    rows = curve.point_rows(measured, 17)
    assert len(rows) in (curve.POINTS, curve.POINTS + 1) and rows[-1]["short"] == "N17"
    assert all(row["post"] == pytest.approx(gelu_new(np.float64(row["pre"])), abs=1e-5) for row in rows)
    assert sum(row["neurons"] for row in curve.count_rows(measured)) == len(measured.neurons.pre)
    assert curve.curve_chart(measured, 17, LIGHT).to_dict()


def test_the_map_and_the_rows_of_places_hold_the_runs_own_numbers(trace, measured) -> None:
    shown = layers.layer_map(trace, LAYER, POSITION, height=250)
    assert shown.values.shape == layers.shape(trace)
    for row, hook in zip(shown.values, shown.row_names, strict=True):
        np.testing.assert_allclose(row, np.linalg.norm(trace[hook].astype(float), axis=1), rtol=1e-5)
    assert shown.row_names[0] == f"blocks.{trace.config.n_layer - 1}.hook_mlp_out"
    assert f"norm {shown.values[-1 - LAYER, POSITION]:.1f}" in shown.caption
    order = measured.order(NORM)
    picture = places.places_picture(measured, order, order[30], height=300)
    assert picture.rows[0] == f"N{order[30]}" and len(picture.rows) == places.ROWS
    for values, name in zip(picture.values, picture.rows, strict=True):
        np.testing.assert_array_equal(values, trace[f"blocks.{LAYER}.mlp.hook_post"][:, int(name[1:])])
    above, seq = int((picture.values[0] > 0).sum()), trace.seq
    assert f"above 0 at {above} of {seq} positions" in picture.caption


def test_the_operands_check_themselves(measured, checkpoint) -> None:
    neuron = measured.order(ACTIVATION)[0]
    shown = tokens.Promoted(measured, checkpoint, neuron)
    for said in (curve.operands(measured, neuron)[-1], tokens.operands(shown, checkpoint)[-1]):
        digit, power = re.search(r"by at most (\d)\s×\s10⁻([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", said).groups()
        assert int(power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))) >= 5, (said, digit)


def test_without_weights_only_activations_are_measured(trace) -> None:
    bare = Measured.of(trace, None, LAYER, POSITION)
    assert list(bare.values) == [ACTIVATION] and bare.target is None
    assert "is most active" in leaders_sentence(bare) and "writes" not in leaders_sentence(bare)


def test_an_intervention_on_the_mlp_is_told_of(engine, checkpoint) -> None:
    changes = Interventions((Scale(LAYER, None, 0.5, (1,), "hook_mlp_out"),))
    changed = engine.run("The king said", changes)
    told, untold = (leaders_sentence(Measured.of(changed, checkpoint, LAYER, at)) for at in (1, 2))
    assert "An intervention changes what this MLP adds here" in told and "intervention" not in untold
    shown = tokens.Promoted(Measured.of(changed, checkpoint, LAYER, 1), checkpoint, 0)
    assert tokens.operands(shown, checkpoint)[-1].startswith("An intervention changed hook_mlp_out")
