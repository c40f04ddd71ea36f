"""The Sampling page's pictures and sentences, against numbers computed here from the logits alone."""

import numpy as np
import pytest

from gpt2.errors import SettingsError
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Step, Trace
from pages.charts.sampling import columns, cumulative, draw, entropy
from pages.charts.sampling.formula import sampling_operands
from pages.charts.sampling.outcome import (
    SHOWN_TOKENS,
    Outcome,
    chosen_sampling,
    columns_of,
    control_values,
    outcome_sentence,
    shown_tokens,
)
from pages.look.palette import LIGHT
from pages.look.tokens import spoken

SETTINGS = tuple(
    Sampling(*settings)
    for settings in ((0.8, 0, 0.95, 1), (1.3, 10, 0.8, 4), (0.0, 0, 1.0, 2), (2.0, 1, 1.0, 3), (1.0, 0, 1.0, 9))
)


@pytest.fixture(scope="module")
def step(trace: Trace) -> Step:
    """The most open step whose draw was neither the likeliest token, nor the last on the bar, nor very rare."""

    def fits(step: Step) -> bool:
        outcome = Outcome.drawn(step)
        place, left = outcome.distribution.rank(outcome.token), np.count_nonzero(outcome.distribution.final)
        return 1 < place < left and outcome.distribution.raw[outcome.token] > 0.005

    return max(filter(fits, trace.steps), key=lambda step: bits(softmax(step.logits.astype(np.float64))))


@pytest.fixture(scope="module")
def drawn(step: Step) -> Outcome:
    return Outcome.drawn(step)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def by_hand(logits: np.ndarray, sampling: Sampling) -> dict[str, np.ndarray]:
    """Every stage, worked out one token at a time."""
    logits = logits.astype(np.float64)
    ranked = sorted(range(len(logits)), key=lambda token: (-logits[token], token))
    raw = softmax(logits)
    tempered = softmax(logits / sampling.temperature) if sampling.temperature else np.eye(len(logits))[ranked[0]]
    top_k = tempered.copy()
    top_k[ranked[sampling.top_k or len(ranked) :]] = 0
    top_k = top_k / top_k.sum()
    top_p, total = np.zeros_like(top_k), 0.0
    for token in ranked:
        if sampling.top_p < 1 and total >= sampling.top_p:
            break
        top_p[token] = top_k[token]
        total += top_k[token]
    return {"raw": raw, "tempered": tempered, "top_k": top_k, "top_p": top_p / top_p.sum()}


def bits(probabilities: np.ndarray) -> float:
    return -sum(p * np.log2(p) for p in probabilities.tolist() if p > 0)


@pytest.mark.parametrize("sampling", SETTINGS)
def test_stages_are_those_worked_out_by_hand(step: Step, sampling: Sampling) -> None:
    expected = by_hand(step.logits, sampling)
    model, heat, top_k, top_p, final = columns_of(Outcome.preview(step, sampling))
    np.testing.assert_allclose(model.passed, expected["raw"], atol=1e-12)
    np.testing.assert_allclose(heat.passed, expected["tempered"], atol=1e-12)
    np.testing.assert_allclose(top_k.arrived, expected["tempered"], atol=1e-12)
    np.testing.assert_allclose(top_k.passed / top_k.passed.sum(), expected["top_k"], atol=1e-12)
    np.testing.assert_allclose(top_p.arrived, expected["top_k"], atol=1e-12)
    np.testing.assert_allclose(final.passed, expected["top_p"], atol=1e-12)
    found = [stage.entropy for stage in (model, heat, top_k, top_p, final)]
    names = ("raw", "tempered", "top_k", "top_p", "top_p")
    assert found == pytest.approx([bits(expected[name]) for name in names], abs=1e-9)


@pytest.mark.parametrize("sampling", SETTINGS[:2])
def test_the_head_of_a_column_quotes_what_its_filter_removed(step: Step, sampling: Sampling) -> None:
    expected = by_hand(step.logits, sampling)
    _, _, top_k, top_p, final = columns_of(Outcome.preview(step, sampling))
    cut_k = expected["tempered"][expected["top_k"] == 0].sum()
    cut_p = expected["top_k"][expected["top_p"] == 0].sum()
    assert top_k.note == (f"cuts {100 * cut_k:.1f}\u202f%" if sampling.top_k else "off")
    assert top_p.note == f"cuts {100 * cut_p:.1f}\u202f%"
    assert final.note == f"{(expected['top_p'] > 0).sum()} left, rescaled"


