"""Pictures of attention: their numbers are the trace's, and their sentences say what they show."""

import re

import numpy as np
import pytest

from gpt2.model.sampling import Sampling
from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace
from pages.charts import attention, attention_head, attention_row
from pages.charts.attention import Reading, Subject
from pages.look.palette import LIGHT
from pages.look.tokens import spoken, spoken_at
from tests.long_runs import squeezed
from tests.models import BUNDLED
from tests.reference import Reference

AS_IT_IS = Reading()


def pattern(trace: Trace, layer: int) -> np.ndarray:
    return trace[f"blocks.{layer}.attn.hook_pattern"]


def newest(trace: Trace) -> tuple[int]:
    return (trace.seq - 1,)


def quoted_percent(sentence: str) -> float:
    """The first per cent in a sentence, as a share."""
    found = re.search(r"([\d.]+)\s%", sentence)
    assert found, sentence
    return float(found[1]) / 100


# --- who looks at whom -----------------------------------------------------------------------------------------------


def test_the_mosaic_holds_every_head_as_the_trace_has_it(trace):
    shown = attention.mosaic_of_heads(trace, AS_IT_IS, 500)
    for layer in range(trace.config.n_layer):
        np.testing.assert_array_equal(shown.values[trace.config.n_layer - 1 - layer], pattern(trace, layer))


def test_the_stack_grows_upwards_and_a_tile_is_the_head_it_is_named_after(trace):
    shown = attention.mosaic_of_heads(trace, AS_IT_IS, 500)
    assert (shown.rows[0], shown.rows[-1]) == (f"L{trace.config.n_layer - 1}", "L0")
    for row, column in np.ndindex(shown.values.shape[:2]):
        layer, head = attention.head_at(trace, (row, column))
        assert attention.tile_of(trace, (layer, head)) == (row, column)
        assert shown.notes[row][column].startswith(f"L{layer}·H{head}:")
        hook = shown.hook.replace("{row}", shown.row_names[row]).replace("{c}", str(column))
        assert hook == f"blocks.{layer}.attn.hook_pattern[{head}]"
        name, at = hook.removesuffix("]").split("[")
        np.testing.assert_array_equal(shown.values[row, column], trace[name][int(at)])


