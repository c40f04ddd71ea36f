"""Claims about running graphs without compiling them: MAX's kernels and NumPy's agree, and any shape runs at once."""

import threading
from pathlib import Path

import numpy as np
import pytest
from max.dtype import DType
from max.experimental import functional as F
from max.graph import DeviceRef, TensorType

from gpt2.bench import parity
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.engine import compiled
from gpt2.engine.engine import Engine
from gpt2.errors import EngineError
from gpt2.interpreter import kernels
from gpt2.interpreter.graph import source
from gpt2.interpreter.interpreter import Interpreter, Operation
from gpt2.interpreter.programs import PROGRAMS, VALUES, trace, trace_function
from gpt2.model.hooks import hook_axes
from gpt2.model.interventions import Addition, Interventions, Scale
from gpt2.model.sampling import Sampling
from tests.checkpoints import write_checkpoint
from tests.forced import forced, tokens
from tests.models import PROMPT
from tests.reference import Reference, relative_difference
from tests.source_tree import python

pytestmark = pytest.mark.slow

FLOATS = TensorType(DType.float32, ["seq", 4], DeviceRef.CPU())
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def adopted() -> int:
    return kernels.adopt()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a shape that nobody has compiled."""
    shape = {"n_embd": 20, "n_head": 5, "n_layer": 3, "n_inner": 44, "n_positions": 40}
    return write_checkpoint(tmp_path_factory.mktemp("new"), seed=5, **shape)


@pytest.fixture(scope="module")
def interpreted(folder: Path) -> Engine:
    checkpoint = load_checkpoint(folder)
    assert compiled.missing(checkpoint.config)
    return Engine(checkpoint, source=source(checkpoint.config))


def test_the_shipped_kernels_are_those_that_the_programs_need(adopted: int) -> None:
    """After a change to the programs: python -m gpt2 compile --ship."""
    names = list(kernels.needed())
    assert compiled.find(kernels.key_of(names)) is not None and adopted == len(names) > 80


@pytest.mark.slow
def test_kernels_that_were_not_there_at_first_are_adopted_later() -> None:
    told = python(
        "from pathlib import Path\n"
        "from gpt2.engine import compiled\n"
        "from gpt2.interpreter.kernels import adopt\n"
        "places, compiled.folders = compiled.folders, lambda: (Path('nowhere'),)\n"
        "before, compiled.folders = adopt(), places\n"
        "print(before, adopt() > 80, adopt() > 80)"
    )
    assert told.split() == ["0", "True", "True"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_maxs_kernel_equals_numpys(program: str, adopted: int) -> None:
    """Each program twice: with the adopted kernels, and with none at hand."""
    by: list[Operation] = []
    (found,) = Interpreter(trace(program)).run(list(VALUES.values()), watch=by.append)
    with kernels.recording() as asked:
        (expected,) = Interpreter(trace(program)).run(list(VALUES.values()))
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    if asked and adopted:
        assert "MAX" in {operation.by for operation in by}, "the kernel is not in the shipped file"


def test_a_traced_graph_runs_at_every_length() -> None:
    graph = Interpreter(trace_function(lambda x: F.softmax(x.reshape([-1, 2, 2]), axis=-1), [FLOATS]))
    for seq in (1, 2, 7):
        (shares,) = graph.run([np.random.default_rng(seq).standard_normal((seq, 4), dtype=np.float32)])
        assert shares.shape == (seq, 2, 2)
        np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-6)


def test_every_operation_is_told_with_what_it_read_and_made() -> None:
    told: list[Operation] = []
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    Interpreter(trace_function(lambda x: F.exp(x) * 2.0, [FLOATS])).run([x], watch=told.append)
    (power,) = (operation for operation in told if operation.name == "Exp")
    np.testing.assert_array_equal(power.operands[0], x)
    np.testing.assert_allclose(power.results[0], np.exp(x), rtol=1e-6)


def test_the_remainder_is_computed_by_numpy_and_keeps_its_name() -> None:
    """Its name begins with the two letters that MAX puts before other names."""
    told: list[Operation] = []
    x = np.array([[5, -5, 4.5, 0]], np.float32)
    (found,) = Interpreter(trace_function(lambda x: x % 3.0, [FLOATS])).run([x], watch=told.append)
    np.testing.assert_allclose(found, x % 3)
    assert ("Mod", "NumPy") in {(operation.name, operation.by) for operation in told}


def test_an_operation_without_any_kernel_is_named() -> None:
    graph = Interpreter(trace_function(lambda x: F.argsort(x[0]), [FLOATS]))
    with pytest.raises(EngineError, match="Custom can only be compiled"):
        graph.run([np.ones((2, 4), np.float32)])


def test_a_missing_weight_is_named(interpreted: Engine) -> None:
    bound = source(interpreted.config)("lens", {})
    with pytest.raises(EngineError, match=r"needs the weight .*, which is missing"):
        bound(np.ones((1, interpreted.config.n_embd), np.float32))


@pytest.mark.parametrize("n_prefill", [1, 20, 40])
def test_every_hook_of_a_new_shape_equals_the_float64_reference(
    folder: Path, interpreted: Engine, n_prefill: int
) -> None:
    ids = tokens(interpreted, 40)
    expected, found = Reference(folder).forward(ids), forced(interpreted, ids, n_prefill)
    for name in hook_axes(interpreted.config.n_layer):
        assert relative_difference(found[name], expected[name]) <= TOLERANCE, name
    assert relative_difference(found["logits"], expected["logits"][n_prefill - 1 :]) <= TOLERANCE


def test_a_new_shape_equals_transformers(folder: Path, interpreted: Engine) -> None:
    report = parity.compare(folder, interpreted, parity.prompts_of(interpreted, [3, 30]))
    assert report.passed, report


def test_interventions_reach_the_numbers(engine: Engine) -> None:
    at_once = Engine(engine.checkpoint, source=source(engine.config))
    vector = tuple(np.linspace(-1, 1, engine.config.n_embd).tolist())
    changes = Interventions((Scale(1, 2, 0.0),), (Addition(3, vector),))
    expected, found = engine.run(PROMPT, changes), at_once.run(PROMPT, changes)
    for name in hook_axes(engine.config.n_layer):
        assert relative_difference(found[name], expected[name]) <= TOLERANCE, name


def test_a_run_goes_on_where_its_graphs_become_compiled(engine: Engine) -> None:
    """The same text, whenever the change comes, and a layer is recomputed by whatever is at hand."""
    greedy = Sampling(temperature=0)
    expected = [step.draw.token for step in engine.generate(PROMPT, 12, greedy) if step.draw]
    for change in (1, 6):
        changing = Engine(engine.checkpoint, source=source(engine.config))
        run = changing.start(PROMPT)
        for index in range(12):
            if index == change:
                assert changing.is_interpreted
                changing.use_compiled()
            run.advance(greedy)
        assert not changing.is_interpreted
        assert [step.draw.token for step in run.trace.steps if step.draw] == expected


def test_runs_of_several_threads_get_the_numbers_that_they_get_alone(interpreted: Engine) -> None:
    prompts = [tokens(interpreted, length) for length in (3, 9, 17)]
    alone = [interpreted.run(ids)["logits"] for ids in prompts]
    found: dict[int, object] = {}
    threads = [
        threading.Thread(target=lambda at=at: found.update({at: interpreted.run(prompts[at])["logits"]}))
        for at in range(len(prompts))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for at, expected in enumerate(alone):
        np.testing.assert_array_equal(found[at], expected)
