"""The Embeddings page's pictures and sentences, against numbers computed here from the trace and the weights."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine.engine import Engine
from gpt2.model.interventions import Addition, Interventions
from gpt2.reading.tables import Tables
from gpt2.trace.trace import Trace
from pages.charts import embeddings, embeddings_map, embeddings_positions
from pages.look.numbers import rounding_error
from pages.look.palette import DARK, LIGHT
from pages.look.tokens import spoken


@pytest.fixture(scope="module")
def tables(checkpoint: Checkpoint) -> Tables:
    return Tables(checkpoint.weights["wte.weight"], checkpoint.weights["wpe.weight"])


@pytest.fixture(scope="module")
def flat(trace: Trace, tables: Tables) -> embeddings_map.EmbeddingMap:
    return embeddings_map.EmbeddingMap.of(trace, tables)


def test_the_three_matrices_are_the_rows_of_the_weights_and_their_sum(trace: Trace, checkpoint: Checkpoint) -> None:
    token = checkpoint.weights["wte.weight"][list(trace.computed_ids)]
    position = checkpoint.weights["wpe.weight"][: trace.seq]
    pictures = [embeddings.part_picture(trace, part) for part in embeddings.PARTS]
    for picture, expected in zip(pictures, (token, position, token + position), strict=True):
        np.testing.assert_allclose(picture.values, expected, atol=1e-6)
        assert picture.rows == trace.labels
        assert picture.mark_row == trace.seq - 1


def test_a_long_run_shows_its_latest_rows_and_says_so(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "SHOWN_ROWS", 10)
    picture = embeddings.part_picture(trace, embeddings.SUM)
    np.testing.assert_array_equal(picture.values, trace["blocks.0.hook_resid_pre"][-10:])
    assert (list(picture.rows), picture.row_start, picture.mark_row) == (trace.labels[-10:], trace.seq - 10, 9)
    assert f"the latest 10 of {trace.seq} tokens" in picture.caption


def test_all_three_matrices_share_one_round_scale_that_says_when_it_is_clipped(trace: Trace) -> None:
    scales = [embeddings.part_picture(trace, part).scale for part in embeddings.PARTS]
    assert scales[0] == scales[1] == scales[2]
    newest = np.abs(np.stack([trace[hook][-1] for hook in embeddings.PARTS.values()]))
    assert (newest > scales[0].limit).mean() <= 1 - embeddings.CLIP_SHARE < (newest > scales[0].limit / 2.5).mean()
    assert f"{scales[0].limit:.0e}"[0] in "125"
    assert scales[0].is_clipped


def test_the_written_sum_adds_up_as_it_is_written(trace: Trace) -> None:
    lines = [line for line in embeddings.embedding_operands(trace) if line.startswith("dimension")]
    assert len(lines) == 6
    for index, line in enumerate(lines):
        found = re.search(r": (-?[\d.]+) ([+-]) ([\d.]+) ([=≈]) (-?[\d.]+)$", line.replace("−", "-"))
        assert found
        left, sign, right, equals, total = found.groups()
        assert float(left) + float(sign + right) == pytest.approx(float(total), abs=1e-9 if equals == "=" else 2e-3)
        assert float(total) == pytest.approx(trace["blocks.0.hook_resid_pre"][-1, index], abs=6e-4)


def test_a_steered_run_says_that_the_parts_do_not_add_up(engine: Engine) -> None:
    steered = Interventions(additions=(Addition(0, tuple([0.5] * engine.config.n_embd), positions=(1, 2)),))
    trace = engine.run("Once upon a time", steered)
    assert f"At 2 of {trace.seq} positions an intervention" in embeddings.parts_sentence(trace)


def test_a_recording_in_16_bits_is_not_taken_for_a_steered_one(trace: Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "half.npz", half=True)
    half = Trace.load(tmp_path / "half.npz")
    off = np.abs(half["hook_embed"] + half["hook_pos_embed"] - half["blocks.0.hook_resid_pre"]).max()
    assert 0 < off < 1e-2
    assert embeddings.parts_sentence(half).endswith(f"add up to within {rounding_error(off)}.")


def test_numbers_that_do_not_add_up_are_never_written_as_equal() -> None:
    assert embeddings.equation(0.1, -0.25, -0.15) == "0.100 − 0.250 = −0.150"
    assert embeddings.equation(0.0626, -0.0534, 0.0092) == "0.0626 − 0.0534 = 0.0092"
    assert "≈" in embeddings.equation(0.1, 0.2, 0.3007)
    assert "≠" in embeddings.equation(0.1, 0.2, 0.5)


def test_an_untouched_run_says_that_they_do(trace: Trace) -> None:
    assert f"All {trace.seq * trace.config.n_embd:,} numbers of the sum add up" in embeddings.parts_sentence(trace)


def test_tables_of_other_weights_are_not_taken_for_the_runs_own(trace: Trace, tables: Tables, tmp_path: Path) -> None:
    trace.save(tmp_path / "half.npz", half=True)
    assert embeddings.own_tables(Trace.load(tmp_path / "half.npz"), tables) is tables
    assert embeddings.own_tables(trace, Tables(tables.wte + np.float32(0.01), tables.wpe)) is None
    assert embeddings.own_tables(trace, None) is None


def test_norms_are_the_lengths_of_the_captured_rows(trace: Trace) -> None:
    rows = embeddings.norms_chart(trace, LIGHT).to_dict()["datasets"]["norms"]
    assert len(rows) == 3 * trace.seq
    for row in rows:
        captured = trace[embeddings.PARTS[row["part"]]][row["position"]].astype(np.float64)
        assert row["norm"] == pytest.approx(np.sqrt((captured**2).sum()), rel=1e-5)
        assert row["token"] == trace.labels[row["position"]]


def test_the_norm_sentence_quotes_the_newest_token(trace: Trace) -> None:
    lengths = [np.linalg.norm(trace[hook][-1]) for hook in embeddings.PARTS.values()]
    quoted = "token {:.2f}, position {:.2f}, sum {:.2f}".format(*lengths)
    assert quoted in embeddings.norms_sentence(trace)


def test_a_long_runs_norms_are_drawn_for_its_latest_positions_and_the_sentence_says_so(engine) -> None:
    long = engine.run("a" * 400)
    assert long.seq > embeddings.SHOWN_ROWS
    rows = embeddings.norm_rows(long)
    assert {row["position"] for row in rows} == set(range(long.seq - embeddings.SHOWN_ROWS, long.seq))
    last = np.linalg.norm(long["blocks.0.hook_resid_pre"][-1])
    assert rows[-1]["norm"] == pytest.approx(last) and rows[-1]["token"] == long.labels[-1]
    assert f"The latest {embeddings.SHOWN_ROWS} positions are shown." in embeddings.norms_sentence(long)


def test_neighbour_bars_are_the_exact_cosines_of_brute_force(trace: Trace, tables: Tables) -> None:
    token = trace.computed_ids[-1]
    wte = tables.wte.astype(np.float64)
    cosines = (wte @ wte[token]) / np.linalg.norm(wte, axis=1) / np.linalg.norm(wte[token])
    expected = [int(other) for other in np.argsort(-cosines) if other != token][: embeddings.NEIGHBOURS]
    rows = embeddings.neighbours_chart(tables, trace.vocabulary, token, LIGHT).to_dict()["datasets"]["neighbours"]
    assert [row["id"] for row in rows] == expected
    assert [row["cosine"] for row in rows] == pytest.approx(cosines[expected], abs=1e-6)
    sentence = embeddings.neighbours_sentence(tables, trace.vocabulary, token)
    assert f"{spoken(trace.vocabulary.label(expected[0]))} with cosine {cosines[expected[0]]:.3f}" in sentence
    assert f"{np.median(np.delete(cosines, token)):.3f}" in sentence


def test_the_choice_that_follows_the_newest_token_does_so_at_every_step(trace: Trace) -> None:
    for n_steps in (1, 7, 40):
        cut = trace.cut(n_steps)
        assert embeddings.chosen_position(cut, embeddings.NEWEST) == cut.seq - 1
        assert embeddings.chosen_position(cut, 10_000) == cut.seq - 1
        assert embeddings.chosen_position(cut, 2) == 2


def test_the_map_shows_the_latest_tokens_once_each_with_the_newest_first(
    flat: embeddings_map.EmbeddingMap, trace: Trace
) -> None:
    rows = embeddings_map.map_rows(flat, trace)
    assert rows[0]["id"] == trace.computed_ids[-1]
    assert [row["kind"] for row in rows].count("newest") == 1
    assert len({row["id"] for row in rows}) == len(rows)
    assert {row["id"] for row in rows if row["kind"] != "neighbour"} <= set(trace.computed_ids)


def test_the_map_states_its_share_of_the_variance(flat: embeddings_map.EmbeddingMap, tables: Tables) -> None:
    values = np.linalg.svd(tables.wte[flat.tokens] - tables.wte[flat.tokens].mean(axis=0), compute_uv=False) ** 2
    share = values[:2].sum() / values.sum()
    assert f"keep {100 * share:.1f}\u202f% of the variance" in embeddings_map.map_sentence(flat)


def test_labels_of_the_map_lie_clear_of_one_another(flat: embeddings_map.EmbeddingMap, trace: Trace) -> None:
    rows = embeddings_map.map_rows(flat, trace)
    boxes = [
        embeddings_map.label_box(
            row["x"] * embeddings_map.WIDTH, (1 - row["y"]) * embeddings_map.HEIGHT, len(row["token"]), row["side"]
        )
        for row in rows
        if row["side"]
    ]
    areas = [embeddings_map.overlap(one, np.array(boxes[at + 1 :]).reshape(-1, 4)) for at, one in enumerate(boxes)]
    own = flat.own * embeddings_map.LINE * embeddings_map.LETTER
    assert sum(areas) < own  # only the run's own tokens may touch, and by less than a letter each
    assert all(row["side"] for row in rows[: flat.own])


def test_the_map_is_the_same_picture_every_time(trace: Trace, tables: Tables) -> None:
    one, other = (embeddings_map.EmbeddingMap.of(trace, Tables(tables.wte.copy(), tables.wpe)) for _ in range(2))
    assert embeddings_map.map_rows(one, trace) == embeddings_map.map_rows(other, trace)


def test_the_caption_of_the_map_says_who_is_left_out(trace: Trace, tables: Tables) -> None:
    early = trace.cut(1)
    assert f"all {len(set(early.computed_ids))} " in embeddings_map.map_caption(
        embeddings_map.EmbeddingMap.of(early, tables)
    )
    whole = embeddings_map.map_caption(embeddings_map.EmbeddingMap.of(trace, tables))
    assert f"latest {embeddings_map.MAPPED_TOKENS} of {len(set(trace.computed_ids))} " in whole


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_position_image_is_orange_where_positions_agree_and_blue_where_they_oppose(palette) -> None:
    wpe = np.array([[1, 0], [1, 0], [-1, 0], [0, 1]], np.float32)
    tables = Tables(np.eye(2, dtype=np.float32), wpe)
    image = Image.open(io.BytesIO(embeddings_positions.position_png(tables, palette))).convert("RGB")
    cell = image.width // 4

    def colour(row: int, column: int) -> str:
        return "#{:02X}{:02X}{:02X}".format(*image.getpixel((column * cell + cell // 2, row * cell + cell // 2)))

    assert colour(0, 1) == palette.positive
    assert colour(0, 2) == palette.negative
    assert {colour(3, 0), colour(0, 3)} == {palette.paper}
    assert colour(3, 3) == palette.positive


def test_the_position_line_is_one_row_of_the_cosines(tables: Tables) -> None:
    position = 43
    spec = embeddings_positions.position_chart(tables, position, LIGHT).to_dict()["datasets"]
    wpe = tables.wpe.astype(np.float64)
    expected = wpe @ wpe[position] / np.linalg.norm(wpe, axis=1) / np.linalg.norm(wpe[position])
    assert [row["cosine"] for row in spec["cosines"]] == pytest.approx(expected, abs=1e-6)
    assert spec["newest"][0]["position"] == position
    expected[position] = -2
    most = int(np.argmax(expected))
    sentence = embeddings_positions.position_sentence(tables, position)
    assert f"most like position {most} (cosine {expected[most]:.3f})" in sentence


def test_the_position_sentence_quotes_true_means(tables: Tables) -> None:
    unit = tables.wpe / np.linalg.norm(tables.wpe, axis=1, keepdims=True)
    near = np.mean([unit[at] @ unit[at + 1] for at in range(len(unit) - 1)])
    far = len(unit) // 4
    apart = np.mean([unit[at] @ unit[at + far] for at in range(len(unit) - far)])
    sentence = embeddings_positions.positions_sentence(tables)
    assert f"{near:.3f}, positions {far} apart {apart:.3f}" in sentence


def test_a_chart_keeps_its_look_from_step_to_step(trace: Trace, tables: Tables) -> None:
    def looks(cut: Trace) -> list[int]:
        found = embeddings_map.EmbeddingMap.of(cut, tables)
        charts = (
            embeddings.norms_chart(cut, LIGHT),
            embeddings.neighbours_chart(tables, cut.vocabulary, cut.computed_ids[-1], LIGHT),
            embeddings_map.map_chart(found, cut, LIGHT),
            embeddings_positions.position_chart(tables, cut.seq - 1, LIGHT),
        )
        return [id(chart.look) for chart in charts]

    assert looks(trace.cut(5)) == looks(trace.cut(30))


def test_a_neighbour_without_room_gets_no_label_but_the_runs_own_always_do() -> None:
    crowd = np.full((20, 2), (280.0, 200.0)) + np.random.default_rng(0).uniform(-2, 2, (20, 2))
    sides = embeddings_map.place_labels(crowd, ["·token"] * 20, needed=3)
    assert all(sides[:3])
    assert sides[3:].count("") >= 15
    apart = np.array([(100.0, 50.0), (400.0, 50.0), (100.0, 300.0)])
    assert embeddings_map.place_labels(apart, ["·token"] * 3, needed=0) == ["right"] * 3
    assert embeddings_map.place_labels(np.array([(555.0, 200.0)]), ["·token"], needed=0) == ["left"]


def test_the_list_of_tokens_names_every_position_and_does_not_hold_the_run(trace: Trace) -> None:
    labels = embeddings.option_labels(trace)
    assert list(labels) == [embeddings.NEWEST, *range(trace.seq)]
    assert embeddings.option_label(labels, 2) == f"{trace.labels[2]}  (position 2)"
    assert embeddings.option_label(labels, trace.seq + 5) == f"position {trace.seq + 5}"
    assert {type(value) for value in (*labels, *labels.values())} == {int, str}
