"""Claims about a model that nobody has compiled: it runs at once, and goes on compiled without a break."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt2.__main__ import NOT_COMPILED, main
from gpt2.engine import compiled
from gpt2.engine.engine import Engine
from gpt2.model.sampling import Sampling
from pages.server.job import ModelJob
from pages.visit.model_choice import ModelChoice
from tests.checkpoints import write_checkpoint
from tests.compiling import stand_in
from tests.models import PROMPT, copies

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unset_host")]
SHIPPED = compiled.SHIPPED
GREEDY = Sampling(temperature=0)


def until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Return once it is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


@pytest.fixture
def compiling(empty: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has compiled nothing; its compile ends, with the graphs, once the file that is given exists."""
    go = empty.parent / "go"
    wait, made = f"while [ ! -e '{go}' ]; do sleep 0.05; done", f"mkdir -p '{empty}'; cp '{SHIPPED}'/* '{empty}'"
    stand_in(empty.parent, monkeypatch, f"{wait}; if grep -q fail '{go}'; then exit 1; fi; {made}")
    return go


def begun(job: ModelJob) -> Engine:
    """The engine of a model that runs before it is compiled."""
    until(lambda: bool(job.unfused) or job.has_failed)
    assert job.error == ""
    assert job.phase == "ready" and job.engine is not None and job.engine.is_interpreted
    return job.engine


def test_a_run_begins_before_its_graphs_are_compiled_and_goes_on_with_them(compiling: Path, engine: Engine) -> None:
    expected = [step.draw.token for step in engine.generate(PROMPT, 8, GREEDY) if step.draw]
    job = ModelJob("bundled", lambda job, config: None)
    job.start()
    own = begun(job)
    run = own.start(PROMPT)
    for _ in range(4):
        run.advance(GREEDY)
    until(lambda: job.unfused.startswith("Compiling this model's graphs, once: 0 of 4 done"))
    compiling.touch()
    until(lambda: not job.unfused)
    assert not own.is_interpreted and job.seconds["compiling"] > 0
    for _ in range(4):
        run.advance(GREEDY)
    assert [step.draw.token for step in run.trace.steps if step.draw] == expected


def test_a_compile_that_fails_leaves_the_model_in_use_and_says_why(compiling: Path) -> None:
    job = ModelJob("bundled", lambda job, config: None)
    job.start()
    own = begun(job)
    compiling.write_text("fail")
    until(lambda: "failed" in job.unfused)
    assert job.unfused.startswith("Compiling this model's graphs failed (status 1)")
    assert own.is_interpreted and job.phase == "ready"
    assert len(list(own.generate(PROMPT, 2, GREEDY))) == 2


def test_the_page_says_that_it_runs_operation_by_operation(compiling: Path, pool, tmp_path: Path) -> None:
    (name,) = copies(tmp_path, "copy")
    choice = ModelChoice(is_local=True)
    choice.take(name)
    begun(pool.get(name))
    choice.poll()
    coming = choice.coming()
    assert coming is not None and coming.is_ready
    assert coming.text.startswith("runs operation by operation. ")
    compiling.touch()
    until(lambda: not pool.get(name).unfused)
    assert "operation" not in getattr(choice.coming(), "text", "")


def test_a_model_that_is_let_go_is_compiled_no_further(compiling: Path) -> None:
    job = ModelJob("bundled", lambda job, config: None)
    job.start()
    begun(job)
    job.cancel()
    job.wait(20)
    assert "stopped" in job.unfused and not compiling.exists()


def test_the_command_line_runs_a_new_shape_and_says_how_to_make_it_fast(tmp_path: Path, capsys) -> None:
    folder = write_checkpoint(tmp_path / "a new one", seed=3, n_embd=20, n_head=5, n_layer=2, n_positions=30)
    main(["generate", "ab", "--max-new-tokens", "3", "--json", "--model", str(folder)])
    told = capsys.readouterr()
    assert len(json.loads(told.out)["tokens"]) == 3
    assert told.err.splitlines()[-1] == f"{NOT_COMPILED} python -m gpt2 compile --model '{folder}'"
