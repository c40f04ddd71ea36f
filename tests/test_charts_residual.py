"""Pictures of the residual stream and the logit lens: their numbers are the trace's and the model's."""

import dataclasses
import re

import numpy as np
import pytest

from gpt2.model.sampling import Sampling
from gpt2.reading.lens import read_lens
from gpt2.trace.captures import Captures
from gpt2.trace.step import NORMS
from pages.charts import lens, lens_watch, residual
from pages.look.numbers import rounding_error, whole_percent
from pages.look.palette import LIGHT
from pages.look.tokens import spoken_at


@pytest.fixture(scope="module")
def reads(checkpoint):
    return lambda rows: read_lens(checkpoint, rows)


@pytest.fixture(scope="module")
def prompt_trace(engine):
    """A prompt of over 32 tokens that was read but not continued: one step, one lens."""
    run = engine.start("Once upon a time there was a little girl who lived with her mother in a small house. " * 2)
    run.advance(None)
    return run.trace


def numbers(sentence: str) -> list[float]:
    return [float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*\.?\d*", sentence.replace("−", "-"))]


# --- norms -----------------------------------------------------------------------------------------------------------


def test_the_map_holds_the_norm_of_every_vector_top_of_the_stack_first(trace):
    shown = residual.norm_map(trace, 5, without_first=False, height=400)
    assert shown.values.shape == residual.shape(trace)
    for row, hook in enumerate(shown.row_names):
        lengths = [np.sqrt((vector.astype(float) ** 2).sum()) for vector in trace[hook]]
        np.testing.assert_allclose(shown.values[row], lengths, rtol=1e-5)
    assert shown.row_names[0] == f"blocks.{trace.config.n_layer - 1}.hook_resid_post"
    assert shown.row_names[-2:] == ["hook_pos_embed", "hook_embed"]


def test_colours_without_the_first_token_end_at_the_largest_of_the_others(trace):
    whole = residual.norm_map(trace, 5, without_first=False, height=400)
    others = residual.norm_map(trace, 5, without_first=True, height=400)
    assert whole.scale.limit == pytest.approx(whole.values.max())
    assert not whole.scale.is_clipped
    assert others.scale.limit == pytest.approx(whole.values[:, 1:].max())
    assert others.scale.is_clipped == bool(whole.values[:, 0].max() > others.scale.limit)
    np.testing.assert_array_equal(others.values, whole.values)


def test_a_first_token_beyond_the_colours_is_named(trace):
    captures = {name: np.array(values) for name, values in trace.steps[0].captures.items()}
    captures["blocks.2.hook_resid_post"][0] *= 1000
    outlier = dataclasses.replace(trace.steps[0], captures=Captures(captures))
    run = dataclasses.replace(trace, steps=(outlier, *trace.steps[1:]))
    length = np.linalg.norm(captures["blocks.2.hook_resid_post"][0])
    shown = residual.norm_map(run, 5, without_first=True, height=400)
    assert shown.scale.is_clipped
    told = re.search(r"The first token, up to ([\d,.]+), is beyond the colour scale", shown.caption)
    assert told and float(told[1].replace(",", "")) == pytest.approx(length, abs=0.1)
    assert shown.scale.limit == pytest.approx(shown.values[:, 1:].max())
    assert residual.norm_map(run, 5, without_first=False, height=400).scale.limit == pytest.approx(length)


def test_the_norm_sentence_quotes_the_shown_token(trace):
    position = 9
    last = trace.config.n_layer - 1
    bottom = np.linalg.norm(trace["blocks.0.hook_resid_pre"][position])
    top = np.linalg.norm(trace[f"blocks.{last}.hook_resid_post"][position])
    said = residual.norm_sentence(trace, position)
    assert said.startswith(spoken_at(trace, position))
    assert f"norm {bottom:.1f} and leaves the last with {top:.1f}, {top / bottom:.1f} times" in said


def test_parts_are_measured_against_the_stream_they_are_added_to(trace):
    position = trace.seq - 1
    rows = {(row["layer"], row["part"]): row for row in residual.added(trace, position)}
    assert len(rows) == 2 * trace.config.n_layer
    pre, out, mid = (
        trace[f"blocks.3.hook_{name}"][position].astype(float) for name in ("resid_pre", "attn_out", "resid_mid")
    )
    attention, mlp = rows["L3", "attention"], rows["L3", "MLP"]
    assert attention["norm"] == pytest.approx(np.linalg.norm(out), rel=1e-5)
    assert attention["cosine"] == pytest.approx(out @ pre / np.linalg.norm(out) / np.linalg.norm(pre), abs=1e-5)
    # |mid|² = |pre|² + |out|² + 2 cos |pre| |out|: the cosine explains how the stream's norm changed.
    grown = attention["before"] ** 2 + attention["norm"] ** 2
    grown += 2 * attention["cosine"] * attention["before"] * attention["norm"]
    assert mlp["before"] == pytest.approx(np.sqrt(grown), rel=1e-4)
    assert mlp["before"] == pytest.approx(np.linalg.norm(mid), rel=1e-5)


def test_shares_in_the_sentence_are_those_of_the_bars(trace):
    rows = residual.added(trace, 12)
    total = sum(row["norm"] for row in rows)
    mlp = sum(row["norm"] for row in rows if row["part"] == "MLP") / total
    told = residual.added_sentence(trace, 12)
    assert f"The MLPs add {whole_percent(mlp)} of the norms" in told
    assert f", attention {whole_percent(1 - mlp)};" in told
    assert numbers(told)[-1] == pytest.approx(max(row["norm"] for row in rows), abs=0.06)


def test_the_direction_sentence_names_the_lowest_cosine(trace):
    for position in (0, 12, trace.seq - 1):
        lowest = min(row["cosine"] for row in residual.added(trace, position))
        told = residual.direction_sentence(trace, position)
        assert f"{abs(lowest):.2f}." in told
        assert ("points most against" in told) == (lowest < 0)


def test_the_axis_of_norms_holds_every_shown_bar(trace):
    for position in (0, 3, trace.seq - 1):
        longest = max(row["norm"] for row in residual.added(trace, position))
        assert longest <= residual.reach(trace, position)
    rows = trace.norms[[NORMS.index("hook_attn_out"), NORMS.index("hook_mlp_out")], :, 1:]
    assert residual.reach(trace, 3) <= 1.51 * rows.max()


def test_the_stream_adds_up_in_the_operands(trace):
    assert numbers(residual.operands(trace, 7)[-1])[-1] < 1e-3


@pytest.mark.parametrize("bars", [residual.added_bars, residual.direction_bars])
def test_another_token_changes_only_the_data_of_the_bars(trace, bars):
    specs = []
    for position in (4, 30):
        spec = bars(trace, position, LIGHT).to_dict()
        assert len(spec["datasets"].pop("added")) == 2 * trace.config.n_layer
        specs.append(spec)
    assert specs[0] == specs[1]


# --- logit lens ------------------------------------------------------------------------------------------------------


def test_the_lens_at_the_top_is_the_model_itself(trace, reads):
    logits = lens.newest_logits(trace, reads)
    np.testing.assert_allclose(logits[-1], trace.steps[-1].logits, atol=2e-3)


def test_what_steps_have_read_and_what_is_read_now_agree(trace, prompt_trace, reads):
    for run in (trace, prompt_trace):
        grid = lens.lens_grid(run, reads)
        for depth, hook in enumerate(lens.depths(run.config.n_layer).values()):
            logits = reads(run[hook][grid.start :]).astype(float)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            largest = (odds / odds.sum(axis=1, keepdims=True)).max(axis=1)
            np.testing.assert_allclose(grid.probabilities[:, depth], largest, atol=1e-4)


def test_the_lens_reads_the_newest_positions_and_says_so(prompt_trace, reads):
    assert prompt_trace.seq > lens.MAX_POSITIONS
    grid = lens.lens_grid(prompt_trace, reads)
    assert grid.start == prompt_trace.seq - lens.MAX_POSITIONS
    shown = lens.lens_picture(prompt_trace, grid, 600)
    assert f"The newest {lens.MAX_POSITIONS} of {prompt_trace.seq} positions are read." in shown.caption
    assert list(shown.rows) == prompt_trace.labels[-lens.MAX_POSITIONS :]


def test_bold_cells_name_the_token_that_follows(trace, reads):
    grid = lens.lens_grid(trace, reads)
    shown = lens.lens_picture(trace, grid, 600)
    for row, column in np.ndindex(*grid.tokens.shape):
        assert shown.bold[row, column] == (grid.tokens[row, column] == trace.ids[grid.start + row + 1])
        assert shown.text[row][column] == trace.vocabulary.label(int(grid.tokens[row, column]))


def test_nothing_follows_the_last_token_of_a_run_that_only_looked(prompt_trace, reads):
    shown = lens.lens_picture(prompt_trace, lens.lens_grid(prompt_trace, reads), 600)
    assert not shown.bold[-1].any()


def test_the_lens_sentence_names_the_depth_from_which_the_choice_leads(trace, reads):
    grid = lens.lens_grid(trace, reads)
    said = lens.lens_sentence(trace, grid)
    names = list(lens.depths(trace.config.n_layer))
    final = grid.tokens[-1, -1]
    since = len(names) - 1
    while since and grid.tokens[-1, since - 1] == final:
        since -= 1
    assert said.endswith("from the embedding on." if since == 0 else f"from {names[since]} on.")
    assert trace.vocabulary.label(int(final)) in said


def test_a_watched_token_has_its_softmax_and_its_rank_at_every_depth(trace, reads):
    logits = lens.newest_logits(trace, reads)
    token = trace.steps[-1].draw.token
    watched = lens.watch(logits, token)
    for depth, row in enumerate(logits.astype(float)):
        odds = np.exp(row - row.max())
        assert watched.probabilities[depth] == pytest.approx(odds[token] / odds.sum(), rel=1e-6)
        assert watched.ranks[depth] == sorted(row, reverse=True).index(row[token]) + 1
    np.testing.assert_allclose(watched.probabilities, trace.steps[-1].lens.drawn, atol=1e-4)
    assert watched.ranks[-1] == trace.steps[-1].distribution.rank(token)


def test_the_lines_hold_the_watched_numbers_and_a_constant_spec(trace, reads):
    for line, field in ((lens_watch.probability_line, "probability"), (lens_watch.rank_line, "rank")):
        specs = []
        for steps in (12, 40):
            run = trace.cut(steps)
            watched = lens.watch(lens.newest_logits(run, reads), run.steps[-1].draw.token)
            spec = line(run, watched, LIGHT).to_dict()
            rows = spec.pop("datasets")["watched"]
            expected = watched.probabilities if field == "probability" else watched.ranks
            assert [row[field] for row in rows] == pytest.approx(list(expected))
            specs.append(spec)
        assert specs[0] == specs[1]


def test_the_watched_sentences_quote_both_ends(trace, reads):
    watched = lens.Watch(5, np.array([0.1, 0.05, 0.4, 0.3, 0.35, 0.5, 0.9]), np.array([20, 9, 3, 4, 3, 2, 1]))
    said = lens_watch.watched_sentence(trace, watched)
    assert numbers(said)[:2] == [10.0, 90.0]
    assert "L5 raises it most, by 40.0 points" in said
    assert "rank 20 " in lens_watch.rank_sentence(trace, watched)
    falling = lens.Watch(5, np.linspace(0.9, 0.1, 7), watched.ranks)
    assert "no layer raises it" in lens_watch.watched_sentence(trace, falling)


def test_the_drawn_token_is_followed_unless_another_is_chosen(trace, prompt_trace, reads):
    logits = lens.newest_logits(trace, reads)
    choices = lens.candidates(logits, watched=7)
    assert choices[0] == lens.DRAWN
    assert len(choices) == len(set(choices))
    assert 7 in choices
    assert lens.candidates(logits, watched="a label of another model") == lens.candidates(logits, watched=None)
    assert lens.candidates(logits, watched=trace.config.vocab_size) == lens.candidates(logits, watched=None)
    assert lens.candidate(trace, logits, lens.DRAWN) == trace.steps[-1].draw.token
    assert lens.candidate(trace, logits, 7) == 7
    looked = lens.newest_logits(prompt_trace, reads)
    assert lens.candidate(prompt_trace, looked, lens.DRAWN) == int(looked[-1].argmax())


def test_the_lens_operands_end_at_the_models_own_probability(trace, reads):
    logits = lens.newest_logits(trace, reads)
    token = trace.steps[-1].draw.token
    said = lens.operands(trace, logits, lens.watch(logits, token))
    assert float(said[1].rsplit("= ", 1)[1]) == pytest.approx(trace.steps[-1].distribution.raw[token], abs=1e-4)
    apart = float(np.abs(logits[-1] - trace.steps[-1].logits).max())
    assert apart < 2e-3 and said[2].endswith(f"by at most {rounding_error(apart)}.")


def test_one_token_is_enough_for_every_picture(engine, reads):
    run = engine.start("a")
    run.advance(Sampling(seed=1))
    trace = run.trace
    assert residual.norm_map(trace, 0, without_first=True, height=400).values.shape[1] == 1
    assert residual.reach(trace, 0) > 0
    assert lens.lens_grid(trace, reads).tokens.shape == (1, trace.config.n_layer + 1)
