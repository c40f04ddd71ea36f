"""Claims about an app at home: only there does a reader's code run, as a model, and beside its lesson at every save."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from gpt2.checkpoints.catalog import MINE
from gpt2.learn.follower import NOT_BEGUN, Follower
from gpt2.learn.lessons import LESSONS, lesson_of
from gpt2.learn.workbook import Workbook
from gpt2.trace.trace import Trace
from pages.server import host
from pages.server.job import ModelJob
from pages.visit.model_choice import ModelChoice
from pages.visit.player import Player
from pages.visit.progress import BEGUN, PASSED, PUT_TOGETHER, WHOLE, Progress
from pages.visit.visit import Visit

ROOT = Path(__file__).parents[1]
LESSON = lesson_of(2)


@pytest.fixture(autouse=True)
def nowhere(unset_host: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An app that listens to all, in a folder without the course's files, and says nothing."""
    monkeypatch.delenv("GPT2_LEARN_FOLDER", raising=False)
    monkeypatch.chdir(tmp_path)
    before = config.get_option("server.address")
    config.set_option("server.address", None)
    yield
    config.set_option("server.address", before)


def test_home_is_what_the_host_says_or_an_app_for_its_own_machine_with_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert host.learn_folder() is None
    (tmp_path / "my_gpt2").mkdir()
    assert host.learn_folder() is None
    for address, is_home in (("0.0.0.0", False), ("192.168.1.7", False), ("localhost", True), ("127.0.0.1", True)):
        config.set_option("server.address", address)
        assert host.learn_folder() == (Path("my_gpt2") if is_home else None), address
    assert host.own_code(is_local=False) is None and host.own_code(is_local=True) == Path("my_gpt2")
    config.set_option("server.address", None)
    monkeypatch.setenv("GPT2_LEARN_FOLDER", "elsewhere")
    assert host.own_code(is_local=True) == Path("elsewhere") and host.own_code(is_local=False) is None
    monkeypatch.setenv("GPT2_PUBLIC", "1")
    assert host.learn_folder() is None


def test_mine_is_offered_at_home_alone_and_refused_elsewhere_by_whatever_name_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offered(is_local: bool) -> tuple[bool, str]:
        choice = ModelChoice(is_local)
        names = [offer.name for offer in choice.offered()]
        choice.take(MINE)
        return MINE in names, choice.error

    monkeypatch.setenv("GPT2_MODELS", f"gpt2,{MINE}")
    assert offered(is_local=True)[1] == host.NOT_AT_HOME
    monkeypatch.delenv("GPT2_MODELS")
    monkeypatch.setenv("GPT2_LEARN_FOLDER", "nothing_in_it")
    assert offered(is_local=False) == (False, host.NOT_AT_HOME)
    assert offered(is_local=True) == (True, "")


@pytest.mark.slow
def test_the_job_itself_refuses_away_from_home_and_says_what_is_missing_at_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def why() -> str:
        job = ModelJob(MINE, lambda *_: None)
        job.start()
        job.wait(60)
        return job.error

    assert why() == host.NOT_AT_HOME
    monkeypatch.setenv("GPT2_LEARN_FOLDER", "nothing_in_it")
    assert "still lacks lessons 1, 2, 3" in why()


@pytest.mark.slow
def test_a_file_is_followed_from_save_to_save_by_one_process_at_a_time(tmp_path: Path) -> None:
    desk, workbook = Follower(), Workbook(tmp_path / "own")

    def followed() -> str:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            known, is_now = desk.look(workbook, LESSON)
            if is_now:
                return known.error or (known.verdict.says if known.verdict else "")
            time.sleep(0.05)
        raise AssertionError("no verdict")

    try:
        assert desk.look(workbook, LESSON) == (NOT_BEGUN, True)
        path, _ = workbook.start(LESSON)
        assert "still have `...`" in followed() or "still has `...`" in followed()
        path.write_text(LESSON.solution.replace("query >= key", "query <= key"))
        assert "numbers are wrong" in followed() and not workbook.passed
        known, _ = desk.look(workbook, LESSON)
        assert known.verdict is not None and len(known.verdict.pair) == 2
        path.write_text(LESSON.solution)
        assert followed().startswith("Right") and workbook.passed == {2}
    finally:
        desk.close()


def test_progress_is_the_folders_at_home_and_the_visits_elsewhere(tmp_path: Path) -> None:
    workbook = Workbook(tmp_path)
    workbook.start(lesson_of(5))
    workbook.start(lesson_of(3))
    workbook.note(lesson_of(3))
    states = Progress(frozenset({3, 4}), workbook).states()
    assert (states[3], states[4], states[5], states[6]) == (PASSED, PUT_TOGETHER, BEGUN, "")
    assert Progress(frozenset({4}), workbook).sentence() == f"Of {len(LESSONS)} lessons: 1 passed, 1 put together."
    for lesson in LESSONS:
        workbook.start(lesson)
        workbook.note(lesson)
    assert Progress(workbook=workbook).sentence() == f"All 12 passed. {WHOLE}"
    assert Progress().sentence() == "" and set(Progress().states().values()) == {""}


@pytest.mark.slow
def test_blanks_put_right_are_shown_on_the_course_page(trace: Trace) -> None:
    def run(name: str, visit: Visit, done: set[int]) -> AppTest:
        test = AppTest.from_file(str(ROOT / "pages" / "learn" / f"{name}.py"), default_timeout=120)
        test.session_state["visit"], test.session_state["put_together"] = visit, done
        return test.run()

    visit, done = Visit(Player(trace, "Once upon a time"), cursor=len(trace.steps) - 1), set[int]()
    lesson = run(f"lessons/lesson_{LESSON.slug}", visit, done)
    for at, blank in enumerate(LESSON.blanks):
        lesson.selectbox(key=f"lesson.{LESSON.name}.blank{at}").set_value(blank.right)
    lesson.run()
    assert not lesson.exception and lesson.session_state["put_together"] == {2}
    course = run("course", visit, {2})
    assert not course.exception
    assert f"Of {len(LESSONS)} lessons: 1 put together." in [text.value for text in course.text]
