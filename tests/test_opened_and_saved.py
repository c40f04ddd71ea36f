"""Files through the sidebar: what is opened is on the stage, what is refused says why, what is saved opens."""

import io
import json
import threading
import time
from pathlib import Path

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from gpt2.trace.trace import Trace
from pages.visit import opening, saving
from pages.visit.examples import recorded_run
from pages.visit.player import Player
from pages.visit.saving import BUSY, KEPT_SECONDS, Saving, trace_bytes
from pages.visit.visit import Visit
from tests.long_runs import CHANGES, UNBOUNDED, run_of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app as a visitor finds it."""
    monkeypatch.setattr(saving, "SAVINGS", type(saving.SAVINGS)())
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()


def visit_of(app: AppTest) -> Visit:
    visit: Visit = app.session_state["visit"]
    return visit


def upload(app: AppTest, data: bytes, name: str = "run.npz") -> AppTest:
    app.get("file_uploader")[0].upload(name, data)
    return app.run()


def told(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.error, *app.text))


def offered(app: AppTest) -> list[str]:
    return [button.label for button in app.get("download_button")]


def test_an_opened_run_is_on_the_stage_and_its_upload_is_forgotten(app, trace, monkeypatch):
    removed = []
    remove = MemoryUploadedFileManager.remove_file
    monkeypatch.setattr(
        MemoryUploadedFileManager,
        "remove_file",
        lambda *of, **named: (removed.append(named or of), remove(*of, **named)),
    )
    upload(app, trace_bytes(trace))
    assert not app.exception
    assert not app.error
    assert visit_of(app).player.trace.run_id == trace.run_id
    assert removed and app.get("file_uploader")[0].value is None
    assert visit_of(app).player.nbytes > 0  # counted as this visitor's


def test_why_a_file_was_not_opened_is_said_until_another_run_is_on_the_stage(app, trace):
    before = visit_of(app).player.trace
    upload(app, trace_bytes(trace)[:5000], "broken.npz")
    for _ in range(2):
        assert "This file was not opened.\n" in told(app) and "broken.npz: This file is not a whole trace" in told(app)
        assert visit_of(app).player.trace is before
        app.run()
    app.button(key="recorded.again").click().run()
    assert "not opened" not in told(app)


def test_a_rerun_in_the_middle_of_opening_loses_neither_the_run_nor_the_reason(app, trace, monkeypatch):
    """What a rerun ends is ended at a use of the session, of which there is none between refusing and telling."""
    takes = []

    class Ended(BaseException):
        pass

    class Session(dict):
        def __getitem__(self, _: object) -> object:
            raise Ended

        __setitem__ = __contains__ = get = __getitem__  # type: ignore[assignment]

    read = opening.read_run

    def reading(file: io.BytesIO) -> Trace:
        takes.append(file)
        monkeypatch.setattr(opening, "read_run", read)
        monkeypatch.setattr("streamlit.session_state", Session())
        return read(file)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "read_run", reading)
    this, visit = opening.Opening(), Visit(Player(recorded_run("once"), ""))
    file = io.BytesIO(b"PK")
    file.name, file.file_id = "x.npz", "1"  # type: ignore[attr-defined]
    this.take(file, visit)  # type: ignore[arg-type]
    assert takes
    assert this.number == 1
    assert "x.npz" in this.error_beside(visit.player.trace.run_id)


def test_a_run_that_is_too_large_for_this_host_is_refused(app, trace, monkeypatch):
    file = trace_bytes(trace)
    monkeypatch.setenv("GPT2_TRACE_MB", str(trace.nbytes / 3e6))
    upload(app, file)
    assert not app.error and visit_of(app).player.trace.nbytes <= trace.nbytes / 3  # squeezed
    app.button(key="recorded.once").click().run()
    monkeypatch.setenv("GPT2_TRACE_MB", "0.1")
    upload(app, file)
    assert "more than the 0.1 MB that a run may hold here" in told(app)
    assert visit_of(app).player.trace is recorded_run("once")


def test_a_file_that_unpacks_to_far_more_than_a_run_may_hold_is_not_unpacked(app, trace, monkeypatch):
    monkeypatch.setattr(opening, "MARGIN", 1000)
    monkeypatch.setenv("GPT2_TRACE_MB", "1")
    upload(app, trace_bytes(trace))
    assert "more than the 2 MB that can be opened here" in told(app)


@pytest.mark.parametrize("budget", [600_000, 900_000, 3_000_000, UNBOUNDED])
@pytest.mark.parametrize("changes", [None, CHANGES])
def test_every_run_within_the_budget_of_its_host_opens_there_again(engine, monkeypatch, budget, changes):
    """Squeezed or whole, and with hardly any room beside the captures."""
    run = run_of(engine, 12, 30, budget, changes).trace
    monkeypatch.setenv("GPT2_TRACE_MB", str((run.nbytes + 1) / 1e6))
    monkeypatch.setattr(opening, "MARGIN", 100_000)
    read = opening.read_run(io.BytesIO(trace_bytes(run)))
    assert read.ids == run.ids and read.nbytes <= run.nbytes + 1


def test_one_file_is_opened_at_a_time(trace, monkeypatch):
    at_once = []
    most = 0

    def slow(_: object) -> Trace:
        nonlocal most
        at_once.append(1)
        most = max(most, len(at_once))
        time.sleep(0.05)
        at_once.pop()
        return trace

    class File(io.BytesIO):
        name, file_id = "x.npz", "1"

    monkeypatch.setattr(opening, "read_run", slow)
    visits = [Visit(Player(trace, "")) for _ in range(4)]
    threads = [threading.Thread(target=opening.Opening().take, args=(File(), visit)) for visit in visits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_the_saved_run_is_offered_until_another_is_on_the_stage(app):
    assert offered(app) == []
    app.button(key="save").click().run()
    run = visit_of(app).player.trace
    data = app.session_state["saving"].data
    assert not app.exception and offered(app) == [f"Download {len(run.steps)} steps, {len(data) / 1e6:.1f} MB"]
    assert Trace.load(io.BytesIO(data)).ids == run.ids
    assert offered(app.run()) and app.session_state["saving"].data is data
    app.button(key="recorded.again").click().run()
    assert offered(app) == [] and app.session_state["saving"].data == b""


def test_a_run_is_saved_as_json_too_unless_that_would_be_too_large(app, monkeypatch):
    monkeypatch.setattr(saving, "MOST_JSON", 10**9)
    app.button(key="save.json").click().run()
    run, read = visit_of(app).player.trace, json.loads(app.session_state["saving"].data)
    assert not app.exception and read["text"] == run.text and len(offered(app)) == 1
    monkeypatch.setattr(saving, "MOST_JSON", 1000)
    app.button(key="save.json").click().run()
    assert offered(app) == [] and "save it as .npz" in told(app)


def test_a_saved_run_is_kept_for_two_minutes(app, monkeypatch):
    app.button(key="save").click().run()
    now = time.monotonic()
    monkeypatch.setattr(saving.time, "monotonic", lambda: now + KEPT_SECONDS - 5)
    assert offered(app.run())
    monkeypatch.setattr(saving.time, "monotonic", lambda: now + KEPT_SECONDS + 5)
    assert offered(app.run()) == [] and app.session_state["saving"].data == b""


def test_why_a_run_was_not_saved_is_one_sentence(trace):
    player, this = Player(trace.cut(0), ""), Saving()
    this.make(player)
    assert "no steps yet" in this.error
    assert not this.data
    assert not this.is_asked
    player.open(trace, is_own=True)
    assert player.evict() > 0
    this.make(player)
    assert this.error == player.notice and "freed" in this.error


def test_files_that_are_not_taken_yet_are_bounded_for_all_visitors_together(trace, monkeypatch):
    monkeypatch.setattr(saving, "SAVINGS", type(saving.SAVINGS)())
    monkeypatch.setenv("GPT2_TRACE_MB", "1")
    player, first, second = Player(trace, ""), Saving(), Saving()
    first.make(player)
    assert len(first.data) > 10**6
    second.make(player)
    assert (second.data, second.error) == (b"", BUSY)
    first.make(player)  # one's own is no hindrance
    assert first.data
    del first
    second.make(player)
    assert second.data and not second.error


def test_a_press_of_save_is_not_lost_where_a_rerun_ends_the_script(trace):
    this = Saving()
    this.ask()
    assert this.is_asked and not this.data
    this.make(Player(trace, ""))
    assert this.data and not this.is_asked
