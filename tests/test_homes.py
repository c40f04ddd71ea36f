"""Without a home folder everything that is shipped works, and what needs a folder asks for one."""

import pwd
from pathlib import Path
from typing import NoReturn

import pytest

from gpt2.engine import compiling
from gpt2.errors import EngineError
from tests.command_line import refused, said
from tests.shapes import TINY


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not list, with no variable that names a folder."""

    def unknown(_: object) -> NoReturn:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CACHE_HOME", "GPT2_CACHE", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.slow
@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_bundled_model_runs_and_models_are_listed(capsys) -> None:
    assert said(capsys, "generate", "a", "--max-new-tokens", "1", "--json")["prompt"] == "a"
    assert {"bundled", "to download"} == {row["state"] for row in said(capsys, "models", "--json")["models"]}
    assert Path(said(capsys, "compile", "--json")["folder"]).is_dir()


@pytest.mark.slow
@pytest.mark.usefixtures("homeless")
def test_without_a_home_a_download_asks_for_a_folder(capsys, monkeypatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    error = refused(capsys, "generate", "a", "--model", "owner/model")
    assert "There is no home folder" in error and "set HF_HUB_CACHE" in error
    monkeypatch.setenv("HF_HUB_CACHE", "~nobody-of-this-name/hub")
    assert "There is no home folder for ~nobody-of-this-name/hub" in refused(capsys, "bench", "--model", "owner/model")


@pytest.mark.usefixtures("homeless")
def test_without_a_home_a_compile_asks_for_a_folder() -> None:
    with pytest.raises(EngineError, match="There is no home folder to keep graphs in; set GPT2_CACHE"):
        compiling.compile_apart(TINY, lambda _: None)


@pytest.mark.parametrize("home", ["", "relative", "/proc/no-such-folder", "/dev/null"])
def test_a_home_where_nothing_can_be_written_is_enough(capsys, monkeypatch, tmp_path, home: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", home)
    for name in ("XDG_CACHE_HOME", "GPT2_CACHE", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    assert said(capsys, "generate", "a", "--max-new-tokens", "1", "--json")["prompt"] == "a"
    assert len(said(capsys, "models", "--json")["models"]) > 4
    assert list(tmp_path.iterdir()) == []


def test_a_cache_of_graphs_may_be_named_from_the_current_folder(capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GPT2_CACHE", "own")
    assert said(capsys, "compile", "--json")["folder"] == "own/graphs"
