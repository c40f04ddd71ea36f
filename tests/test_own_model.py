"""Claims about the model that a reader has built: it is the project's, token for token, or says why not."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from gpt2.checkpoints.catalog import MINE
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.engine.engine import Engine
from gpt2.errors import EngineError
from gpt2.learn.lessons import LESSONS, lesson_of
from gpt2.learn.messages import receive, send
from gpt2.learn.own_model import OwnEngine
from gpt2.learn.verdict import difference, scale_of
from gpt2.learn.workbook import Workbook
from gpt2.model.hooks import GRAPH_KINDS, hook_axes
from gpt2.model.interventions import Interventions, Scale
from gpt2.model.sampling import Sampling
from tests.command_line import refused
from tests.models import BUNDLED, PROMPT

GREEDY = Sampling(temperature=0)
TRAP = """    for name in ("hang", "die"):
        flag = Path(__file__).with_name(name)
        if position == 12 and flag.exists():
            flag.unlink()
            while name == "hang":
                pass
            os._exit(3)
"""


def written(folder: Path, edits: Mapping[int, tuple[str, str]] | None = None) -> Workbook:
    """A folder with the solutions, all noted as passed, some of them edited before."""
    workbook = Workbook(folder)
    for lesson in LESSONS:
        old, new = (edits or {}).get(lesson.number, ("", ""))
        assert old in lesson.solution
        workbook.start(lesson)
        workbook.path(lesson).write_text(lesson.solution.replace(old, new, 1) if old else lesson.solution)
        workbook.note(lesson)
    return workbook


def own(folder: Path, seconds: float = 60) -> OwnEngine:
    return OwnEngine(load_checkpoint(BUNDLED, MINE), folder, seconds)


def tokens(model: Engine, count: int, sampling: Sampling = GREEDY) -> list[int]:
    return [step.draw.token for step in model.generate(PROMPT, count, sampling, ignore_eos=True) if step.draw]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_twelve_solutions_are_the_projects_model_and_run_compiled(tmp_path: Path, engine: Engine) -> None:
    mine = own(written(tmp_path).folder)
    assert mine.compiled_kinds == set(GRAPH_KINDS)
    assert tokens(mine, 30) == tokens(engine, 30)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_is_written_otherwise_runs_at_once_to_the_same_tokens_and_captures(tmp_path: Path, engine: Engine) -> None:
    product = "normalized * self.weight + self.bias"
    mine = own(written(tmp_path, {3: (product, "self.bias + self.weight * normalized")}).folder)
    assert mine.compiled_kinds == set()
    assert tokens(mine, 30) == tokens(engine, 30)
    warm, changes = Sampling(0.9, 40, 0.95, seed=4), Interventions((Scale(layer=2, head=1, factor=0.0),))
    runs = [model.start(PROMPT, changes) for model in (mine, engine)]
    for _ in range(3):
        for run in runs:
            run.advance(warm)
    found, right = (run.trace for run in runs)
    assert found.model == MINE and found.ids == right.ids
    for name in hook_axes(engine.config.n_layer):
        assert np.abs(difference(found[name], right[name])).max() <= 1e-4 * scale_of(right[name]), name
    stream = right["blocks.3.hook_resid_pre"]
    np.testing.assert_allclose(mine.lens(stream), engine.lens(stream), rtol=0, atol=1e-3)
    own_layer, layer = (
        one.layer(3, stream, right.layer_inputs(3).after_resid_pre())["hook_resid_post"] for one in (mine, engine)
    )
    np.testing.assert_allclose(own_layer, layer, rtol=0, atol=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_written_in_ones_own_way_is_accepted_too(tmp_path: Path, engine: Engine) -> None:
    """Other names for weights; a mask that asks for the length, so that each length is traced by itself."""
    counted = "F.unsqueeze(F.arange(0, int(positions.shape[0]), dtype=DType.int64), 0)"
    workbook = written(
        tmp_path,
        {2: ("query, key = F.unsqueeze(positions, 1), F.unsqueeze(positions, 0)", f"key = {counted}; query = key.T")},
    )
    norm, mlp = (workbook.path(lesson_of(number)) for number in (3, 4))
    norm.write_text(norm.read_text().replace("self.weight", "self.gain").replace("self.bias", "self.shift"))
    mlp.write_text(mlp.read_text().replace("self.c_fc", "self.wider").replace("self.c_proj", "self.back"))
    for number in (3, 4):
        workbook.note(lesson_of(number))
    assert tokens(own(tmp_path), 4) == tokens(engine, 4)


WRONG = {
    "a lost gain": (
        {3: ("normalized * self.weight", "normalized")},
        "first differs from the project's at blocks.0.attn.hook_q",
    ),
    "a lost hook": ({7: ("self.hook_z(change", "(change")}, "The hook point blocks.0.attn.hook_z is missing"),
    "an error": ({4: ("pre = self", "pre = unknown + self")}, "step_04_mlp.py, line 27: NameError: name 'unknown'"),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", WRONG)
def test_files_that_make_another_model_are_told_in_one_sentence(tmp_path: Path, case: str) -> None:
    edits, words = WRONG[case]
    with pytest.raises(EngineError) as caught:
        own(written(tmp_path, edits).folder)
    assert words in str(caught.value) and len(str(caught.value).splitlines()) == 1, caught.value


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_code_that_hangs_or_dies_ends_the_run_and_the_next_run_begins_anew(tmp_path: Path, engine: Engine) -> None:
    begin = "    sampling.check_vocabulary(len(logits))\n    u, tempered"
    workbook = written(tmp_path, {12: (begin, TRAP + begin)})
    path = workbook.path(lesson_of(12))
    path.write_text(f"{path.read_text()}\nimport os\nfrom pathlib import Path\n")
    workbook.note(lesson_of(12))
    mine = own(tmp_path, seconds=20)
    long = [*range(20, 32)]  # twelve tokens: the first one drawn is at position 12
    for flag, words in (("die", "ended (status 3)"), ("hang", "step_12_generation.py, line ")):
        (tmp_path / flag).touch()
        with pytest.raises(EngineError) as caught:
            mine.start(long).advance(GREEDY)
        assert words in str(caught.value), caught.value
        with pytest.raises(EngineError):
            mine.draw(np.zeros(2048, np.float32), GREEDY, 3)
    assert mine.start(long).advance(GREEDY).draw == engine.start(long).advance(GREEDY).draw


def test_the_lessons_that_are_missing_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workbook = Workbook(tmp_path)
    assert "still lacks lessons 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 12 of 12" in workbook.lacking()
    written(tmp_path)
    assert workbook.lacking() == "" and workbook.passed == frozenset(range(1, 13))
    norm = workbook.path(lesson_of(3))
    norm.write_text(f"{norm.read_text()}# more\n")
    assert "The file has changed since lesson 3 passed" in workbook.lacking() and 3 in workbook.passed
    workbook.path(lesson_of(7)).unlink()
    monkeypatch.setenv("GPT2_LEARN_FOLDER", str(tmp_path))
    assert "still lacks lesson 7 of 12: go on with python -m gpt2 learn start 7" in refused(
        capsys, "generate", "x", "--model", MINE
    )
    assert "runs with generate, trace and the app alone" in refused(capsys, "parity", "--model", MINE)


def test_a_message_arrives_as_it_was_sent_or_not_at_all(tmp_path: Path) -> None:
    arrays = [np.arange(6, dtype=np.int64).reshape(2, 3), np.array([-np.inf, 1], np.float32), np.zeros((0, 4))]
    path = tmp_path / "sent"
    with path.open("wb") as stream:
        send(stream, {"graph": "lens"}, arrays)
        send(stream, {"token": 3})
    with path.open("rb") as stream:
        told, found = receive(stream) or ({}, [])
        assert told == {"graph": "lens"} and receive(stream) == ({"token": 3}, []) and receive(stream) is None
    for own_array, sent in zip(found, arrays, strict=True):
        assert own_array.dtype == sent.dtype and own_array.flags.writeable
        np.testing.assert_array_equal(own_array, sent)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    with path.open("rb") as stream:
        assert receive(stream) is None
