"""Claims about experiments on models of odd shapes: the float64 reference finds the same effects."""

from collections.abc import Iterator

import numpy as np
import pytest

from gpt2.checkpoints.weights import load_checkpoint
from gpt2.engine.engine import Engine
from gpt2.experiments.ablation import ablate
from gpt2.experiments.part import mlp
from gpt2.experiments.patching import patch
from gpt2.experiments.steering import steer
from tests.effects import TOLERANCE, agrees
from tests.forced import tokens
from tests.hold_transformer_lens import MODELS, folder_of
from tests.reference import Reference


@pytest.fixture(scope="module", params=[name for name in MODELS if name != "bundled"])
def odd(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, Reference]]:
    """Random models of odd shapes, with the independent model in float64."""
    with folder_of(request.param) as folder:
        yield Engine(load_checkpoint(folder, request.param)), Reference(folder)


def test_models_of_odd_shapes_are_changed_as_the_reference_is(odd: tuple[Engine, Reference]) -> None:
    model, reference = odd
    ids, other = tokens(model, 9, seed=1), tokens(model, 9, seed=2)
    plain, source = reference.forward(ids), reference.forward(other)
    last = reference.n_head - 1
    change = reference.neutral(9)
    change.scale["attn.hook_z"][1, :, last] = 0
    change.add["attn.hook_z"][1, :, last] = plain["blocks.1.attn.hook_z"][:, last].mean(0)
    agrees(
        ablate(model, ids, [(1, last)], kind="mean"), plain["logits"][-1], reference.forward(ids, change)["logits"][-1]
    )
    change = reference.neutral(9)
    mean, row = np.linalg.norm(plain["blocks.1.hook_resid_pre"], axis=1)[1:].mean(), reference.unembedding[7]
    change.add["hook_resid_pre"][1] = mean * row / np.linalg.norm(row)
    agrees(steer(model, ids, 1, 1.0, 7), plain["logits"][-1], reference.forward(ids, change)["logits"][-1])
    change = reference.neutral(9)
    change.scale["hook_mlp_out"][0, 4] = 0
    change.add["hook_mlp_out"][0, 4] = source["blocks.0.hook_mlp_out"][4]
    after, found = (
        reference.forward(ids, change)["logits"][-1],
        patch(model, ids, other, mlp(0), (4,), token=3, against=5),
    )
    assert np.abs(found.effect.after - after).max() <= TOLERANCE * np.abs(after).max()
