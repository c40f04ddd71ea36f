"""Claims about the end of a load: what is ready stays ready, and what is cancelled leaves nothing behind."""

from typing import Any

import pytest

import gpt2
from gpt2.engine import devices
from gpt2.engine.settings import default_threads
from pages.server import job as module
from pages.server.job import ModelJob
from tests.models import copies

pytestmark = pytest.mark.slow


def test_a_load_that_is_cancelled_at_the_last_moment_leaves_nothing_in_memory(tmp_path, monkeypatch):
    (name,) = copies(tmp_path, "a")
    job = ModelJob(name, lambda job, config: None)
    bind = gpt2.bind

    def bound(*arguments: Any, **settings: Any) -> Any:
        """The engine, as somebody cancels."""
        engine = bind(*arguments, **settings)
        job.cancel()
        return engine

    monkeypatch.setattr(gpt2, "bind", bound)
    job.start()
    job.wait(60)
    assert (job.phase, job.engine, job.checkpoint, job.tables, job.config) == ("cancelled", None, None, None, None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_model_is_ready_whatever_becomes_of_the_pages_that_draw_it(tmp_path, monkeypatch):
    def fails(name: str) -> None:
        raise ImportError(name)

    (name,) = copies(tmp_path, "a")
    monkeypatch.setattr(module, "import_module", fails)
    job = ModelJob(name, lambda job, config: None)
    job.start()
    job.wait(60)
    assert (job.phase, job.error) == ("ready", "") and job.engine is not None


@pytest.mark.parametrize("told", ["3", "", "all"])
def test_a_model_loads_with_the_threads_that_are_set_or_its_default_if_they_cannot_be_read(tmp_path, monkeypatch, told):
    (name,) = copies(tmp_path, "a")
    started: list[int] = []
    monkeypatch.setenv("GPT2_THREADS", told)
    monkeypatch.setattr(devices, "start_threads", started.append)
    job = ModelJob(name, lambda job, config: None)
    job.start()
    job.wait(60)
    assert (job.phase, job.error) == ("ready", "") and job.checkpoint is not None
    assert started == [3 if told == "3" else default_threads(job.checkpoint.config)]
