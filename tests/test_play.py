"""Claims about what a lesson's reader plays with: its numbers are those of the independent model, changed alike."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.what_if import Strength, gelu, lens_rows, newest, swapped_pattern
from gpt2.model.sampling import softmax
from gpt2.reading.tables import Tables
from gpt2.trace.trace import Trace
from pages.charts.style import AFTER_BAR
from pages.frame.layout import View
from pages.learn.play.bars import Pair, largest, next_tokens, pairs_chart
from pages.learn.play.blend import Blend
from pages.learn.play.depth import Depth
from pages.learn.play.gelu import Turned
from pages.learn.play.mask import Looking
from pages.learn.play.mute import Muted
from pages.learn.play.norm import Scaled
from pages.learn.play.push import Push
from pages.learn.play.shape import Shape, parameters
from pages.learn.play.swap import Swap
from pages.look.numbers import percent
from pages.look.palette import LIGHT
from pages.look.tokens import unmarked
from tests.models import BUNDLED
from tests.reference import Reference, gelu_new, relative_difference

TOLERANCE = 1e-4
LAYER = 2


@dataclass
class Stand:
    """As much of a view as what is played with sees."""

    trace: Trace
    checkpoint: Checkpoint

    @property
    def newest(self) -> int:
        """The position of the newest token."""
        return self.trace.seq - 1


@pytest.fixture(scope="module")
def view(trace: Trace, checkpoint: Checkpoint) -> View:
    return cast(View, Stand(trace, checkpoint))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(BUNDLED)


def strength(trace: Trace, *mute: int, attention: float = 1.0, mlp: float = 1.0) -> Strength:
    heads = np.ones(trace.config.n_head, np.float32)
    heads[list(mute)] = 0
    return Strength(heads, attention, mlp)


@pytest.mark.parametrize(("mute", "mlp"), [((), 1.0), ((0, 5, 7), 1.0), ((1,), 2.5)])
def test_the_newest_token_with_parts_mute_is_that_of_the_whole_model_run_anew(
    trace: Trace, checkpoint: Checkpoint, reference: Reference, mute: tuple[int, ...], mlp: float
) -> None:
    for layer in (0, trace.config.n_layer - 1):
        changes = reference.neutral(trace.seq)
        changes.scale["attn.hook_z"][layer, -1, list(mute)] = 0
        changes.scale["hook_mlp_out"][layer, -1] = mlp
        expected = reference.forward(trace.computed_ids, changes)
        found = newest(trace, checkpoint, {layer: strength(trace, *mute, mlp=mlp)})
        assert relative_difference(found.logits, expected["logits"][-1]) <= TOLERANCE
        top = expected[f"blocks.{trace.config.n_layer - 1}.hook_resid_post"][-1]
        assert relative_difference(found.stream[-1], top) <= TOLERANCE


def test_attention_that_writes_nothing_leaves_the_stream_to_the_mlp(
    trace: Trace, checkpoint: Checkpoint, reference: Reference
) -> None:
    last = trace.config.n_layer - 1
    x = reference.forward(trace.computed_ids)[f"blocks.{last}.hook_resid_pre"][-1:]
    inner = gelu_new(reference.conv1d(f"h.{last}.mlp.c_fc", reference.norm(f"h.{last}.ln_2", x, "at", {})))
    expected = x + reference.conv1d(f"h.{last}.mlp.c_proj", inner)
    found = newest(trace, checkpoint, {last: strength(trace, attention=0)})
    assert relative_difference(found.stream[-1], expected[0]) <= TOLERANCE


def test_muting_is_told_with_its_own_numbers(view: View, trace: Trace, reference: Reference) -> None:
    muted = Muted.of(view, LAYER, strength(trace, 4))
    changes = reference.neutral(trace.seq)
    changes.scale["attn.hook_z"][LAYER, -1, 4] = 0
    before, after = (
        softmax(reference.forward(trace.computed_ids, one)["logits"][-1])
        for one in (reference.neutral(trace.seq), changes)
    )
    best = int(before.argmax())
    said = muted.sentence(trace, "L2·H4 mute")
    assert percent(before[best]) in said and percent(after[best]) in said


def test_a_query_without_its_mask_looks_at_later_tokens_too(trace: Trace, reference: Reference) -> None:
    hooks = reference.forward(trace.computed_ids)
    q, k = (hooks[f"blocks.0.attn.hook_{part}"][:, 3] for part in "qk")
    looking = Looking.of(trace, 3, 10)
    np.testing.assert_allclose(looking.free, softmax(k @ q[10] / np.sqrt(trace.config.d_head)), atol=1e-5)
    np.testing.assert_allclose(looking.masked, hooks["blocks.0.attn.hook_pattern"][3, 10], atol=1e-5)
    assert (
        f"11 of {trace.seq} tokens" in looking.sentence and percent(float(looking.free[11:].sum())) in looking.sentence
    )
    assert "takes nothing away" in Looking.of(trace, 3, trace.seq - 1).sentence


def test_a_norm_gives_the_same_whatever_the_vectors_size_and_mean_until_epsilon_is_felt(view: View) -> None:
    scaled = Scaled.of(view, LAYER, 10.0, 7.0)
    row = view.trace[f"blocks.{LAYER}.hook_resid_pre"][-1].astype(np.float64)
    assert scaled.scales[1] == pytest.approx((10 * row).std(), rel=1e-5) and scaled.means[1] == pytest.approx(
        10 * row.mean() + 7, abs=1e-3
    )
    assert scaled.moved < 1e-3 and "feels epsilon" not in scaled.sentence(view.trace)
    assert "feels epsilon" in Scaled.of(view, LAYER, 0.001, 0.0).sentence(view.trace)


def test_neurons_with_a_number_added_write_what_the_matrix_makes_of_them(view: View, reference: Reference) -> None:
    turned = Turned.of(view, LAYER, -1.0)
    pre = reference.forward(view.trace.computed_ids)[f"blocks.{LAYER}.mlp.hook_pre"][-1] - 1
    expected = reference.conv1d(f"h.{LAYER}.mlp.c_proj", gelu_new(pre))
    assert relative_difference(turned.written[1], expected) <= TOLERANCE
    assert f"{(pre > 0).sum()} are" in turned.sentence(view.trace, -1.0)
    np.testing.assert_allclose(gelu(pre), gelu_new(pre))


def test_swapped_tokens_keep_their_share_but_for_their_positions(
    trace: Trace, checkpoint: Checkpoint, reference: Reference
) -> None:
    before, after = swapped_pattern(trace, checkpoint, 2, 30)
    ids = list(trace.computed_ids)
    np.testing.assert_allclose(before, reference.forward(ids)["blocks.0.attn.hook_pattern"][:, -1], atol=1e-5)
    ids[2], ids[30] = ids[30], ids[2]
    np.testing.assert_allclose(after, reference.forward(ids)["blocks.0.attn.hook_pattern"][:, -1], atol=1e-5)
    swap = Swap.of(trace, checkpoint, 2, 30)
    assert swap.after[5, 2] == after[5, 30] and swap.after[5, 30] == after[5, 2] and swap.after[5, 7] == after[5, 7]
    assert percent(float(before[5, 2])) in swap.sentence(5) and percent(float(after[5, 30])) in swap.sentence(5)
    without = {**checkpoint.weights, "wpe.weight": np.zeros_like(checkpoint.weights["wpe.weight"])}
    free = Swap.of(trace, Checkpoint(checkpoint.name, checkpoint.config, checkpoint.tokenizer, without), 2, 30)
    np.testing.assert_allclose(free.before, free.after, atol=1e-6)  # as the sentence says


def test_depths_are_the_stream_read_by_norm_and_head(view: View, reference: Reference) -> None:
    trace, hooks = view.trace, reference.forward(view.trace.computed_ids)
    read = reference.norm("ln_f", hooks[f"blocks.{LAYER}.hook_resid_post"][-1:], "at", {}) @ reference.unembedding.T
    assert relative_difference(lens_rows(trace, view.checkpoint)[LAYER + 1], read[0]) <= TOLERANCE  # type: ignore[arg-type]
    depth = Depth.of(view, LAYER + 1)
    np.testing.assert_allclose(depth.early, softmax(read[0]), atol=1e-5)
    assert percent(float(softmax(read[0]).max())) in depth.sentence(trace)
    assert "That is what the model says" in Depth.of(view, trace.config.n_layer).sentence(trace)


def test_a_push_along_a_row_raises_its_score_by_the_rows_length(view: View, reference: Reference) -> None:
    token = view.trace.computed_ids[4]
    row = reference.unembedding[token]
    push = Push.of(view, token, 3.0)
    gained = reference.unembedding @ row * 3 / np.sqrt(row @ row)
    np.testing.assert_allclose(push.after - push.before, gained, atol=1e-4)
    assert relative_difference(push.before, reference.forward(view.trace.computed_ids)["logits"][-1]) <= TOLERANCE
    assert percent(push.shares[1][token]) in push.sentence(view.trace)


def test_bars_are_of_the_likeliest_of_both_and_keep_apart_tokens_that_read_alike(trace: Trace) -> None:
    before, after = np.zeros(300), np.zeros(300)
    before[:10], after[100:110] = np.arange(10, 0, -1) / 55, np.arange(10, 0, -1) / 55
    pairs = next_tokens(before, after, trace.vocabulary, most=6)
    assert [pair.label for pair in pairs] == [trace.vocabulary.label(token) for token in (0, 1, 2, 100, 101, 102)]
    assert [pair.after for pair in largest([Pair("a", 0, at / 10) for at in range(9)], 3)] == [0.6, 0.7, 0.8]
    chart = pairs_chart([Pair("a", 0.1, 0.2), Pair("a", 0.3, 0.0)], ("one", "other"), LIGHT.sampling, LIGHT).to_dict()
    rows = chart["datasets"]["pairs"]
    assert [(row["place"], row["which"], row["share"]) for row in rows] == [
        ("0000|a", "one", 0.1),
        ("0000|a", "other", 0.2),
        ("0001|a", "one", 0.3),
        ("0001|a", "other", 0.0),
    ]
    assert AFTER_BAR in str(chart)


def test_the_parameters_of_the_parts_are_those_of_the_weights(checkpoint: Checkpoint) -> None:
    config, counts = checkpoint.config, parameters(checkpoint.config)
    sizes = {name: weight.size for name, weight in checkpoint.weights.items() if name != "lm_head.weight"}
    assert counts["attention"] == sum(size for name, size in sizes.items() if ".attn." in name)
    assert counts["MLP"] == sum(size for name, size in sizes.items() if ".mlp." in name)
    assert counts["norms"] == sum(size for name, size in sizes.items() if "ln_" in name)
    assert sum(counts.values()) == sum(sizes.values()) == config.n_params


def test_a_shape_counts_as_gpt2_small_has_them(checkpoint: Checkpoint) -> None:
    own = replace(checkpoint.config, vocab_size=50257, n_positions=1024)
    shape = Shape.of(own, 12, 768)
    assert shape.other.n_params == 124_439_808  # as published
    assert "12 blocks of width 768 make 124,439,808 parameters" in shape.sentence()
    assert "498 MB in float32" in shape.sentence() and "in its MLP" in shape.sentence()
    assert "as many as the model on the stage" in Shape.of(own, own.n_layer, own.n_embd).sentence()


def test_a_blend_is_nearest_to_its_nearer_end_and_its_cosines_are_those_of_the_mixed_vector(
    view: View, checkpoint: Checkpoint
) -> None:
    table = checkpoint.weights["wte.weight"].astype(np.float64)
    tables, (one, other) = Tables(checkpoint.weights["wte.weight"], checkpoint.weights["wpe.weight"]), (300, 700)
    for share, nearest in ((0.0, one), (0.25, one), (0.75, other), (1.0, other)):
        blend = Blend.of(tables, one, other, share)
        mixed = (1 - share) * table[one] + share * table[other]
        assert blend.nearest[0][0] == nearest
        for token, cosine in blend.nearest:
            expected = table[token] @ mixed / np.linalg.norm(table[token]) / np.linalg.norm(mixed)
            assert cosine == pytest.approx(expected, abs=1e-5)
        assert len({token for token, _ in blend.nearest}) == 8
    label = view.trace.vocabulary.label(one)
    assert unmarked(Blend.of(tables, one, other, 0.25).sentence(view.trace.vocabulary)).startswith(
        f"25\N{NARROW NO-BREAK SPACE}% of the way from {label}"
    )