@pytest.mark.parametrize("sampling", SETTINGS)
def test_a_preview_draws_as_a_run_with_these_settings_would(trace: Trace, step: Step, sampling: Sampling) -> None:
    preview = Outcome.preview(step, sampling)
    final = by_hand(step.logits, sampling)["top_p"]
    u = float(np.random.default_rng([sampling.seed, step.stop]).random())
    total = 0.0
    for token in sorted(range(len(final)), key=lambda token: (-step.logits[token], token)):
        total += final[token]
        if u < total:
            break
    assert (preview.u, preview.token) == (u, token)


def test_a_preview_with_the_runs_own_settings_is_what_was_drawn(trace: Trace) -> None:
    for step in trace.steps[::7]:
        preview = Outcome.preview(step, step.draw.sampling)
        assert (preview.u, preview.token) == (step.draw.u, step.draw.token)


def test_the_drawn_token_is_always_shown_and_the_order_is_the_models(trace: Trace) -> None:
    for step in trace.steps:
        outcome = Outcome.drawn(step)
        rare = int(outcome.distribution.order[700])
        shown = shown_tokens(outcome, rare)
        assert len(shown) == len(set(shown)) == SHOWN_TOKENS
        assert {outcome.token, rare} <= set(shown)
        logits = [float(step.logits[token]) for token in shown]
        assert logits == sorted(logits, reverse=True)
        likeliest = [int(token) for token in outcome.distribution.order[: SHOWN_TOKENS - 2]]
        assert shown[: SHOWN_TOKENS - 2] == likeliest


def test_bars_are_as_long_as_their_probabilities_and_removed_ones_stay(
    trace: Trace, step: Step, drawn: Outcome
) -> None:
    preview = Outcome.preview(step, Sampling(1.3, 10, 0.75, 4))
    spec = columns.columns_chart(preview, drawn, step.logits, trace.vocabulary, LIGHT).to_dict()["datasets"]
    heads = columns_of(preview)
    tokens = shown_tokens(preview, drawn.token)
    assert len(spec["bars"]) == len(tokens) * len(heads)
    kept = [bar for bar in spec["bars"] if not bar["removed"]]
    ratios = [(bar["x2"] - bar["x"]) / bar["probability"] for bar in kept if bar["probability"]]
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-6)
    removed = {(bar["column"], bar["id"]) for bar in spec["bars"] if bar["removed"]}
    expected = by_hand(step.logits, preview.sampling)
    cut_k = {token for token in tokens if expected["top_k"][token] == 0}
    cut_p = {token for token in tokens if expected["top_p"][token] == 0}
    assert {token for stage, token in removed if stage == "Top-k 10"} == cut_k
    assert {token for stage, token in removed if stage == "Final"} == cut_p
    assert all(bar["x2"] > bar["x"] for bar in spec["bars"] if bar["removed"])


def test_hatching_never_leaves_its_bar() -> None:
    for line in columns.hatch(2.0, 2.3, row=4):
        assert 2.0 <= line["x"] <= line["x2"] <= 2.3 + 1e-9
        assert 4 - columns.HALF - 1e-9 <= line["y2"] <= line["y"] <= 4 + columns.HALF + 1e-9


def test_the_row_of_all_other_tokens_makes_every_column_whole(trace: Trace, step: Step, drawn: Outcome) -> None:
    tokens = shown_tokens(drawn)
    for stage in (columns_of(drawn)[0], columns_of(drawn)[1], columns_of(drawn)[4]):
        assert stage.passed[tokens].sum() + columns.rest(stage, tokens) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("sampling", SETTINGS)
def test_segments_tile_the_bar_and_the_chosen_one_holds_u(trace: Trace, step: Step, sampling: Sampling) -> None:
    outcome = Outcome.preview(step, sampling)
    rows = draw.segments(outcome, "What if", trace.vocabulary)
    assert rows[0]["x"] == 0
    assert rows[-1]["x2"] == pytest.approx(1, abs=1e-9)
    assert [row["x"] for row in rows[1:]] == pytest.approx([row["x2"] for row in rows[:-1]])
    (chosen,) = [row for row in rows if row["chosen"]]
    assert chosen["x"] <= outcome.u < chosen["x2"]
    assert chosen["token"] == trace.vocabulary.label(outcome.token)
    assert chosen["x2"] - chosen["x"] == pytest.approx(outcome.distribution.final[outcome.token], abs=1e-9)


