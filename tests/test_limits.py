"""What a host may limit: read when asked for, shown on the stage, refused in one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.engine.settings import SETTINGS
from gpt2.errors import SettingsError
from gpt2.text.tokenizer import Tokenizer
from pages.server import memory
from pages.server.limits import TRACES_SHARE, limits
from pages.server.memory import machine_bytes
from pages.stage.actions import parse
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.players import wait

NAMES = ("GPT2_MAX_PROMPT_TOKENS", "GPT2_MAX_NEW_TOKENS", "GPT2_TRACES_MB", "GPT2_THREADS")
CHECKED = [setting.name for setting in SETTINGS if setting.kind in ("number", "megabytes", "device")]


@pytest.fixture
def visit(engine, trace, monkeypatch) -> Visit:
    monkeypatch.setattr(Visit, "_engine", lambda _: engine)
    return Visit(Player(trace, "Once upon a time"), speed=0)


def test_without_settings_the_models_context_is_the_limit(visit, monkeypatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    shown = visit.snapshot()
    n_positions = shown.trace.config.n_positions
    assert (shown.context, shown.most_new_tokens, limits().problem) == (n_positions, n_positions, "")
    assert (limits().traces_bytes, limits().threads) == (int(TRACES_SHARE * machine_bytes()), 0)


def test_settings_are_read_when_they_are_asked_for(visit, monkeypatch) -> None:
    for told in ("20", " 7 "):
        for name in NAMES:
            monkeypatch.setenv(name, told)
        number = int(told)
        assert (limits().prompt_tokens, limits().new_tokens, limits().threads) == (number, number, number)
        assert limits().traces_bytes == number * 10**6
        shown = visit.snapshot()
        assert (shown.context, shown.most_new_tokens, shown.max_new_tokens) == (number, number, number)


def test_a_prompt_that_is_longer_than_the_host_allows_is_refused(visit, trace, monkeypatch) -> None:
    monkeypatch.setenv("GPT2_MAX_PROMPT_TOKENS", "6")
    text = " the" * 8
    visit.answer(parse("draft", {"text": text}))
    sentence = "The prompt has 8 tokens, 2 more than the 6 allowed here; shorten it."
    assert visit.draft_error == sentence
    visit.answer(parse("run", {"text": text}))
    assert visit.draft_error == sentence and visit.player.trace is trace
    visit.answer(parse("run", {"text": " the" * 6, "max_new_tokens": 2}))
    wait(visit)
    assert len(visit.player.trace.prompt_ids) == 6 and visit.player.error == ""


def test_a_prompt_is_encoded_once_when_it_is_counted_and_once_when_it_is_run(visit, monkeypatch) -> None:
    """A text of 200,000 characters takes 0.2 s each time."""
    encode, encoded = Tokenizer.encode, []
    monkeypatch.setattr(Tokenizer, "encode", lambda self, text: encoded.append(text) or encode(self, text))
    visit.answer(parse("draft", {"text": "A hen"}))
    assert encoded == ["A hen"] and visit.draft.tokens == len(encode(visit._checkpoint.tokenizer, "A hen"))
    visit.answer(parse("run", {"text": "A hen", "max_new_tokens": 1}))
    wait(visit)
    assert encoded == ["A hen", "A hen"] and visit.player.trace.text.startswith("A hen")


def test_an_opened_run_with_a_longer_prompt_is_looked_at_and_not_gone_on_with(engine, visit, monkeypatch) -> None:
    monkeypatch.setenv("GPT2_MAX_PROMPT_TOKENS", "6")
    opened = engine.run(" the" * 8)
    visit.open(opened, is_own=True)
    visit.answer(parse("play", {"cursor": 0}))
    assert "8 tokens, 2 more" in visit.status().text and visit.player.trace is opened


def test_more_new_tokens_than_the_host_allows_are_refused(visit, trace, monkeypatch) -> None:
    monkeypatch.setenv("GPT2_MAX_NEW_TOKENS", "5")
    visit.answer(parse("run", {"text": "A hen", "max_new_tokens": 6}))
    assert visit.setting_errors == {"max_new_tokens": "The number of new tokens must be from 1 to 5, not 6."}
    visit.answer(parse("run", {"text": "A hen"}))
    wait(visit)
    assert len(visit.player.trace.steps) == 5


@pytest.mark.parametrize("name", CHECKED)
@given(told=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1))
def test_a_setting_that_cannot_be_read_is_told_in_one_sentence_and_a_default_stands_in(name: str, told: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, told)
        found = limits()
    assert min(found.prompt_tokens, found.new_tokens, found.traces_bytes) >= 1
    if found.problem:
        assert found.problem.startswith(f"{name} must be a") and "\n" not in found.problem
        with pytest.raises(
            SettingsError, match=r"whole number from 1 up|positive number of megabytes|auto, cpu or gpu"
        ):
            found.check()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *(("GPT2_MAX_NEW_TOKENS", told) for told in ("0", "-1", "1.5", "many", "٣", "1e3", "9" * 13)),
        *(("GPT2_MEMORY_MB", "plenty"), ("GPT2_TRACE_MB", "0"), ("GPT2_DEVICE", "tpu")),
    ],
)
def test_a_setting_that_cannot_be_read_stops_orders_until_it_is_put_right(
    visit, trace, name, told, monkeypatch
) -> None:
    monkeypatch.setenv("GPT2_MAX_NEW_TOKENS", "3")
    with monkeypatch.context() as wrong:
        wrong.setenv(name, told)
        assert visit.status().kind == "error" and f"{name} must be" in visit.status().text
        assert "whoever hosts this app" in visit.status().text
        visit.answer(parse("run", {"text": "A hen"}))
        assert visit.player.trace is trace and not visit.player.is_running
    visit.answer(parse("run", {"text": "A hen"}))
    wait(visit)
    assert len(visit.player.trace.steps) == 3


def test_a_containers_limit_counts_where_it_is_smaller(tmp_path, monkeypatch) -> None:
    """Both versions of control groups, "max", and no file at all."""
    for told, expected in (("300000000\n", 300_000_000), ("max\n", None), (None, None), ("9223372036854771712", None)):
        file = tmp_path / "memory.max"
        file.unlink(missing_ok=True)
        if told is not None:
            file.write_text(told)
        groups = ((tmp_path / "none", "limit", "use", "idle"), (tmp_path, "memory.max", "use", "idle"))
        monkeypatch.setattr(memory, "CGROUPS", groups)
        whole = machine_bytes.__wrapped__()
        assert whole == expected if expected else whole > 10**9


@pytest.mark.parametrize("files", memory.CGROUPS)
def test_what_is_left_is_the_limit_less_what_a_container_counts_as_in_use(files, tmp_path, monkeypatch) -> None:
    """Files that nobody reads any more are dropped when memory is needed: they do not count."""
    _, limit, use, idle = files
    monkeypatch.setattr(memory, "CGROUPS", ((tmp_path, limit, use, idle),))
    monkeypatch.setattr(memory, "machine_bytes", lambda: 690_000_000)
    (tmp_path / limit).write_text("690000000\n")
    (tmp_path / use).write_text("650000000\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\n{idle} 60000000\nactive_file 5\n")
    assert memory.left_bytes() == 100_000_000
    spare = memory.Spare()
    assert spare() == 100_000_000 - 103_500_000
    (tmp_path / use).write_text("690000000\n")
    assert spare() == -3_500_000  # a reading holds for a moment
    spare.forget()
    assert spare() == -43_500_000


def test_without_a_container_what_is_left_is_the_machines(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(memory, "CGROUPS", ())
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    assert memory.left_bytes() == machine_bytes()
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 123 kB\n")
    assert memory.left_bytes() == 123 * 1024


@pytest.mark.parametrize(("machine", "margin"), [(300, 64), (690, 103.5), (1000, 150), (2700, 300), (64_000, 300)])
def test_the_margin_is_a_share_of_the_memory_within_bounds(monkeypatch, machine: int, margin: float) -> None:
    monkeypatch.setattr(memory, "machine_bytes", lambda: machine * 10**6)
    assert memory.margin_bytes() == margin * 10**6
