"""Claims about what the host of the app can set."""

import pytest

from gpt2.checkpoints.catalog import KNOWN
from gpt2.engine import devices, settings
from gpt2.errors import SettingsError
from pages.server import host, limits
from pages.server.memory import machine_bytes


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that has set nothing."""
    for setting in settings.SETTINGS:
        monkeypatch.delenv(setting.name, raising=False)


def test_unset_the_bundled_and_the_known_models_are_offered_and_others_may_be_typed():
    assert host.offered_models() == ("bundled", *KNOWN)
    assert host.takes_other_ids() and host.takes_folders(True) and not host.takes_folders(False)
    assert host.default_model() == "bundled"


def test_a_list_is_offered_exactly_and_nothing_else_may_be_typed(monkeypatch):
    monkeypatch.setenv("GPT2_MODELS", "gpt2, someone/tiny,,gpt2")
    assert host.offered_models() == ("bundled", "gpt2", "someone/tiny")
    assert not host.takes_other_ids() and not host.takes_folders(True)
    monkeypatch.setenv("GPT2_MODELS", "")
    assert host.offered_models() == ("bundled",)


def test_the_default_is_always_among_what_is_offered(monkeypatch):
    monkeypatch.setenv("GPT2_MODELS", "gpt2")
    monkeypatch.setenv("GPT2_DEFAULT_MODEL", "someone/tiny")
    assert host.offered_models() == ("bundled", "gpt2", "someone/tiny") and host.default_model() == "someone/tiny"


@pytest.mark.parametrize(("told", "public"), [("1", True), ("true", True), ("0", False), ("", False), ("no", False)])
def test_on_a_public_host_nothing_is_typed(monkeypatch, told, public):
    monkeypatch.setenv("GPT2_PUBLIC", told)
    assert host.is_public() is public and host.takes_other_ids() is not public


def test_models_run_where_the_host_says_or_on_the_cpu(monkeypatch):
    assert host.device() == "cpu"
    monkeypatch.setenv("GPT2_DEVICE", " Auto ")
    assert host.device() == "auto"


def test_a_device_is_one_that_the_engine_knows(monkeypatch):
    assert settings.DEVICES == devices.DEVICES
    monkeypatch.setenv("GPT2_DEVICE", "tpu")
    with pytest.raises(SettingsError, match="GPT2_DEVICE must be auto, cpu or gpu, not 'tpu'; whoever hosts"):
        host.device()


def test_the_documented_defaults_are_those_in_force():
    default = {setting.name: setting.default for setting in settings.SETTINGS}
    assert default["GPT2_MEMORY_MB"] == f"{host.MEMORY_SHARE * 100:.0f} % of the memory"
    assert default["GPT2_TRACES_MB"] == f"{limits.TRACES_SHARE * 100:.0f} % of the memory, or what is left of it"
    assert default["GPT2_DEVICE"] == host.device()
    assert default["GPT2_PUBLIC"] == str(int(host.is_public()))


def test_the_budget_is_what_the_host_says_or_a_share_of_what_there_is(monkeypatch):
    assert 0 < host.memory_budget() < machine_bytes()
    monkeypatch.setenv("GPT2_MEMORY_MB", "1500")
    assert host.memory_budget() == 1_500_000_000
    for told in ("plenty", "-1500", "0", "nan", "inf", "1e305"):
        monkeypatch.setenv("GPT2_MEMORY_MB", told)
        with pytest.raises(
            SettingsError, match=f"GPT2_MEMORY_MB must be a positive number of megabytes, not '{told}'; whoever hosts"
        ):
            host.memory_budget()
