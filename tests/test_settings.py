"""Claims about the host's settings: one table, documented as it is, and one sentence for each kind of mistake."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpt2
from gpt2.engine import settings
from gpt2.engine.settings import SETTINGS, count, megabytes
from gpt2.errors import SettingsError

ROOT = Path(gpt2.__file__).parents[1]


def test_the_hosting_page_lists_every_setting_as_the_table_has_it() -> None:
    page = (ROOT / ".github" / "HOSTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(GPT2_\w+)` \| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    assert rows == [(setting.name, setting.meaning, setting.default) for setting in SETTINGS]


def test_no_variable_of_the_program_is_read_that_the_table_lacks() -> None:
    files = [*(ROOT / "gpt2").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    named = {name for file in files for name in re.findall(r'"(GPT2_[A-Z_]+)"', file.read_text(encoding="utf-8"))}
    assert named == {setting.name for setting in SETTINGS}


def test_the_documented_size_of_one_run_is_the_one_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPT2_TRACE_MB", raising=False)
    default = next(setting.default for setting in SETTINGS if setting.name == "GPT2_TRACE_MB")
    assert settings.trace_budget() == int(default) * 10**6


@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=20))
def test_whatever_is_set_is_a_number_in_bounds_or_one_sentence(raw: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPT2_X", raw)
        for parse, unit in ((count, 1), (megabytes, 10**6)):
            try:
                number = parse("GPT2_X", 7)
            except SettingsError as error:
                assert str(error).startswith("GPT2_X must be a ")
                assert str(error).endswith("; whoever hosts this app can change it.")
            else:
                assert number == 7 if not raw.strip() else 1 <= number < 10**12 * unit


@pytest.mark.parametrize("raw", ["abc", "0", "-5", "nan", "inf", "1e305"])
def test_a_budget_that_is_none_is_refused(raw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_TRACE_MB", raw)
    with pytest.raises(SettingsError, match="GPT2_TRACE_MB"):
        settings.trace_budget()


def test_the_budget_is_what_the_host_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPT2_TRACE_MB", raising=False)
    assert settings.trace_budget() == settings.TRACE_MB * 10**6
    monkeypatch.setenv("GPT2_TRACE_MB", "1.5")
    assert settings.trace_budget() == 1_500_000
