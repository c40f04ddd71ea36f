"""Every hook has the numbers that TransformerLens 4 gives under the same name, in float64, with raw weights."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from gpt2.bench.forced_run import forced_run
from gpt2.bench.hook_parity import TOLERANCE, differences, some_interventions
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.engine.engine import Engine
from gpt2.model.hooks import hook_axes
from gpt2.model.inputs import PLACES
from tests import command_line
from tests.hold_transformer_lens import CHANGED, FILE, MODELS, TOKENS, changes_of, folder_of, prompt_of


@pytest.fixture(scope="module")
def held() -> Iterator[np.lib.npyio.NpzFile]:
    with np.load(FILE) as file:
        yield file


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Iterator[tuple[str, Engine]]:
    with folder_of(request.param) as folder:
        yield request.param, Engine(load_checkpoint(folder, request.param))


@pytest.mark.parametrize("changed", CHANGED)
@pytest.mark.parametrize("n_prefill", [TOKENS, 2, 1])
def test_every_hook_has_the_numbers_of_transformer_lens(held, model, changed: bool, n_prefill: int) -> None:
    name, engine = model
    trace = forced_run(engine, prompt_of(engine.config), n_prefill, changes_of(engine.config, changed))
    reference = {hook: held[f"{name}/{changed}/{hook}"] for hook in trace.axes}
    found = differences(trace, reference)
    assert max(found.values()) <= TOLERANCE, found


def test_the_numbers_held_are_of_every_hook_and_of_version_4(held, engine: Engine) -> None:
    assert str(held["version"]).startswith("4.")
    names = (*hook_axes(engine.config.n_layer), "logits")
    assert {name.rpartition("/")[2] for name in held if name.startswith("bundled/")} == set(names)


def test_the_interventions_compared_are_at_every_place_and_matter(held, engine: Engine) -> None:
    changes = some_interventions(engine.config, TOKENS)
    assert {change.hook for change in (*changes.scales, *changes.additions)} == set(PLACES)
    plain, changed = (held[f"bundled/{way}/logits"] for way in CHANGED)
    assert np.abs(changed - plain).max() > 0.1 * np.abs(plain).max()


def test_without_transformer_lens_the_command_says_how_to_have_it(capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "transformer_lens", None)
    told = command_line.refused(capsys, "parity", "--against", "transformer_lens")
    assert "pip install transformer_lens==4.3.0" in told
