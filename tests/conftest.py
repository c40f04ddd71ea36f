"""What tests share: the bundled model, loaded once, and a run of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, Page

import gpt2
from gpt2.checkpoints.weights import Checkpoint, load_checkpoint
from gpt2.engine import compiled
from gpt2.engine.engine import Engine
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from tests.browser import Server, browser, open_page
from tests.compiling import GRAPHS
from tests.measure import ready

# A busy machine is not a failure; folders and engines that examples share are meant to be shared.
settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.load_profile("shared")

BUNDLED = Path(gpt2.__file__).parent / "bundled"
PROMPT = "Once upon a time"


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


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user's cache with nothing in it, and no shipped graphs."""
    monkeypatch.setenv("GPT2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(compiled, "OFFERED", ())
    return compiled.cache_folder()


@pytest.fixture(scope="module")  # no longer: Playwright's event loop would run on under the tests of other modules
def chromium() -> Iterator[Browser]:
    """The browser of a module's tests."""
    with browser() as opened:
        yield opened


@pytest.fixture
def live(chromium: Browser, server: Server) -> Iterator[Page]:
    """A fresh visitor on the Live page of the module's own `server`, the bundled model ready."""
    page = open_page(chromium, server.url)
    ready(page)
    yield page
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()