def test_the_draw_sentence_names_the_neighbours_on_the_bar(trace: Trace, step: Step, drawn: Outcome) -> None:
    start, end = drawn.stretch
    sentence = draw.draw_sentence(drawn, trace.vocabulary)
    before = drawn.distribution.pick(start - 1e-9)
    after = drawn.distribution.pick(end + 1e-9)
    assert f"u = {drawn.u:.3f} falls in {spoken(trace.vocabulary.label(drawn.token))}" in sentence
    assert f"{start:.3f} would have drawn {spoken(trace.vocabulary.label(before))}" in sentence
    assert f"{end:.3f} {spoken(trace.vocabulary.label(after))}" in sentence


def test_a_greedy_draw_says_that_nothing_could_have_changed_it(trace: Trace, step: Step) -> None:
    sentence = draw.draw_sentence(Outcome.preview(step, Sampling(temperature=0)), trace.vocabulary)
    assert "no other u could have changed it" in sentence


def test_the_preview_sentence_says_that_the_run_is_kept(trace: Trace, step: Step, drawn: Outcome) -> None:
    other = Outcome.preview(step, Sampling(0.0, 0, 1.0, 1))
    was, would = (spoken(trace.vocabulary.label(outcome.token)) for outcome in (drawn, other))
    assert was != would
    assert draw.preview_sentence(drawn, other, trace.vocabulary) == (
        f"What if: the token would be {would} instead of {was}. This is only a preview; the run does not change."
    )


def test_rank_and_surprisal_are_the_models_own(trace: Trace, step: Step, drawn: Outcome) -> None:
    raw = softmax(step.logits.astype(np.float64))
    rank = 1 + int((raw > raw[drawn.token]).sum())
    sentence = outcome_sentence(drawn, "it")
    assert f"rank {rank:,} with {100 * raw[drawn.token]:.1f}\u202f%" in sentence
    assert f"surprisal {-np.log2(raw[drawn.token]):.2f}\u00a0bits" in sentence


def test_the_cumulative_curve_is_exact_at_every_rank_it_shows(step: Step) -> None:
    outcome = Outcome.preview(step, SETTINGS[1])
    ranked = np.sort(softmax(step.logits.astype(np.float64) / 1.3))[::-1]
    rows = [row for row in cumulative.curve_rows(outcome.distribution) if row["curve"] == "after temperature"]
    assert [row["share"] for row in rows] == pytest.approx([ranked[: row["rank"]].sum() for row in rows], abs=1e-9)
    assert (rows[0]["rank"], rows[-1]["rank"]) == (1, len(ranked))


def test_the_cumulative_sentence_counts_tokens(step: Step) -> None:
    outcome = Outcome.preview(step, SETTINGS[1])
    ranked = np.cumsum(np.sort(softmax(step.logits.astype(np.float64) / 1.3))[::-1])
    half, most = (int((ranked < share).sum()) + 1 for share in (0.5, 0.9))
    one, many = ("token holds" if half == 1 else "tokens hold"), ("holds" if most == 1 else "hold")
    sentence = cumulative.cumulative_sentence(outcome)
    assert f"{half} {one} half of the probability and {most} {many} nine tenths" in sentence


def test_cut_lines_stand_where_the_filters_cut(step: Step) -> None:
    outcome = Outcome.preview(step, SETTINGS[1])
    left = int((by_hand(step.logits, SETTINGS[1])["top_p"] > 0).sum())
    assert [row["rank"] for row in cumulative.cut_rows(outcome)] == [10, left]
    assert cumulative.cut_rows(Outcome.preview(step, SETTINGS[4])) == []


