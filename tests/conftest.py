"""What tests share: the bundled model, loaded once, and a run of it."""

import importlib
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, BrowserContext, Page

from gpt2.checkpoints.weights import Checkpoint, load_checkpoint
from gpt2.engine import compiled, devices
from gpt2.engine.engine import Engine
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from tests.browser import Server, browser, chromium_path, open_tab, serve
from tests.compiling import GRAPHS
from tests.cores import one_core
from tests.models import BUNDLED, PROMPT
from tests.stage import ready

if TYPE_CHECKING:
    from pages.server.models import Pool
    from pages.server.traces import Traces
    from pages.visit.visit import Visit
    from tests.budgets import Budget

# A busy machine is not a failure; folders and engines that examples share are meant to be shared.
settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.load_profile("shared")

NO_BROWSER = "No Chromium: apt-get install chromium, or set CHROMIUM, to run the browser tests too."
COMPILE_SECONDS = 1800
NAMED, NONE_QUICK = re.compile(r"test_\w+\.py"), re.compile(r"^pytestmark = .*(slow|browser|compiles)", re.MULTILINE)
MOST_WORKERS = 4  # of half a gigabyte to one and a half


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A worker a core; for one file or test alone, which one process would run anyway, none."""
    named = config.option.file_or_dir
    is_one_file = len(named) == 1 and ".py" in named[0]
    return 0 if is_one_file else min(MOST_WORKERS, os.cpu_count() or 1)


def pytest_xdist_setupnodes() -> None:
    """Prepare what workers share, before the first one starts.

    One thread a worker for NumPy and torch: those of several workers would take the cores from each other. And MAX
    builds a part of itself when that is first imported: workers that do so at once read each other's half file.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    importlib.import_module("max._kv_cache_ops")
    os.unsetenv("PYTHONEXECUTABLE")  # MAX's native code sets it to the first python3 of PATH, and workers would be that


def pytest_configure(config: pytest.Config) -> None:
    """One thread a worker for MAX too. A file that is run by itself uses all cores."""
    if hasattr(config, "workerinput"):
        with one_core():
            devices.session_on("cpu")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """For the quick tests, a file that says that none of its own is one is not even imported."""
    if config.option.markexpr != "quick" or not NAMED.match(collection_path.name):
        return None
    return bool(NONE_QUICK.search(collection_path.read_text(encoding="utf-8"))) or None


@pytest.hookimpl(tryfirst=True)  # before `-m` takes its pick
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is quick, let compiles take their time, and begin with the files that take longest."""
    for item in items:
        if item.get_closest_marker("compiles"):
            item.add_marker(pytest.mark.timeout(COMPILE_SECONDS))
        if not any(map(item.get_closest_marker, ("browser", "slow", "compiles"))):
            item.add_marker("quick")
    long = Counter[Path]()
    for item in items:
        long[item.path] += 4 if item.get_closest_marker("browser") else not item.get_closest_marker("quick")
    items.sort(key=lambda item: -long[item.path])  # stable: each file stays whole


@pytest.hookimpl(tryfirst=True)  # before the fixtures are made
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out the browser tests where there is no browser; on a CI machine they fail."""
    if item.get_closest_marker("browser") and chromium_path() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_BROWSER)


@pytest.fixture(scope="session", autouse=True)
def graphs() -> Iterator[None]:
    """The compiled graphs that come with the tests are found as shipped ones are, and checked as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "OFFERED", (GRAPHS,))
        yield


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    """The bundled checkpoint."""
    return load_checkpoint(BUNDLED, "bundled")


@pytest.fixture(scope="session")
def engine(checkpoint: Checkpoint) -> Engine:
    """The bundled model on its shipped graphs."""
    return Engine(checkpoint)


@pytest.fixture(scope="session")
def trace(engine: Engine) -> Trace:
    """Forty tokens drawn after a short prompt."""
    run = engine.start(PROMPT)
    for _ in range(40):
        run.advance(Sampling(0.8, 0, 0.95, seed=1))
    return run.trace


@pytest.fixture(autouse=True)
def nothing_later() -> Iterator[None]:
    """What a loaded model leaves for a second later is left out, once the test is over that loaded it."""
    yield
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and thread.name.startswith("settle in "):
            thread.cancel()


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user's cache with nothing in it, and no shipped graphs."""
    monkeypatch.setenv("GPT2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(compiled, "OFFERED", ())
    return compiled.cache_folder()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes that the test starts heed signals, even if this one is a background job or outlives its terminal."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def unset_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host that has set nothing, and an empty cache of models."""
    for name in ("GPT2_MODELS", "GPT2_DEFAULT_MODEL", "GPT2_MEMORY_MB", "GPT2_PUBLIC", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> "Pool":
    """A pool of models for this test alone, and for its visits."""
    from pages.server.models import Pool  # here, as it imports Streamlit, which most files do without

    own = Pool()
    monkeypatch.setattr("pages.visit.visit.pool", lambda: own)
    monkeypatch.setattr("pages.visit.model_choice.pool", lambda: own)
    return own


@pytest.fixture
def budget() -> "Budget":
    """The bytes that the runs of `traces` may take; a test may change them."""
    from tests.budgets import Budget  # here, as it imports Streamlit too

    return Budget()


@pytest.fixture
def traces(budget: "Budget") -> "Traces":
    """The memory of a test's own visitors."""
    from pages.server.traces import Traces

    return Traces(budget)


@pytest.fixture
def visit(engine: Engine, trace: Trace, monkeypatch: pytest.MonkeyPatch) -> Iterator["Visit"]:
    """A visit with a run of its own of six steps."""
    from pages.stage.actions import parse
    from pages.visit.player import Player
    from pages.visit.visit import Visit
    from tests.players import wait

    monkeypatch.setattr(Visit, "_engine", lambda _: engine)
    made = Visit(Player(trace, PROMPT), max_new_tokens=6, speed=0)
    made.answer(parse("run", {"text": "The bird"}))
    wait(made)
    made.job.wait(60)  # until the model is there, the status tells of its loading
    made.cursor = 5
    yield made
    made.player.pause()


@pytest.fixture(scope="module")  # no longer: Playwright's event loop would run on under the tests of other modules
def chromium() -> Iterator[Browser]:
    """The browser of a module's tests."""
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def window(chromium: Browser) -> Iterator[BrowserContext]:
    """The window of `live`: it keeps the app's own files from one tab to the next, and nothing that a visitor chose."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    context.add_init_script("if (location.protocol === 'http:') localStorage.clear();")
    yield context
    context.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app served for all tests of a worker, on a host that has set nothing."""
    with serve(tmp_path_factory.mktemp("server") / "server.log") as served:
        yield served


@pytest.fixture
def live(window: BrowserContext, server: Server) -> Iterator[Page]:
    """A fresh visitor on the Live page of `server`, the bundled model ready."""
    page = open_tab(window, server.url)
    ready(page)
    yield page
    assert page.errors == []  # type: ignore[attr-defined]
    page.close()
