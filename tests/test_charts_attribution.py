"""Pictures of why a token came: their numbers are the attribution's, and their sentences quote them."""

import dataclasses

import numpy as np
import pytest

from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine.engine import Engine
from gpt2.model.interventions import Addition, Interventions
from gpt2.reading.attribution import attribute, first_and_runner_up, logits_at, looked_at
from gpt2.reading.logit_parts import HEAD, Attribution, LookedAt
from gpt2.trace.trace import Trace
from pages.charts.attribution import formula, head_map, subject, waterfall, words
from pages.look.numbers import number, rounding_error, signed
from pages.look.palette import DARK, LIGHT
from pages.look.tokens import spoken_at


@pytest.fixture(scope="module")
def found(trace: Trace, checkpoint: Checkpoint) -> Attribution:
    return attribute(trace, checkpoint, *first_and_runner_up(trace, trace.steps[-1].logits, trace.seq - 1))


@pytest.fixture(scope="module")
def brought(trace: Trace, checkpoint: Checkpoint, found: Attribution) -> LookedAt:
    layer, head = np.unravel_index(np.abs(found.heads).argmax(), found.heads.shape)
    return looked_at(trace, checkpoint, found, int(layer), int(head))


def test_each_bar_begins_where_the_one_above_ends_and_the_last_is_the_sum_of_all(found: Attribution) -> None:
    rows = waterfall.waterfall_rows(found)
    *bars, total = rows
    assert bars[0]["start"] == 0
    assert [bar["start"] for bar in bars[1:]] == pytest.approx([bar["end"] for bar in bars[:-1]])
    assert (total["start"], total["name"]) == (0, "the sum") and total["end"] == pytest.approx(bars[-1]["end"])
    assert total["end"] == pytest.approx(found.logit, abs=1e-4)
    sizes = [abs(bar["logit"]) for bar in bars[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert [bar["logit"] for bar in bars[:-1]] == pytest.approx([part.logit for part in found.largest[: len(sizes)]])
    assert bars[-1]["name"] == f"{len(found.parts) - len(sizes)} more parts"
    assert all(bar["written"] == signed(bar["logit"]) and bar["takes"] == (bar["logit"] < 0) for bar in bars)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_another_token_changes_only_the_data_of_the_bars(trace, checkpoint, found, brought, palette) -> None:
    other = attribute(trace, checkpoint, 5, None, 3)
    others = looked_at(trace, checkpoint, other, 1, 2)
    for specs in (
        [waterfall.waterfall(one, palette).to_dict() for one in (found, other)],
        [words.word_bars(trace, one, palette, False).to_dict() for one in (brought, others)],
    ):
        data = [spec.pop("datasets") for spec in specs]
        assert specs[0] == specs[1] and data[0] != data[1]


def test_the_sentences_quote_the_ends_the_sum_and_its_error(trace: Trace, checkpoint: Checkpoint, found) -> None:
    said, parts = waterfall.parts_sentence(trace, found), sorted(found.parts, key=lambda part: part.logit)
    assert said.startswith(f"After {spoken_at(trace, trace.seq - 1)}, the logit of ")
    assert f"is {number(found.logit)} above that of" in said and "direct effect" in said
    assert f"{parts[-1].name} adds most, {signed(parts[-1].logit)}" in said
    assert f"{parts[0].name} takes most, {signed(parts[0].logit)}" in said
    check = waterfall.check_sentence(found)
    assert check.startswith(
        f"The {len(found.parts)} parts add up to {number(found.total)}; the difference of the model's"
    )
    assert check.endswith(f"is {number(found.logit)}; off by {rounding_error(found.error)}.")
    swapped = attribute(trace, checkpoint, found.against, found.token)
    assert f"is {number(found.logit)} below that of" in waterfall.parts_sentence(trace, swapped)
    alone = attribute(trace, checkpoint, 5, None, 1)
    assert f"the logit, read from the top of the stream, is {number(alone.logit)};" in waterfall.check_sentence(alone)


def test_the_map_has_every_head_bias_and_mlp_the_top_of_the_stack_on_top(trace: Trace, found: Attribution) -> None:
    shown = head_map.map_picture(trace, found, 400)
    assert shown.values.shape == head_map.shape(trace) == (6, 10)
    np.testing.assert_allclose(shown.values[::-1, :8], found.heads, rtol=1e-6)
    for row, column in np.ndindex(*shown.values.shape):
        part = head_map.part_at(trace, found, (row, column))
        assert shown.values[row, column] == np.float32(part.logit) and shown.notes[row][column] == part.name
    assert (shown.notes[0][8], shown.notes[5][9]) == ("attention bias of L5", "MLP of L0")
    best = max(found.of_kind(HEAD), key=lambda part: abs(part.logit))
    assert f"{best.name} {'adds' if best.logit > 0 else 'takes'} most, {signed(best.logit)}" in shown.caption
    assert f"all heads together give {signed(float(found.heads.sum()))}" in shown.caption


def test_the_map_begins_at_the_locked_head_or_at_the_one_that_counts_most(trace: Trace, found: Attribution) -> None:
    assert head_map.part_at(trace, found, head_map.first_cell(trace, found, (2, 5))).name == "L2·H5"
    largest = max(found.of_kind(HEAD), key=lambda part: abs(part.logit))
    for wanted in (None, (6, 0), (0, 8)):
        assert head_map.part_at(trace, found, head_map.first_cell(trace, found, wanted)) == largest
    assert "looked at no token" in head_map.no_head_sentence(head_map.part_at(trace, found, (0, 9)))


@pytest.mark.parametrize("is_narrow", [False, True])
def test_the_text_reads_in_lines_and_holds_what_each_token_brought(trace: Trace, brought: LookedAt, is_narrow) -> None:
    shown = words.text_picture(trace, brought, "Words", is_narrow)
    assert len(shown.columns) == (3 if is_narrow else 7)
    assert [text for line in shown.text for text in line if text] == trace.labels
    values = shown.values.ravel()
    np.testing.assert_allclose(values[: trace.seq], brought.logits, rtol=1e-6)
    assert np.isnan(values[trace.seq :]).all() and len(values) - trace.seq < len(shown.columns)
    assert list(shown.rows) == [str(at) for at in range(0, trace.seq, len(shown.columns))]
    looked, most = int(brought.pattern.argmax()), brought.order[0]
    assert f"looked most at {spoken_at(trace, looked)}" in shown.caption
    assert f"{signed(float(brought.logits[most]))} of its {signed(brought.part.logit)}" in shown.caption
    assert shown.caption.endswith(f"off by {rounding_error(brought.error)}.")


def test_of_a_long_text_the_newest_tokens_are_shown_and_the_others_summed_up(engine: Engine) -> None:
    trace = engine.run([5] * 200)
    found = engine.attribute(trace, 5, 6)
    brought = looked_at(trace, engine.checkpoint, found, 0, 0)
    shown = words.text_picture(trace, brought, "Words", False)
    assert shown.rows[0] == "60" and shown.values.size == words.MOST
    assert f"the 60 before them brought {signed(float(brought.logits[:60].sum()))}." in shown.caption


def test_the_bars_are_those_that_brought_most_and_the_others_together(trace: Trace, brought: LookedAt) -> None:
    rows = words.bar_rows(trace, brought)
    assert [row["position"] for row in rows[:-1]] == brought.order[: words.BARS]
    assert sum(row["logit"] for row in rows) == pytest.approx(brought.part.logit, abs=1e-5)
    assert sum(row["weight"] for row in rows) == pytest.approx(1, abs=1e-5)
    assert rows[-1]["token"] == f"{trace.seq - words.BARS} more"
    against = brought.logits[brought.logits * brought.part.logit < 0]
    assert f"{len(against)} of {trace.seq} worked against" in words.bars_sentence(brought)
    none = dataclasses.replace(brought, logits=np.abs(brought.logits) * np.sign(brought.part.logit))
    assert "No token worked against" in words.bars_sentence(none)


def test_the_options_are_the_likeliest_tokens_and_mean_what_they_say(trace: Trace, checkpoint: Checkpoint) -> None:
    at = trace.seq - 1
    logits, _ = logits_at(trace, checkpoint, at)
    options = subject.token_options(logits, already=7)
    assert options[: subject.LIKELIEST] == np.argsort(-logits)[: subject.LIKELIEST].tolist() and 7 in options
    assert subject.token_options(logits, "a text of another model") == subject.token_options(logits, None)
    first, runner_up = first_and_runner_up(trace, logits, at)
    assert subject.tokens_of(trace, logits, at, subject.FIRST, subject.RUNNER_UP) == (first, runner_up)
    assert subject.tokens_of(trace, logits, at, subject.FIRST, subject.ALONE) == (first, None)
    assert subject.tokens_of(trace, logits, at, 7, 9) == (7, 9)
    assert subject.tokens_of(trace, logits, at, 7, 7) == (7, int(logits.argmax()))  # never a token and itself
    assert subject.tokens_of(trace, logits, at, 99_999, 99_999) == (first, runner_up)  # another model's tokens


def test_the_operands_multiply_to_the_part_and_add_up(trace: Trace, checkpoint: Checkpoint, found: Attribution) -> None:
    for cell in ((1, 7), (0, 9), (3, 8)):
        part = head_map.part_at(trace, found, cell)
        lines = formula.operands(trace, checkpoint, found, part)
        products = [line for line in lines if line.endswith(f"= {part.logit:.4f}".replace("-", "−"))]
        assert len(products) == 1, lines
        assert lines[0].startswith(f"s = ln_final.hook_scale[{trace.seq - 1}] = {found.scale:.4f}")
        assert lines[-1].endswith(f"off by {rounding_error(found.error)}.")


def test_a_vector_that_was_added_has_a_bar_and_a_term_of_its_own(engine: Engine) -> None:
    vector = tuple(np.random.default_rng(2).normal(0, 8, 256).tolist())
    trace = engine.run("Once upon a time", Interventions(additions=(Addition(4, vector),)))
    found = engine.attribute(trace, ",", " there")
    assert "change of L4's hook_resid_pre" in [row["name"] for row in waterfall.waterfall_rows(found)]
    lines = formula.operands(trace, engine.checkpoint, found, head_map.part_at(trace, found, (0, 0)))
    assert ", change " in lines[-2]
