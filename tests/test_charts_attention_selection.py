"""Attention of a selection: any heads and tokens joined, on the text and as bars; and a score taken apart."""

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.trace.trace import Trace
from pages.charts import attention, attention_head, attention_pair, attention_row, attention_text
from pages.charts.attention import Reading, Subject
from pages.look.names import head_name
from pages.look.palette import LIGHT
from pages.look.tokens import spoken_at
from tests.test_charts_attention import AS_IT_IS, newest, pattern, quoted_percent

SOME = ["L3", "L0·H2", "L0·H7", "L3·H1"]


def patterns_of(trace: Trace) -> np.ndarray:
    """Of the heads in `SOME`, each once: [head, query, key]."""
    return np.concatenate([pattern(trace, 3), pattern(trace, 0)[[2, 7]]]).astype(np.float64)


# --- some heads, joined ----------------------------------------------------------------------------------------------


def test_a_selection_joins_each_chosen_head_once_by_mean_or_by_the_largest(trace):
    mean, largest = (attention.selected(trace, SOME, join) for join in ("mean", "max"))
    np.testing.assert_allclose(attention.shares(trace, mean, AS_IT_IS), patterns_of(trace).mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(attention.shares(trace, largest, AS_IT_IS), patterns_of(trace).max(axis=0))


def test_the_largest_is_taken_after_each_heads_row_is_rescaled(trace):
    rescaled = patterns_of(trace)[:, :, 1:]
    with np.errstate(invalid="ignore"):
        rescaled = rescaled / rescaled.sum(axis=2, keepdims=True)
    subject = attention.selected(trace, SOME, "max")
    shown = attention.shares(trace, subject, Reading(without_first=True))
    assert np.isnan(shown[:, 0]).all()
    np.testing.assert_allclose(shown[1:, 1:], rescaled.max(axis=0)[1:], rtol=1e-4, atol=1e-6)


def test_the_picture_of_a_selection_says_what_is_joined(trace):
    shown = attention.joined_heads(trace, AS_IT_IS, attention.selected(trace, SOME, "max"), 500)
    assert shown.title == "Largest of L3, L0·H2, L0·H7 and L3·H1, 10 heads"
    assert "largest of 10 heads" in shown.caption
    assert quoted_percent(shown.caption) == pytest.approx(patterns_of(trace)[:, -1].max(), abs=6e-4)
    assert attention.joined_heads(trace, AS_IT_IS, Subject(((3, 1),)), 500).title == "L3·H1, 1 head"


def test_without_a_choice_or_with_one_of_another_model_all_heads_are_joined(trace):
    for names in ([], ["L99", "L0·H99"]):
        assert attention.selected(trace, names, "max") == attention.all_layers(trace, "max")
    assert list(attention.part_options(trace))[:2] == ["L0", "L0·H0"]


# --- several tokens --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("join", "pool"), [("mean", np.mean), ("max", np.max)])
def test_the_bars_of_several_tokens_are_their_rows_joined(trace, join, pool):
    queries, row = (4, 9, 30), pool(pattern(trace, 2)[4, [4, 9, 30]].astype(np.float64), axis=0)
    bars = attention_row.key_rows(trace, Subject(((2, 4),), join), AS_IT_IS, queries)
    assert len({bar["token"] for bar in bars}) == len(bars)
    for bar in bars[:-1]:
        assert bar["weight"] == pytest.approx(row[bar["position"]], abs=1e-6)
    rest = np.sort(row)[::-1][attention_row.BARS :]
    assert bars[-1]["weight"] == pytest.approx(rest.sum() if join == "mean" else rest.max(), abs=1e-5)
    said = attention_row.attention_row_sentence(trace, Subject(((2, 4),), join), AS_IT_IS, queries)
    assert said.startswith(f"L2·H4, {'mean' if join == 'mean' else 'largest'} over 3 tokens: {spoken_at(trace, 4)}, ")
    assert f"{spoken_at(trace, int(row.argmax()))} (position {row.argmax()})" in said
    assert quoted_percent(said) == pytest.approx(row.max(), abs=6e-4)


def test_one_chosen_token_looks_back_from_where_it_stands(trace):
    row = pattern(trace, 2)[4, 12]
    bars = attention_row.key_rows(trace, Subject(((2, 4),)), AS_IT_IS, (12,))
    places = {"itself" if bar["position"] == 12 else f"−{12 - bar['position']}" for bar in bars[:-1]}
    assert {bar["token"].rsplit(" ", 1)[1] for bar in bars[:-1]} == places
    assert max(bar["position"] for bar in bars[:-1]) <= 12
    said = attention_row.attention_row_sentence(trace, Subject(((2, 4),)), AS_IT_IS, (12,))
    back = 12 - int(row.argmax())
    assert ("itself" if not back else f"({back} tokens back)" if back > 1 else "(one token back)") in said


def test_chosen_tokens_that_the_step_has_not_reached_are_left_out_and_the_newest_looks_instead(trace):
    assert attention_row.chosen_queries(trace.cut(1), (0, 400)) == (0,)
    assert attention_row.chosen_queries(trace.cut(1), (400,)) == newest(trace.cut(1))
    assert attention_row.row_title(trace, newest(trace)) != attention_row.row_title(trace, (0, 1))


# --- on the text -----------------------------------------------------------------------------------------------------


def test_the_text_has_every_tokens_row_and_the_joined_one_last(trace):
    subject, queries = Subject(((2, 4),)), (3, 8)
    shown = attention_text.text_picture(trace, subject, AS_IT_IS, queries)
    np.testing.assert_array_equal(shown.values[:-1], pattern(trace, 2)[4])
    np.testing.assert_allclose(shown.values[-1], pattern(trace, 2)[4, [3, 8]].mean(axis=0), atol=1e-6)
    assert list(shown.columns) == trace.labels and shown.title.startswith("L2·H4")
    assert shown.hook == "blocks.2.attn.hook_pattern[4]"
    assert shown.row_names[8] == f"{spoken_at(trace, 8)} (position 8)"
    assert all(spoken_at(trace, query) in shown.row_names[-1] for query in queries)


@pytest.mark.parametrize("changes", [(False, False), (True, False), (False, True), (True, True)])
def test_a_long_texts_earlier_tokens_are_one_column_and_its_rows_keep_their_sum(engine: Engine, changes):
    run = engine.run("Once upon a time there was a king. " * 20)
    start = attention_text.text_start(run)
    assert start == run.seq - attention_text.MOST > 0
    subject = Subject(((1, 3), (1, 4)))
    shown = attention_text.text_picture(run, subject, Reading.of(run, engine.checkpoint, *changes), newest(run))
    assert shown.columns[0] == f"… {start} earlier" and f"the {start} before them" in shown.caption
    np.testing.assert_allclose(shown.values.sum(axis=1), 1, atol=1e-5)
    assert attention_text.shown_queries(run, (0, start, run.seq - 1)) == [0, attention_text.MOST - 1]
    largest = attention_text.text_picture(run, Subject(((1, 3), (1, 4)), "max"), AS_IT_IS, newest(run))
    expected = pattern(run, 1)[[3, 4], start:, :start].max(axis=(0, 2))
    np.testing.assert_allclose(largest.values[:-1, 0], expected, atol=1e-6)


# --- a score, taken apart --------------------------------------------------------------------------------------------


def test_a_score_is_the_sum_of_its_products_and_is_the_models_own(trace):
    layer, head, query, key = 1, 2, 25, 11
    pair = attention_pair.PairOfTokens.of(attention_head.HeadMatrices.of(trace, layer, head, None), (query, key))
    q, k, v = (
        trace[f"blocks.{layer}.attn.hook_{part}"][at, head] for part, at in zip("qkv", (query, key, key), strict=True)
    )
    products = [float(a) * float(b) / np.sqrt(trace.config.d_head) for a, b in zip(q, k, strict=True)]
    score = float(trace[f"blocks.{layer}.attn.hook_attn_scores"][head, query, key])
    assert pair.score == pytest.approx(score, abs=1e-5) == pytest.approx(sum(products), abs=1e-5)
    shown = attention_pair.strips(pair, 200)
    np.testing.assert_allclose(shown.values, [q, k, products, v], rtol=1e-5, atol=1e-6)
    rows = attention_pair.term_rows(pair)
    largest = sorted(products, key=abs, reverse=True)
    assert [row["value"] for row in rows[: attention_pair.BARS]] == pytest.approx(largest[: attention_pair.BARS])
    assert sum(row["value"] for row in rows[:-1]) == pytest.approx(rows[-1]["value"], abs=1e-5)
    said = attention_pair.terms_sentence(pair)
    assert f"score {score:.2f}.".replace("-", "−") in said
    assert quoted_percent(said) == pytest.approx(pattern(trace, layer)[head, query, key], abs=6e-4)


def test_the_picked_pair_is_the_cells_in_any_window_and_a_later_key_is_hidden(trace):
    matrices = attention_head.HeadMatrices.of(trace, 1, 2, 32)
    pair = attention_pair.PairOfTokens.of(matrices, (0, 5))
    assert (pair.query, pair.key) == (trace.seq - 32, trace.seq - 27)
    assert "the mask hides it" in attention_pair.terms_sentence(pair)
    assert attention_pair.strips(pair, 200).row_names[0] == f"hook_q[{trace.seq - 32}, 2]"


def test_a_new_pair_changes_only_the_data_of_its_bars(trace):
    matrices, specs = attention_head.HeadMatrices.of(trace, 1, 2, None), []
    for cell in ((9, 4), (20, 0)):
        pair = attention_pair.PairOfTokens.of(matrices, cell)
        spec = attention_pair.term_bars(pair, LIGHT).to_dict()
        assert spec.pop("datasets")["terms"]
        specs.append(spec)
    assert specs[0] == specs[1]


def test_every_option_is_named_as_its_part_is(trace):
    for name, (layer, head) in attention.part_options(trace).items():
        if head is not None:
            assert name == head_name(layer, head) == Subject(((layer, head),)).name
