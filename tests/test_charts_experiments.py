"""Claims about the charts of experiments: their sentences quote the numbers that are drawn."""

from dataclasses import replace

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.experiments.ablation import ablation
from gpt2.experiments.effect import Effect
from gpt2.experiments.part import head, mlp
from gpt2.experiments.sweep import Sweep
from gpt2.experiments.twin import Twin, twin
from gpt2.trace.trace import Trace
from pages.charts.experiments import following, grid, heat, strip, texts
from pages.look.numbers import bits, percent, signed
from pages.look.palette import LIGHT
from pages.look.tokens import unmarked


@pytest.fixture(scope="module")
def found(engine: Engine, trace: Trace) -> Twin:
    *_, made = twin(engine, trace.cut(8), ablation([head(1, 1), mlp(4)]))
    return made


def test_the_grid_shows_what_remains_of_each_part(engine: Engine) -> None:
    config, muted = engine.config, [head(5, 0), mlp(0)]
    off = grid.part_grid(config, muted, "zero", 0.0, 200)
    assert off.values.shape == (6, 9) and off.values.sum() == 54 - 2
    assert off.values[0, 0] == off.values[5, 8] == 0 and off.text[0][0] == off.text[5][8] == "off"
    assert "2 of 54 parts" in off.caption
    half = grid.part_grid(config, muted, "scale", -0.5, 200)
    assert half.values[0, 0] == -0.5 and half.text[0][0] == "×−0.5"
    labels = grid.parts_by_label(config)
    assert len(labels) == 54 and labels["L5·H0"] == head(5, 0) and labels["MLP of L0"] == mlp(0)
    assert all(
        grid.part_at(config, (5 - part.layer, 8 if part.head is None else part.head)) == part
        for part in labels.values()
    )


def test_the_strip_names_its_largest_cell(found: Twin, trace: Trace) -> None:
    picture, most = strip.kl_strip(found, trace.vocabulary, 30, 150), int(found.kl.argmax())
    assert np.array_equal(picture.values, found.kl[None]) and picture.mark_column == 7
    assert picture.columns == [trace.vocabulary.label(token) for token in trace.generated_ids[:8]]
    said = unmarked(picture.caption)
    assert f"before {picture.columns[most]}, step {most}: {bits(found.kl[most])}" in said
    assert bits(float(found.kl.mean())) in said
    none = replace(found, kl=np.zeros(8))
    assert "changes nothing" in strip.strip_sentence(none, trace.vocabulary)
    assert f"{found.kl[3]:.6f} bits" in strip.operands(found, 3)[-1]


def test_the_texts_part_where_the_tokens_do(found: Twin, trace: Trace) -> None:
    at, shown = found.parted_at, texts.texts_of(found, trace.vocabulary)
    assert at is not None
    assert shown.common + shown.base == trace.cut(8).text
    assert shown.common + shown.changed == trace.vocabulary.text((*trace.prompt_ids, *found.changed_ids))
    labels = [trace.vocabulary.label(ids[at]) for ids in (found.base_ids, found.changed_ids)]
    said = unmarked(texts.texts_sentence(found, trace.vocabulary))
    assert f"part at step {at}: the base drew {labels[0]}, the changed model {labels[1]}." in said
    early = replace(found, changed_ids=found.base_ids[:3], is_complete=False)
    assert "the first 3 of 8 steps" in texts.texts_sentence(early, trace.vocabulary)
    assert texts.texts_of(early, trace.vocabulary).base == ""
    ended = replace(found, changed_ids=found.base_ids[:3], is_complete=True)
    assert "nothing, as its text had ended" in texts.texts_sentence(ended, trace.vocabulary)


def test_the_next_token_is_told_of_both_models(engine: Engine, found: Twin, trace: Trace) -> None:
    effect = found.effect(engine, 5)
    rows = following.next_rows(effect, trace.vocabulary)
    first = rows[0]["token"], rows[0]["probability"], rows[1]["probability"]
    assert first == (trace.vocabulary.label(effect.token), *effect.probability)
    said = unmarked(following.next_sentence(effect, trace.vocabulary))
    assert f"{percent(effect.probability[0])} in the base and {percent(effect.probability[1])} changed" in said
    assert f"from {signed(effect.difference[0])} to {signed(effect.difference[1])}" in said and bits(effect.kl) in said
    assert len(following.next_bars(effect, trace.vocabulary, LIGHT).to_dict()["datasets"]["next"]) == len(rows)


def test_the_watched_tokens_sentence_names_the_step_that_moves_most(trace: Trace) -> None:
    base, changed = [0.1, 0.5, 0.2], [0.1, 0.2, 0.3]
    said = unmarked(following.watched_sentence(7, base, changed, trace.vocabulary))
    assert said.endswith(f"most at step 1: from {percent(0.5)} to {percent(0.2)}.") and "lowers" in said
    assert "does not move" in following.watched_sentence(7, base, base, trace.vocabulary)
    data = following.watched_lines(base, changed, 9, LIGHT).to_dict()["datasets"]
    assert [row["probability"] for row in data["watched"]] == base + changed and data["shown"] == [{"step": 2}]


def test_a_heat_map_has_the_last_layer_on_top_and_names_its_strongest_cell(trace: Trace) -> None:
    values = np.array([[0.1, -2.0, 0.3], [0.5, np.nan, np.nan]])
    parts = Sweep(values, (0, 1), (0, 1, -1), 4, 5, 6, trace.prompt_ids)
    picture = heat.heat_map(parts, heat.ABLATIONS, trace.vocabulary, 300)
    assert picture.columns == ["H0", "H1", "MLP"] and picture.rows == ["L1", "L0"] and picture.values[0, 0] == 0.5
    assert (
        picture.caption.startswith("L0·H1 matters most so far, after 4 of 6 passes") and signed(-2.0) in picture.caption
    )
    whole = replace(parts, values=np.array([[0.1, 0.9, 0.3], [0.5, 0.2, 0.1]]), columns=(0, 1, 2), done=6)
    said = unmarked(heat.heat_map(whole, heat.STREAM, trace.vocabulary, 300).caption)
    assert (
        said.startswith(f"The stream before L0 at {trace.labels[1]} (position 1) restores most: ")
        and percent(0.9) in said
    )
    assert "number 1 of 4 by size" in heat.picked_sentence(parts, heat.ABLATIONS, (0, 1), trace.vocabulary)
    assert heat.picked_sentence(parts, heat.PARTS, (1, 2), trace.vocabulary) == "MLP of L1 has not been measured yet."
    assert f"restores {percent(0.9)}" in heat.picked_sentence(whole, heat.STREAM, (0, 1), trace.vocabulary)
    assert "Nothing is measured yet" in heat.heat_sentence(replace(parts, done=0), heat.PARTS, trace.vocabulary)


def test_an_effect_of_nothing_reads_as_nothing() -> None:
    logits = np.array([0.5, 1.5, -2.0])
    effect = Effect(logits, logits, 1, 0)
    assert effect.kl == effect.change("probability") == effect.change("KL") == effect.change("logit difference") == 0