def test_the_entropy_line_has_every_step_and_marks_the_shown_one(trace: Trace) -> None:
    rows = entropy.entropy_rows(cut := trace.cut(20))
    spec = entropy.entropy_chart(rows, LIGHT).to_dict()["datasets"]
    raw = [softmax(step.logits.astype(np.float64)) for step in cut.steps]
    assert [row["entropy"] for row in spec["steps"]] == pytest.approx([bits(row) for row in raw], abs=1e-9)
    surprisals = [-np.log2(row[token]) for row, token in zip(raw, cut.generated_ids, strict=True)]
    assert [row["surprisal"] for row in spec["steps"]] == pytest.approx(surprisals, abs=1e-9)
    assert spec["shown"] == spec["steps"][19:]
    assert f"At step 19 the entropy is {bits(raw[-1]):.2f}\u00a0bits" in entropy.entropy_sentence(rows)


@pytest.mark.parametrize("sampling", SETTINGS)
def test_the_formula_ends_at_the_stretch_that_u_fell_in(trace: Trace, step: Step, sampling: Sampling) -> None:
    outcome = Outcome.preview(step, sampling)
    lines = sampling_operands(outcome, step.logits, trace.vocabulary)
    assert f"= {step.logits[outcome.token]:.4f};" in lines[0]
    start, rest = lines[-1].split(" ≤ u = ")
    u, end = rest.split(",")[0].split(" < ")
    assert float(start) <= float(u) <= float(end)
    assert float(end) - float(start) == pytest.approx(outcome.distribution.final[outcome.token], abs=2e-6)


def test_controls_that_were_not_moved_keep_the_runs_own_numbers() -> None:
    far = Sampling(3.5, 0, 1.0, seed=2**60 + 1)
    assert chosen_sampling(far, dict(control_values(far))) == far
    assert chosen_sampling(far, {**control_values(far), "top_k": None, "seed": 5}) == Sampling(3.5, 0, 1.0, 5)


def test_a_control_out_of_range_is_refused_in_a_sentence(step: Step) -> None:
    with pytest.raises(SettingsError, match="Top-p must be above 0"):
        chosen_sampling(Sampling(), {"top_p": 0.0})
    with pytest.raises(SettingsError, match="vocabulary has only"):
        Outcome.preview(step, chosen_sampling(Sampling(), {"top_k": 10**6}))


@pytest.mark.slow
def test_charts_keep_their_look_whatever_the_settings(trace: Trace, step: Step, drawn: Outcome) -> None:
    def looks(outcome: Outcome, cut: Trace) -> list[int]:
        charts = (
            columns.columns_chart(outcome, drawn, step.logits, trace.vocabulary, LIGHT),
            draw.draw_chart(drawn, outcome, trace.vocabulary, LIGHT),
            cumulative.cumulative_chart(outcome, trace.vocabulary, LIGHT),
            entropy.entropy_chart(entropy.entropy_rows(cut), LIGHT),
        )
        return [id(chart.look) for chart in charts]

    one, *others = [looks(Outcome.preview(step, sampling), trace.cut(3 + sampling.seed)) for sampling in SETTINGS]
    assert all(one == other for other in others)


def test_the_token_as_drawn_keeps_a_frame_beside_a_preview(trace: Trace, step: Step, drawn: Outcome) -> None:
    greedy = Outcome.preview(step, Sampling(temperature=0))
    assert greedy.token != drawn.token
    rows = columns.column_rows(greedy, drawn, step.logits, trace.vocabulary)
    (frame,) = [row for row in rows["marks"] if row["kind"] == "was"]
    names = [row["token"] for row in rows["names"]]
    assert names[int(frame["y"] + 0.5)] == trace.vocabulary.label(drawn.token)
    assert "as drawn" in {row["kind"] for row in rows["marks"]}
    same = columns.column_rows(drawn, drawn, step.logits, trace.vocabulary)
    assert {row["kind"] for row in same["marks"]} == {"band"}


def test_segments_that_stand_for_many_tokens_say_how_many(trace: Trace, step: Step) -> None:
    outcome = Outcome.preview(step, Sampling(1.5, 0, 1.0, 3))
    order = [trace.vocabulary.label(int(token)) for token in outcome.distribution.order]
    rows = draw.segments(outcome, "What if", trace.vocabulary)
    assert [row["token"] for row in rows[: draw.SHOWN_SEGMENTS]] == order[: draw.SHOWN_SEGMENTS]
    lumps = [int(row["token"].removesuffix(" tokens").replace(",", "")) for row in rows if row["lump"]]
    assert lumps and sum(lumps) + sum(not row["lump"] for row in rows) == np.count_nonzero(outcome.distribution.final)
