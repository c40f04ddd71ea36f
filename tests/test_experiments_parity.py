"""Ablations, steering and patching have the logits that TransformerLens 4's own hooks give, in float64."""

from collections.abc import Iterator

import numpy as np
import pytest

from gpt2.checkpoints.weights import load_checkpoint
from gpt2.engine.engine import Engine
from gpt2.experiments.ablation import ablation
from gpt2.experiments.passes import observe, read
from gpt2.experiments.patching import Pair
from gpt2.experiments.steering import steering, token_direction
from gpt2.model.interventions import Interventions
from gpt2.trace.trace import Trace
from tests.hold_experiments import DOSES, FILE, PLACES, STEERED, muted_parts, patched_parts, source_of, watched
from tests.hold_transformer_lens import MODELS, folder_of, prompt_of

TOLERANCE = 1e-4  # of the largest logit, and of the largest effect


@pytest.fixture(scope="module")
def held() -> Iterator[np.lib.npyio.NpzFile]:
    with np.load(FILE) as file:
        yield file


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Iterator[tuple[str, Engine, Trace]]:
    with folder_of(request.param) as folder:
        engine = Engine(load_checkpoint(folder, request.param))
        yield request.param, engine, observe(engine, prompt_of(engine.config))


def agree(held, model: tuple[str, Engine, Trace], made: dict[str, Interventions]) -> None:
    """Fail unless all logits, and what each change moves them by, are those that are held."""
    name, engine, base = model
    tokens, before = watched(engine.config), base.steps[-1].logits
    ours = np.stack([read(engine, base.computed_ids, changes).logits[tokens] for changes in made.values()])
    theirs = np.stack([held[f"{name}/{key}"] for key in made])
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()
    effects = theirs - before[tokens]
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(effects).max() and (effects != 0).any(axis=1).all()


@pytest.mark.parametrize("kind", ["zero", "mean"])
def test_ablations_have_the_logits_of_transformer_lens(held, model, kind: str) -> None:
    _, engine, base = model
    made = {
        f"{part.name}/{positions}/{kind}": ablation([part], kind, positions, [base])
        for positions in (None, PLACES)
        for part in muted_parts(engine.config)
    }
    agree(held, model, made)


def test_steering_has_the_logits_of_transformer_lens(held, model) -> None:
    _, engine, base = model
    direction = token_direction(engine, STEERED)
    made = {
        f"{layer}/steered {dose}": steering(base, direction, layer, dose).interventions
        for layer in range(engine.config.n_layer)
        for dose in DOSES
    }
    agree(held, model, made)


def test_patches_have_the_logits_of_transformer_lens(held, model) -> None:
    _, engine, base = model
    pair = Pair.unlike(observe(engine, source_of(engine.config)), base)
    made = {
        f"{part.name}/{positions}/patched": pair.changes(part, positions)
        for positions in (None, PLACES)
        for part in patched_parts(engine.config)
    }
    agree(held, model, made)


def test_the_numbers_held_are_of_version_4(held) -> None:
    assert str(held["version"]).startswith("4.")
