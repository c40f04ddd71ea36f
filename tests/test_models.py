"""Claims about models in memory: one job for all, a budget, who goes first, and what a visit does meanwhile.

Models here are copies of the bundled one under other names, so that their graphs are compiled already.
"""

import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pages.server.job import ModelJob
from pages.server.models import MAX_MODELS
from pages.stage.actions import parse
from pages.visit.model_choice import ModelChoice
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.checkpoints import edit_config, write_checkpoint
from tests.models import BUNDLED, Someone, copies, loaded, room_for
from tests.players import wait
from tests.stand_in_hub import StandInHub, stand_in_hub

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unset_host")]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    """A hub with a copy of the bundled model."""
    with stand_in_hub() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        served.add("someone/copy", BUNDLED)
        yield served


def test_the_bundled_checkpoint_is_there_at_once_and_everyone_gets_the_same_job(pool):
    job = pool.request("bundled")
    assert job.checkpoint is not None and job.tables is not None
    assert pool.request("bundled") is job and pool.get("bundled") is job
    job.wait(60)
    assert job.phase == "ready" and not job.is_loading


def test_a_model_is_loaded_in_the_background_and_runs(pool, tmp_path, engine):
    (name,) = copies(tmp_path, "a")
    loaded(pool, name)
    ids = [step.draw.token for step in pool.get(name).engine.generate("The bird", 5)]
    assert ids == [step.draw.token for step in engine.generate("The bird", 5)]


def test_the_least_recently_used_goes_and_its_weights_leave_memory(pool, tmp_path, monkeypatch):
    names = copies(tmp_path, "a", "b", "c")
    room_for(2, monkeypatch)
    loaded(pool, names[0])
    loaded(pool, names[1])
    pool.touch({names[0]})  # used again: b is now the least recent
    gone = weakref.ref(pool.get(names[1]).checkpoint.weights["wte.weight"])
    loaded(pool, names[2])
    assert pool.get(names[1]) is None and pool.get(names[0]) is not None
    assert gone() is None


def test_at_most_a_set_number_stay_loaded(pool, tmp_path, monkeypatch):
    names = copies(tmp_path, *"abcd")
    assert len(names) == MAX_MODELS + 1
    room_for(20, monkeypatch)
    for name in names:
        loaded(pool, name)
    assert [name for name in names if pool.get(name)] == names[1:]


def test_a_model_in_use_never_goes_and_who_comes_too_much_is_told(pool, tmp_path, monkeypatch):
    names = copies(tmp_path, "a", "b")
    room_for(1, monkeypatch)
    user = Someone(names[0])
    pool.register(user)
    loaded(pool, names[0])
    job = pool.request(names[1])
    job.wait(60)
    assert job.phase == "failed" and "beside the models that are in use now" in job.error
    assert pool.get(names[0]).phase == "ready"
    del user  # the visit has ended
    loaded(pool, names[1])
    assert pool.get(names[0]) is None


def test_what_cannot_fit_is_refused_before_any_weights_are_fetched(pool, hub, monkeypatch):
    room_for(0, monkeypatch)
    job = pool.request("someone/copy")
    job.wait(60)
    assert job.phase == "failed" and "choose a smaller model" in job.error
    assert hub.names() == {"config.json"}


def test_a_loaded_model_goes_on_when_its_files_change(pool, tmp_path):
    (name,) = copies(tmp_path, "a")
    loaded(pool, name)
    before = [step.draw.token for step in pool.get(name).engine.generate("The bird", 5)]
    weights = Path(name) / "model.safetensors"
    weights.write_bytes(bytes(weights.stat().st_size))
    assert [step.draw.token for step in pool.get(name).engine.generate("The bird", 5)] == before


def test_failures_are_forgotten_once_those_who_waited_are_told(pool, tmp_path):
    names = [str(tmp_path / f"none{n}") for n in range(4)]
    user = Someone(names[0])
    pool.register(user)
    for name in names:
        pool.request(name).wait(60)
    assert [name for name in names if pool.get(name)] == [names[0], names[-1]]


def test_a_model_that_failed_can_be_tried_again(pool, tmp_path):
    (name,) = copies(tmp_path, "a")
    edit_config(Path(name), model_type="llama")
    job = pool.request(name)
    job.wait(60)
    assert job.phase == "failed" and "llama" in job.error
    edit_config(Path(name), model_type="gpt2")
    loaded(pool, name)


def test_two_visits_share_one_download_which_ends_when_the_last_has_left(pool, hub, trace):
    hub.hold_at = 1_000_000
    first, second = (Visit(Player(trace, "")) for _ in range(2))
    for visit in (first, second):
        visit.answer(parse("model", {"name": "someone/copy"}))
    job = pool.get("someone/copy")
    assert hub.held.wait(30)
    first.answer(parse("cancel", {}))
    assert pool.get("someone/copy") is job and first.choice.coming() is None
    second.answer(parse("cancel", {}))
    job.wait(10)
    assert job.phase == "cancelled" and pool.get("someone/copy") is None
    assert hub.begins() == [0]


def test_a_cancelled_download_is_gone_on_with_when_it_is_chosen_again(pool, hub, trace):
    hub.hold_at = 1_000_000
    visit = Visit(Player(trace, ""))
    visit.answer(parse("model", {"name": "someone/copy"}))
    assert hub.held.wait(30)
    job = pool.get("someone/copy")
    visit.answer(parse("cancel", {}))
    job.wait(10)
    hub.hold_at = None
    visit.answer(parse("model", {"name": "someone/copy"}))
    pool.get("someone/copy").wait(60)
    visit.refresh()
    assert visit.choice.model == "someone/copy"
    assert hub.begins()[0] == 0 and 0 < hub.begins()[1] <= 1_000_000


def test_run_stays_with_the_loaded_model_until_the_new_one_is_ready(pool, hub, trace):
    loaded(pool, "bundled")
    hub.hold_at = 1_000_000
    visit = Visit(Player(trace, ""), max_new_tokens=2, speed=0)
    visit.answer(parse("model", {"name": "someone/copy"}))
    assert hub.held.wait(30)
    visit.answer(parse("run", {"text": "The bird"}))
    shown = visit.snapshot()
    assert (shown.model, shown.trace.model) == ("someone/copy", "bundled")
    assert shown.coming.label == "copy" and not shown.coming.is_ready
    hub.go.set()
    pool.get("someone/copy").wait(60)
    visit.refresh()
    assert visit.snapshot().coming.is_ready
    visit.answer(parse("run", {"text": "The bird"}))
    wait(visit)
    assert visit.snapshot().trace.model == "someone/copy"
    assert visit.uses == {"someone/copy"}


def test_the_model_of_the_run_on_the_stage_is_kept_and_read_with_it(pool, tmp_path, trace, monkeypatch):
    names = copies(tmp_path, "a", "b")
    monkeypatch.setenv("GPT2_MODELS", ",".join(names))
    visit = Visit(Player(trace, ""), max_new_tokens=1, speed=0)
    for name in names:
        visit.answer(parse("model", {"name": name}))
        pool.get(name).wait(60)
        if name == names[0]:
            visit.answer(parse("run", {"text": "The bird"}))
    visit.choice.poll()
    assert visit.uses == set(names)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("/etc", "not offered"), ("wrong name!", "not offered"), ("", "not offered"), ("../x", "not offered")],
)
def test_a_model_that_is_refused_leaves_everything_as_it_was(pool, trace, name, sentence):
    visit = Visit(Player(trace, ""))
    visit.answer(parse("model", {"name": name}))
    assert sentence in visit.snapshot().model_error and visit.choice.shown == "bundled"
    assert visit.status().kind != "error"
    visit.answer(parse("settings", {}))
    assert visit.snapshot().model_error == ""


def test_folders_are_for_visitors_on_the_same_machine_alone(pool, tmp_path, monkeypatch):
    (name,) = copies(tmp_path, "a")
    monkeypatch.chdir(tmp_path)
    away, home = ModelChoice(), ModelChoice(is_local=True)
    away.take(name)
    assert "not offered" in away.error and pool.get(name) is None
    home.take("./a")
    assert home.wanted == name and home.error == ""
    pool.get(name).wait(60)
    monkeypatch.setenv("GPT2_PUBLIC", "1")
    again = ModelChoice(is_local=True)
    again.take(name)
    assert "not offered" in again.error and again.takes_others == ""


def test_an_id_that_is_also_a_folder_here_is_looked_for_on_the_hub(pool, hub, tmp_path, monkeypatch):
    write_checkpoint(tmp_path / "someone" / "else")
    monkeypatch.chdir(tmp_path)
    choice = ModelChoice()
    choice.take("someone/else")
    job = pool.get("someone/else")
    job.wait(30)
    assert job.phase == "failed" and "There is no model someone/else on the hub" in job.error


def test_a_host_limits_what_can_be_chosen(pool, monkeypatch):
    monkeypatch.setenv("GPT2_MODELS", "gpt2, someone/copy")
    choice = ModelChoice()
    assert [offer.name for offer in choice.offered()] == ["bundled", "gpt2", "someone/copy"]
    assert choice.takes_others == ""
    choice.take("gpt2-xl")
    assert "not offered here; choose one from the list" in choice.error


def test_the_hosts_default_is_on_its_way_from_the_first(pool, tmp_path, trace, monkeypatch):
    (name,) = copies(tmp_path, "a")
    monkeypatch.setenv("GPT2_DEFAULT_MODEL", name)
    visit = Visit(Player(trace, ""))
    assert visit.snapshot().model == name and visit.choice.model == "bundled"
    pool.get(name).wait(60)
    visit.refresh()
    assert visit.choice.model == name


def test_many_who_want_one_model_at_once_start_it_once(pool, tmp_path):
    (name,) = copies(tmp_path, "a")
    start = threading.Barrier(8)

    def request(_: int) -> ModelJob:
        start.wait()
        return pool.request(name)

    with ThreadPoolExecutor(8) as threads:
        jobs = list(threads.map(request, range(8)))
    assert len({id(job) for job in jobs}) == 1
    loaded(pool, name)
