"""A matrix as bytes: what the browser reads is the array, its labels stay text, its scale ends where it says."""

import json
import struct

import numpy as np
import pytest

from gpt2.errors import TraceError
from pages.matrix.blob import Picture, pack
from pages.matrix.component import component_script
from pages.matrix.scale import share, signed, size


def unpack(blob: bytes) -> tuple[dict, np.ndarray]:
    """What the browser reads, written a second time."""
    (length,) = struct.unpack_from("<I", blob)
    header = json.loads(blob[4 : 4 + length])
    values = struct.unpack(f"<{(len(blob) - 4 - length) // 4}f", blob[4 + length :])
    return header, np.array(values, np.float32).reshape(header["shape"])


def picture(values: np.ndarray, **changes) -> Picture:
    rows, columns = ([f"{name}{at}" for at in range(n)] for name, n in zip("rc", values.shape[:2], strict=True))
    defaults = {"scale": share("weight", "attention"), "title": "T", "caption": "C", "hook": "h"}
    return Picture(values, rows, columns, **(defaults | changes))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (1, 1024), (300, 7)])
def test_the_blob_decodes_to_the_values(shape):
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    header, decoded = unpack(pack(picture(values)))
    np.testing.assert_array_equal(decoded, values)
    assert header["rows"][-1] == f"r{shape[0] - 1}"


def test_cells_without_a_value_survive_the_blob():
    values = np.array([[0.5, -np.inf], [np.nan, 1.0]], np.float32)
    np.testing.assert_array_equal(unpack(pack(picture(values)))[1], values)


def test_a_caption_travels_in_parts_with_its_per_cents_apart():
    header, _ = unpack(
        pack(picture(np.ones((1, 1)), caption="7 heads look at ·a, 99.3\u202f% at most; 3 % is no quote."))
    )
    assert header["caption"] == ["7 heads look at ·a, ", "99.3\u202f%", " at most; 3 % is no quote."]
    assert unpack(pack(picture(np.ones((1, 1)), caption="None")))[0]["caption"] == ["None"]


def test_any_label_survives_the_blob_and_leaves_the_values_aligned():
    for label in ("·", "↵</script>", "🙂", "⟨e2⟩"):
        blob = pack(picture(np.ones((1, 1), np.float32), title=label))
        header, decoded = unpack(blob)
        assert header["title"] == label
        assert len(blob) % 4 == 0
        assert decoded.item() == 1.0


def test_a_mosaic_puts_every_tile_in_its_place():
    tiles = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
    _, decoded = unpack(pack(picture(tiles, notes=[["n"] * 3] * 2)))
    for row, column in np.ndindex(2, 3):
        tile = decoded[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        np.testing.assert_array_equal(tile, tiles[row, column])


def test_a_default_frame_and_a_picked_cell_are_told_apart():
    for is_picked in (False, True):
        header, _ = unpack(pack(picture(np.ones((2, 2))), selected=(1, 0), is_picked=is_picked))
        assert (header["selected"], header["is_picked"]) == ([1, 0], is_picked)


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(TraceError, match="2 row and 1 column labels"):
        Picture(np.ones((2, 2)), ["a", "b"], ["a"], share("w", "attention"), "T", "C", "h")
    with pytest.raises(TraceError, match="one text for each"):
        picture(np.ones((2, 2)), text=[["a"], ["b"]])


def test_scales_end_at_the_largest_value_and_signed_ones_stand_about_zero():
    values = np.array([[-3.0, 2.0, -np.inf, np.nan]])
    assert signed("score", values).limit == 3.0
    assert size("norm", "residual", np.array([1.0, 7.0])).limit == 7.0
    assert size("norm", "residual", np.zeros(3)).limit == 1.0


@pytest.mark.browser
def test_a_picture_writes_both_ends_of_a_clipped_scale_and_the_first_label(chromium):
    page = chromium.new_page()
    ticks, tokens, marked, numbers = page.evaluate(
        f"""() => {{
            {component_script().replace("export default", "const component =")}
            const scale = {{ kind: 'signed', limit: 3, is_clipped: true }};
            return [
                ticksOf(scale).map((tick) => tickText(scale, tick)), [...writtenLabels(32, 3, null, false)],
                [...writtenLabels(9, 4, 3, false)], [...writtenLabels(256, 50, null, true)],
            ];
        }}"""
    )
    page.close()
    assert ticks == ["≤ −3", "0", "≥ 3"]
    assert tokens == [0, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31]
    assert marked == [3, 7]
    assert numbers == [0, 50, 100, 150, 200, 250]