def test_each_pooled_cell_is_the_largest_of_those_it_stands_for(engine):
    run = engine.start("Once upon a time there was a king. " * 20)
    run.advance(None)
    shown = attention.mosaic_of_heads(run.trace, AS_IT_IS, 500)
    factor = -(-run.trace.seq // attention.TILE)
    assert factor > 1
    assert f"{factor} × {factor}" in shown.caption
    whole = pattern(run.trace, 3)[2]
    for row, column in ((0, 0), (5, 2), (shown.values.shape[2] - 1, 0), (shown.values.shape[2] - 1,) * 2):
        block = whole[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        assert shown.values[*attention.tile_of(run.trace, (3, 2)), row, column] == block.max()


def test_means_over_heads_and_layers_are_means_of_the_patterns(trace):
    one = attention.shares(trace, Subject(((2, None),)), AS_IT_IS)
    np.testing.assert_allclose(one, pattern(trace, 2).mean(axis=0), rtol=1e-6)
    every = np.mean([pattern(trace, layer).mean(axis=0) for layer in range(trace.config.n_layer)], axis=0)
    shown = attention.joined_heads(trace, AS_IT_IS, attention.all_layers(trace), 500)
    np.testing.assert_allclose(shown.values, every, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(shown.values.sum(axis=1), 1, rtol=1e-5)


def test_every_layer_has_its_tile_and_a_tile_names_its_layer(trace):
    shown = attention.mosaic_of_layers(trace, AS_IT_IS, 500)
    for tile in np.ndindex(shown.values.shape[:2]):
        subject = attention.layer_at(trace, tile)
        assert shown.text[tile[0]][tile[1]] == f"L{subject.parts[0][0]}"
        np.testing.assert_array_equal(shown.values[tile], attention.shares(trace, subject, AS_IT_IS))


def test_a_mosaics_caption_speaks_first_of_the_framed_tile(trace):
    mosaic = attention.mosaic_of_heads(trace, AS_IT_IS, 500)
    sharpest = attention.tile_of(trace, attention.first_head(trace, AS_IT_IS, None))
    assert attention.framing(mosaic, sharpest) is mosaic
    for head in ((0, 0), (3, 5)):
        caption = attention.framing(mosaic, attention.tile_of(trace, head)).caption
        assert caption.startswith(f"L{head[0]}·H{head[1]}: {spoken_at(trace, -1)} looks most at ")
        assert caption.endswith(mosaic.caption)


@pytest.mark.parametrize("n_layer", [1, 5, 6, 12, 24, 36, 48])
def test_tiles_of_layers_fill_their_rectangle(n_layer):
    across = attention.layers_across(n_layer)
    assert n_layer % across == 0
    assert across >= n_layer // across


def test_leaving_out_the_first_token_rescales_the_rest_in_proportion(trace):
    subject, query = Subject(((1, 3),)), 20
    before = attention.shares(trace, subject, AS_IT_IS)[query]
    after = attention.shares(trace, subject, Reading(without_first=True))[query]
    assert np.isnan(after[0])
    assert np.nansum(after) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(after[1:], before[1:] / (1 - before[0]), rtol=1e-4, atol=1e-7)


def test_the_first_token_itself_has_nothing_left_without_the_first(trace):
    row = attention.shares(trace, Subject(((0, 0),)), Reading(without_first=True))[0]
    assert np.isnan(row[0])
    assert not np.nan_to_num(row).any()


def test_weighing_by_value_is_pattern_times_the_length_of_what_the_head_writes_rescaled(trace, checkpoint):
    layer, head, query = 4, 1, 17
    written = Reference(BUNDLED).weights[f"h.{layer}.attn.c_proj.weight"][head * 32 : (head + 1) * 32]  # W_O
    norms = np.linalg.norm(trace[f"blocks.{layer}.attn.hook_v"][:, head].astype(float) @ written, axis=1)
    for run in (trace, squeezed(trace, Level.NO_LOGITS)):
        reading = Reading.of(run, checkpoint, True, False)
        np.testing.assert_allclose(reading.norms[layer, :, head], norms, rtol=2e-5)
    weighed = pattern(trace, layer)[head, query] * norms
    shown = attention.shares(trace, Subject(((layer, head),)), Reading.of(trace, checkpoint, True, False))[query]
    np.testing.assert_allclose(shown, weighed / weighed.sum(), rtol=1e-4, atol=1e-8)


def test_without_the_weights_nothing_is_weighed_by_them(trace):
    assert Reading.of(trace, None, True, True) == Reading(without_first=True)


def test_what_was_done_to_the_patterns_is_said(trace, checkpoint):
    assert AS_IT_IS.sentence == ""
    both = Reading.of(trace, checkpoint, True, True)
    assert "first token is left out" in both.sentence
    assert "length of what the head writes" in both.sentence and "contribut" not in both.sentence
    for shown in (attention.mosaic_of_heads(trace, both, 500), attention.mosaic_of_layers(trace, both, 500)):
        assert both.sentence in shown.caption
    assert both.sentence in attention.joined_heads(trace, both, attention.all_layers(trace), 500).caption


def test_the_mosaics_sentence_names_the_head_with_the_largest_weight(trace):
    newest = np.stack([pattern(trace, layer)[:, -1] for layer in range(trace.config.n_layer)])
    layer, head, key = np.unravel_index(newest.argmax(), newest.shape)
    caption = attention.mosaic_of_heads(trace, AS_IT_IS, 500).caption
    assert caption.startswith(f"L{layer}·H{head}: {spoken_at(trace, -1)} looks most at ")
    assert trace.labels[key] in caption
    assert quoted_percent(caption) == pytest.approx(newest.max(), abs=6e-4)


@pytest.mark.parametrize("changes", [(False, False), (True, False), (False, True), (True, True)])
def test_the_first_head_is_the_one_that_the_mosaics_sentence_names(trace, checkpoint, changes):
    for steps in (1, 7, 40):
        shown = trace.cut(steps)
        reading = Reading.of(shown, checkpoint, *changes)
        layer, head = attention.first_head(shown, reading, None)
        assert attention.mosaic_of_heads(shown, reading, 500).caption.startswith(f"L{layer}·H{head}: ")
    assert attention.first_head(trace, reading, (2, 5)) == (2, 5)
    assert attention.first_head(trace, reading, (99, 0)) == attention.first_head(trace, reading, None)


def test_punctuation_is_marked_as_a_token_inside_sentences(engine):
    run = engine.start("Once, there")
    run.advance(None)
    trace = run.trace.cut(1)
    row = np.zeros(trace.seq, np.float32)
    row[trace.labels.index(",")] = 1
    assert attention.look_phrase(trace, row).startswith(f"looks most at {spoken(',')} (")


def test_a_prompt_of_one_token_has_pictures_too(engine):
    run = engine.start("a")
    run.advance(Sampling(seed=1))
    assert run.trace.seq == 1
    mosaic = attention.mosaic_of_heads(run.trace, AS_IT_IS, 500)
    layer, head = attention.first_head(run.trace, AS_IT_IS, None)
    assert mosaic.values.max() == 1 and mosaic.caption.startswith(f"L{layer}·H{head}: ")
    left_out = attention.mosaic_of_heads(run.trace, Reading(without_first=True), 500).caption
    assert left_out.startswith(f"{spoken_at(run.trace, -1)} has nothing left to look at. Click")
    said = attention_row.attention_row_sentence(run.trace, Subject(((0, 0),)), Reading(without_first=True), (0,))
    assert "has nothing left to look at" in said


# --- the newest row --------------------------------------------------------------------------------------------------


def test_bars_are_the_newest_row_and_sum_to_one(trace):
    rows = attention_row.key_rows(trace, Subject(((3, 4),)), AS_IT_IS, newest(trace))
    row = pattern(trace, 3)[4, -1]
    assert [entry["weight"] for entry in rows[:-1]] == sorted(row.tolist(), reverse=True)[: attention_row.BARS]
    for entry in rows[:-1]:
        assert entry["weight"] == row[entry["position"]]
    assert sum(entry["weight"] for entry in rows) == pytest.approx(1, abs=1e-5)


def test_bars_of_equal_tokens_stay_apart(trace):
    names = [entry["token"] for entry in attention_row.key_rows(trace, Subject(((0, 0),)), AS_IT_IS, newest(trace))]
    assert len(set(names)) == len(names)


def test_the_first_tokens_bar_is_attention_too_and_the_legend_names_it(trace):
    spec = attention_row.attention_row(trace, Subject(((3, 4),)), AS_IT_IS, newest(trace), LIGHT).to_dict()
    scale = spec["layer"][0]["encoding"]["color"]["scale"]
    colours = dict(zip(scale["domain"], scale["range"], strict=True))
    assert colours["first token"].startswith(LIGHT.attention) and LIGHT.position not in scale["range"]
    assert len(set(colours.values())) == 3


def test_a_new_step_changes_only_the_data_of_the_bars(trace):
    specs = []
    for shown in (trace.cut(10), trace):
        spec = attention_row.attention_row(shown, Subject(((3, 4),)), AS_IT_IS, newest(shown), LIGHT).to_dict()
        assert spec.pop("datasets")["keys"]
        specs.append(spec)
    assert specs[0] == specs[1]


def test_the_row_sentence_quotes_the_largest_weight_and_the_sink(trace):
    row = pattern(trace, 2)[7, -1]
    said = attention_row.attention_row_sentence(trace, Subject(((2, 7),)), AS_IT_IS, newest(trace))
    assert quoted_percent(said) == pytest.approx(row.max(), abs=6e-4)
    assert quoted_percent(said.split("first token")[1]) == pytest.approx(row[0], abs=6e-4)


# --- three stages ----------------------------------------------------------------------------------------------------


def test_scores_before_the_mask_agree_with_the_models_own_where_it_has_them(trace):
    stages = attention_head.HeadMatrices.of(trace, 2, 4, None)
    kept = np.isfinite(stages.masked)
    np.testing.assert_array_equal(kept, np.tril(np.ones_like(kept)))
    np.testing.assert_allclose(stages.unmasked[kept], stages.masked[kept], atol=1e-3)
    assert np.isfinite(stages.unmasked).all()


def test_the_stages_show_the_newest_positions_and_say_so(trace):
    stages = attention_head.HeadMatrices.of(trace, 2, 4, 32)
    assert f"The newest 32 of {trace.seq}" in stages.sentence
    unmasked, masked, shown = stages.pictures(stages.strongest, 400)
    assert unmasked.rows == trace.labels[-32:]
    assert unmasked.row_start == trace.seq - 32
    np.testing.assert_array_equal(shown.values, pattern(trace, 2)[4, -32:, -32:])
    np.testing.assert_array_equal(masked.values, trace["blocks.2.attn.hook_attn_scores"][4, -32:, -32:])
    assert "496 cells" in masked.caption


def test_captions_and_operands_work_out_the_chosen_cell(trace):
    stages = attention_head.HeadMatrices.of(trace, 1, 2, None)
    query, key = 25, 11
    q, k = (trace[f"blocks.1.attn.hook_{part}"][at, 2].astype(float) for part, at in (("q", query), ("k", key)))
    score = q @ k / np.sqrt(trace.config.d_head)
    before, _, after = stages.pictures((query, key), 400)
    assert f"= {score:.2f};".replace("-", "−") in before.caption
    assert quoted_percent(after.caption) == pytest.approx(pattern(trace, 1)[2, query, key], abs=6e-4)
    said = stages.operands((query, key))
    assert float(said[2].rsplit("= ", 1)[1].replace("−", "-")) == pytest.approx(score, abs=1e-3)
    worked_out, captured = (float(line.rsplit("= ", 1)[1]) for line in said[-2:])
    assert worked_out == pytest.approx(captured, abs=2e-5)


def test_a_cell_ahead_of_its_query_is_masked_in_words_too(trace):
    stages = attention_head.HeadMatrices.of(trace, 1, 2, None)
    assert stages.pictures((3, 9), 400)[1].caption.endswith("is −∞.")
    assert "becomes −∞ and the weight 0" in stages.operands((3, 9))[-1]
