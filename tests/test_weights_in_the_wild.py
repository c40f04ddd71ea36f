"""Claims about checkpoints as training programs leave them: what transformers loads gives the same numbers here."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2.checkpoints.weights import CONV1D, load_checkpoint
from gpt2.errors import CheckpointError
from tests.checkpoints import CONFIG, edit_config, random_weights, write_checkpoint, write_weights

Tensors = dict[str, Any]
TENSORS = random_weights(CONFIG, tied=True, seed=0)
HEAD = random_weights(CONFIG, tied=False, seed=1)["lm_head.weight"]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


def named(prefix: str, tensors: Tensors | None = None) -> Tensors:
    """The weights with a prefix before all names but the head's."""
    return {name if name == "lm_head.weight" else prefix + name: a for name, a in (tensors or TENSORS).items()}


def without_table(**more: Any) -> Tensors:
    return {**{name: array for name, array in TENSORS.items() if name != "wte.weight"}, **more}


LAYOUTS: dict[str, Tensors] = {
    "only the head of a tied pair": named("transformer.", without_table(**{"lm_head.weight": HEAD})),
    "only the head, without a prefix": without_table(**{"lm_head.weight": HEAD}),
    "a head that is said to be tied and is not": named("transformer.", {**TENSORS, "lm_head.weight": HEAD}),
    "some names with a prefix": {
        f"{'transformer.' * (at % 2)}{name}": TENSORS[name] for at, name in enumerate(TENSORS)
    },
    "a prefix twice": named("transformer.transformer."),
    "integers that nobody needs": named("transformer.", {**TENSORS, "position_ids": np.arange(9)}),
    "a mask of another shape and type": named("transformer.", {**TENSORS, "h.0.attn.bias": np.ones((2, 3), np.int64)}),
    "a layer too many": named("transformer.", {**TENSORS, "h.2.ln_1.weight": np.full(16, np.nan, np.float32)}),
    "a second head": named(
        "transformer.", {**TENSORS, "multiple_choice_head.summary.weight": np.ones((1, 16), np.float32)}
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_transformers_loads_gives_the_same_numbers(tmp_path: Path, layout: str, shards: int) -> None:
    from transformers import GPT2LMHeadModel  # here, as that takes seconds

    folder = write_checkpoint(tmp_path)
    if layout == "a second head":
        edit_config(folder, architectures=["GPT2DoubleHeadsModel"])
    (folder / "model.safetensors").unlink()
    write_weights(folder, LAYOUTS[layout], shards=shards)
    reference = GPT2LMHeadModel.from_pretrained(folder).state_dict()
    for name, array in load_checkpoint(folder).weights.items():
        expected = reference[name if name == "lm_head.weight" else f"transformer.{name}"].numpy()
        np.testing.assert_array_equal(array, expected.T if name.endswith(CONV1D) else expected, err_msg=name)


@pytest.mark.parametrize(
    "prefix",
    ["_orig_mod.transformer.", "module.transformer.", "module._orig_mod.", "base_model.model.transformer.", "model."],
)
def test_what_a_training_program_put_before_the_names_is_taken_away(tmp_path: Path, prefix: str) -> None:
    folder = write_checkpoint(tmp_path)
    write_weights(folder, {prefix + name: array for name, array in TENSORS.items()})
    np.testing.assert_array_equal(load_checkpoint(folder).weights["ln_f.bias"], TENSORS["ln_f.bias"])


def test_float64_is_narrowed_to_float32(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, dtype="F64"))
    assert {array.dtype for array in checkpoint.weights.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(checkpoint.weights["wte.weight"], TENSORS["wte.weight"])


def test_one_tensor_under_two_names_is_one(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    write_weights(folder, {**named("transformer."), "module.ln_f.bias": TENSORS["ln_f.bias"]})
    np.testing.assert_array_equal(load_checkpoint(folder).weights["ln_f.bias"], TENSORS["ln_f.bias"])


def adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')


def writes(tensors: Tensors, dtype: str = "F32") -> Callable[[Path], None]:
    return lambda folder: write_weights(folder, tensors, dtype)


def holds(name: str, content: bytes) -> Callable[[Path], object]:
    """The damage of a file that has this content; an index leaves no whole file beside it."""

    def damage(folder: Path) -> None:
        if name.endswith("index.json"):
            (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(content)

    return damage


TURNED = {**TENSORS, "h.0.mlp.c_fc.weight": TENSORS["h.0.mlp.c_fc.weight"].T.copy()}
HUGE = {**TENSORS, "ln_f.bias": np.full(16, 1e300)}
LORA = {**named("base_model.model.transformer."), "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight": HEAD}
INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(writes(TURNED), r"\(64, 16\); config\.json asks for \(16, 64\).*transposed", id="transposed"),
        pytest.param(writes(HUGE, "F64"), r"ln_f\.bias.*too large for float32", id="too large"),
        pytest.param(writes({**TENSORS, "ln_f.bias": np.arange(16)}), r"ln_f\.bias.*type I64", id="needed integers"),
        pytest.param(writes(named("student.")), r"lack wte\.weight; rename student\.wte\.weight", id="unknown prefix"),
        pytest.param(
            writes({**TENSORS, "module.ln_f.bias": TENSORS["ln_f.bias"] + 1}), r"ln_f\.bias twice", id="ambiguous"
        ),
        pytest.param(writes(LORA), r"LoRA adapter in it.*lora_A.*merge_and_unload", id="LoRA inside"),
        pytest.param(adapter, r"is a LoRA adapter \(adapter_config\.json\).*merge", id="LoRA folder"),
        pytest.param(holds("model.safetensors", POINTER), "pointer of Git LFS.*git lfs pull", id="weights of LFS"),
        pytest.param(holds("config.json", POINTER), "config.*pointer of Git LFS", id="config of LFS"),
        pytest.param(holds(INDEX, POINTER), "index.*pointer of Git LFS", id="index of LFS"),
        pytest.param(holds("model.safetensors", b""), r"model\.safetensors is empty", id="empty weights"),
        pytest.param(holds("config.json", b""), r"config\.json is empty", id="empty config"),
        pytest.param(holds(INDEX, b""), "index.json is empty", id="empty index"),
        pytest.param(holds(INDEX, b"[" * 100_000), "cannot be read as an index", id="nested index"),
    ],
)
def test_what_cannot_be_loaded_is_called_by_its_name(
    tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    folder = write_checkpoint(tmp_path / "m")
    damage(folder)
    with pytest.raises(CheckpointError, match=said) as refusal:
        load_checkpoint(folder)
    assert "\n" not in str(refusal.value)


def test_an_index_may_name_a_shard_of_tensors_that_nobody_needs(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    write_weights(folder, {"score.weight": np.arange(4)})
    (folder / "model.safetensors").rename(folder / "b.safetensors")
    index = {"weight_map": {"transformer.wte.weight": "a.safetensors", "score.weight": "b.safetensors"}}
    (folder / INDEX).write_text(json.dumps(index))
    np.testing.assert_array_equal(load_checkpoint(folder).weights["wte.weight"], TENSORS["wte.weight"])
