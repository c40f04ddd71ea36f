"""Claims about config.json: what would change the forward pass is supported or refused by name, never ignored."""

from pathlib import Path
from typing import Any

import pytest

from gpt2.checkpoints.weights import load_checkpoint
from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config
from tests.checkpoints import edit_config, without, write_checkpoint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "llama"),
        ("activation_function", "relu"),
        ("activation_function", "gelu"),
        ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True),
        ("add_cross_attention", True),
        ("pruned_heads", {"0": [1]}),
        ("quantization_config", {"bits": 4}),
        ("architectures", ["LlamaForCausalLM"]),
        ("architectures", "GPT2"),
        ("vocab_size", 0),
        ("vocab_size", True),
        ("n_layer", -1),
        ("n_layer", "2"),
        ("n_layer", 2.0),
        ("n_head", 3),
        ("n_positions", None),
        ("n_inner", 0),
        ("layer_norm_epsilon", 0.0),
        ("layer_norm_epsilon", 1),
        ("layer_norm_epsilon", "1e-5"),
        ("tie_word_embeddings", "no"),
    ],
)
def test_a_config_that_would_run_wrongly_is_refused_by_name(tmp_path: Path, key: str, value: Any) -> None:
    folder = write_checkpoint(tmp_path)
    edit_config(folder, **{key: value})
    with pytest.raises(CheckpointError, match=r"n_head 3" if key == "n_head" else key.rstrip("s")) as refusal:
        load_checkpoint(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("key", "value"), [("n_embd", None), ("n_embd", "16"), ("architectures", 5), ("architectures", [{}])]
)
def test_a_value_of_a_kind_that_no_config_has_is_one_sentence(tmp_path: Path, key: str, value: Any) -> None:
    folder = write_checkpoint(tmp_path)
    edit_config(folder, **{key: value})
    with pytest.raises(CheckpointError, match=key.rstrip("s")):
        load_checkpoint(folder)


@pytest.mark.parametrize("key", ["vocab_size", "n_positions", "n_embd", "n_layer", "n_head"])
def test_a_missing_size_is_named(tmp_path: Path, key: str) -> None:
    folder = write_checkpoint(tmp_path)
    without(folder, key)
    with pytest.raises(CheckpointError, match=f"{key} is missing"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("reorder_and_upcast_attn", True),
        ("activation_function", "gelu_pytorch_tanh"),
        ("architectures", ["GPT2Model"]),
        ("architectures", None),
        ("pruned_heads", None),
        ("n_ctx", 32),
        ("some_later_setting", {"a": 1}),
    ],
)
def test_settings_that_change_nothing_are_accepted(tmp_path: Path, key: str, value: Any) -> None:
    folder = write_checkpoint(tmp_path)
    edit_config(folder, **{key: value})
    assert load_checkpoint(folder).config == GPT2Config(300, 32, 16, 2, 2, 64)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x80", '"gpt2"'])
def test_a_config_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    folder = write_checkpoint(tmp_path)
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"config\.json.*(JSON|is empty)"):
        load_checkpoint(folder)


def test_a_folder_without_a_config_is_not_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"not a checkpoint: it has no config\.json"):
        load_checkpoint(tmp_path)
