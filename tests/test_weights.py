"""Claims about weights: every layout in the wild gives the same arrays, and what cannot run is refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2.checkpoints.weights import CONV1D, Checkpoint, expected_shapes, load_checkpoint, load_weights
from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config
from tests.checkpoints import (
    CONFIG,
    edit_config,
    random_weights,
    safetensors_bytes,
    with_mask_buffers,
    without,
    write_checkpoint,
    write_weights,
)


def assert_holds(checkpoint: Checkpoint, written: dict[str, Any], tolerance: float = 0) -> None:
    """Every parameter is the one written, matrices turned from [in, out] to [out, in]."""
    for name, array in written.items():
        expected = array.T if name.endswith(CONV1D) else array
        found = checkpoint.weights[name]
        assert found.dtype == np.float32 and found.flags.c_contiguous
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("mask_buffers", [True, False])
def test_every_layout_gives_the_same_weights(tmp_path: Path, prefix: bool, shards: int, mask_buffers: bool) -> None:
    folder = write_checkpoint(tmp_path / "m", prefix=prefix, shards=shards, mask_buffers=mask_buffers)
    checkpoint = load_checkpoint(folder)
    assert_holds(checkpoint, random_weights(CONFIG, tied=True, seed=0))
    assert set(checkpoint.weights) == set(expected_shapes(checkpoint.config))


@pytest.mark.parametrize(("dtype", "tolerance"), [("F32", 0), ("F16", 2e-3), ("BF16", 8e-3)])
@pytest.mark.parametrize("shards", [1, 2])
def test_half_precision_is_widened_to_float32(tmp_path: Path, dtype: str, tolerance: float, shards: int) -> None:
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, dtype=dtype, shards=shards))
    assert_holds(checkpoint, random_weights(CONFIG, tied=True, seed=0), tolerance)


def test_bfloat16_is_the_upper_half_of_float32_exactly(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, dtype="BF16"))
    table = random_weights(CONFIG, tied=True, seed=0)["wte.weight"]
    expected = (table.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    assert np.array_equal(checkpoint.weights["wte.weight"], expected)


def test_a_file_may_mix_types(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, prefix=False)
    tensors = random_weights(CONFIG, tied=True, seed=0)
    names = sorted(tensors)
    (folder / "model.safetensors").unlink()
    parts = [{name: tensors[name] for name in names[n::2]} for n in range(2)]
    (folder / "a.safetensors").write_bytes(safetensors_bytes(parts[0], "F16"))
    (folder / "b.safetensors").write_bytes(safetensors_bytes(parts[1], "F32"))
    index = {"weight_map": {name: "ab"[n] + ".safetensors" for n, part in enumerate(parts) for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert_holds(load_checkpoint(folder), tensors, 2e-3)


def test_a_folder_is_named_by_text_or_by_a_path(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m")
    for named in (folder, str(folder)):
        checkpoint = load_checkpoint(named)
        assert checkpoint.name == "m"
        assert_holds(checkpoint, random_weights(CONFIG, tied=True, seed=0))


def test_a_tied_head_is_the_embedding_table_itself(tmp_path: Path) -> None:
    tied = load_checkpoint(write_checkpoint(tmp_path / "tied"))
    assert tied.weights["lm_head.weight"] is tied.weights["wte.weight"]


def test_a_head_stored_twice_is_held_once(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    tensors = random_weights(CONFIG, tied=True, seed=0)
    write_weights(folder, {**tensors, "lm_head.weight": tensors["wte.weight"]})
    checkpoint = load_checkpoint(folder)
    assert checkpoint.weights["lm_head.weight"] is checkpoint.weights["wte.weight"]


@pytest.mark.parametrize("prefix", [True, False])
def test_an_untied_head_is_its_own(tmp_path: Path, prefix: bool) -> None:
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, prefix=prefix, tied=False))
    assert_holds(checkpoint, random_weights(CONFIG, tied=False, seed=0))
    assert not np.array_equal(checkpoint.weights["lm_head.weight"], checkpoint.weights["wte.weight"])


def test_a_head_that_config_says_is_untied_must_be_there(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, tied=False)
    write_weights(folder, random_weights(CONFIG, tied=True, seed=0))
    with pytest.raises(CheckpointError, match=r"lack lm_head\.weight"):
        load_checkpoint(folder)


def test_square_matrices_are_turned_too(tmp_path: Path) -> None:
    """`attn.c_proj` is square: only its name, never its shape, tells that it must be turned."""
    checkpoint = load_checkpoint(write_checkpoint(tmp_path))
    written = random_weights(CONFIG, tied=True, seed=0)["h.1.attn.c_proj.weight"]
    assert np.array_equal(checkpoint.weights["h.1.attn.c_proj.weight"], written.T)
    assert not np.array_equal(checkpoint.weights["h.1.attn.c_proj.weight"], written)


def test_n_inner_may_be_any_width(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, n_inner=40))
    assert checkpoint.weights["h.0.mlp.c_fc.weight"].shape == (40, 16)
    assert checkpoint.config.n_inner == 40


def test_an_absent_n_inner_is_four_times_the_width(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    without(folder, "n_inner")
    assert load_checkpoint(folder).config.n_inner == 64


def test_the_number_of_parameters_counts_every_array_once(checkpoint: Checkpoint, tmp_path: Path) -> None:
    assert_counted_once(checkpoint)
    assert_counted_once(load_checkpoint(write_checkpoint(tmp_path, tied=False, n_inner=40)))


def assert_counted_once(checkpoint: Checkpoint) -> None:
    arrays = {id(array): array.size for array in checkpoint.weights.values()}
    assert checkpoint.config.n_params == sum(arrays.values())


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def not_safetensors(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"PK\x03\x04 not what its name says")


def truncated(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def swap(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """A damage: one tensor changed, or taken out where `change` gives None."""

    def damage(folder: Path) -> None:
        tensors: dict[str, Any] = dict(random_weights(CONFIG, tied=True, seed=0))
        changed = change(tensors.pop(name))
        write_weights(folder, tensors if changed is None else {**tensors, name: changed})

    return damage


def index_naming(*names: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "part.safetensors")
        index = {"weight_map": {f"tensor {n}": name for n, name in enumerate(names)}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    return damage


def index_reading(text: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "part.safetensors")
        (folder / "model.safetensors.index.json").write_text(text)

    return damage


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(pickled, "pickle.*never opened.*convert", id="pickle only"),
        pytest.param(no_weights, r"no model\.safetensors", id="no weights"),
        pytest.param(not_safetensors, "not a whole safetensors file.*download", id="not safetensors"),
        pytest.param(truncated, "not a whole safetensors file.*download", id="truncated"),
        pytest.param(swap("ln_f.bias", lambda a: None), r"lack ln_f\.bias", id="missing tensor"),
        pytest.param(swap("wte.weight", lambda a: None), r"lack wte\.weight", id="missing table"),
        pytest.param(swap("h.1.ln_1.weight", lambda a: a[:-1]), r"h\.1\.ln_1\.weight.*\(15,\).*\(16,\)", id="short"),
        pytest.param(swap("wte.weight", lambda a: a[:-1]), r"wte\.weight.*\(299, 16\).*\(300, 16\)", id="few rows"),
        pytest.param(swap("wpe.weight", lambda a: a[0]), r"wpe\.weight.*\(16,\)", id="wrong rank"),
        pytest.param(
            swap("h.0.attn.c_attn.weight", lambda a: a.T.copy()), r"c_attn\.weight.*\(16, 48\)", id="turned before"
        ),
        pytest.param(index_naming("part.safetensors", "gone.safetensors"), "gone.*missing.*2 shards", id="shard gone"),
        pytest.param(index_naming("../m/part.safetensors"), "same folder", id="path with dots"),
        pytest.param(index_naming("/etc/passwd"), "same folder", id="absolute path"),
        pytest.param(index_naming("sub/part.safetensors"), "same folder", id="path below"),
        pytest.param(index_naming("part.bin"), "not a safetensors file", id="index names a pickle"),
        pytest.param(index_reading("{"), "cannot be read as an index", id="index no JSON"),
        pytest.param(index_reading("[]"), "cannot be read as an index", id="index a list"),
        pytest.param(index_reading('{"weight_map": [1]}'), "cannot be read as an index", id="index map a list"),
        pytest.param(
            index_reading('{"weight_map": {"a": 1, "b": "x"}}'), "cannot be read as an index", id="index mixed"
        ),
        pytest.param(index_reading('{"weight_map": {}}'), "names no shards", id="index empty"),
    ],
)
def test_weights_that_cannot_run_are_refused(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    folder = write_checkpoint(tmp_path / "m")
    damage(folder)
    with pytest.raises(CheckpointError, match=said) as refusal:
        load_checkpoint(folder)
    assert "\n" not in str(refusal.value)


@given(st.data())
@settings(max_examples=60)
def test_a_file_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = safetensors_bytes(random_weights(CONFIG, tied=True, seed=0))
    (folder / "model.safetensors").write_bytes(whole[: data.draw(st.integers(1, len(whole) - 1))])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load_weights(folder, GPT2Config.from_hugging_face(CONFIG))


def test_a_symbolic_link_may_lead_to_the_weights(tmp_path: Path) -> None:
    """The Hugging Face cache keeps files as links into another folder."""
    folder = write_checkpoint(tmp_path / "m")
    blob = (folder / "model.safetensors").rename(tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(blob)
    assert_holds(load_checkpoint(folder), random_weights(CONFIG, tied=True, seed=0))


def test_mask_buffers_are_not_weights(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    write_weights(folder, with_mask_buffers(random_weights(CONFIG, tied=True, seed=0), CONFIG), "F16")
    assert not [name for name in load_checkpoint(folder).weights if name.endswith((".attn.bias", "masked_bias"))]


def test_embeddings_may_have_room_to_spare(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    edit_config(folder, vocab_size=320)
    write_weights(folder, dict(random_weights({**CONFIG, "vocab_size": 320}, tied=True, seed=0)))
    assert load_checkpoint(folder).tokenizer.vocabulary.label(310) == "[310]"


def test_a_path_that_is_no_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a folder"):
        load_checkpoint(tmp_path / "nowhere")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    tensors = random_weights(CONFIG, tied=True, seed=0)
    tensors["h.1.mlp.c_fc.weight"][3, 5] = np.nan
    write_weights(folder, dict(tensors))
    with pytest.raises(CheckpointError, match=r"h\.1\.mlp\.c_fc\.weight.*not finite"):
        load_checkpoint(folder)
