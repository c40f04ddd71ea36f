"""The command line on any terminal and pipe: it prints what it can, or says in one sentence why it cannot."""

import io
import json
import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gpt2.__main__ import main
from gpt2.text.prompt import as_given
from gpt2.text.streams import messages
from tests.command_line import refused, said

pytestmark = pytest.mark.slow

FULL = Path("/dev/full")
full_disk = pytest.mark.skipif(not FULL.exists(), reason="This system has no /dev/full.")
WIDE = "é – 日"
# Of token after token drawn blindly, these seeds end with the first byte of a character.
BLIND = ("--temperature", "1e300", "--max-new-tokens", "2", "--seed")


@contextmanager
def broken(monkeypatch: pytest.MonkeyPatch, name: str, descriptor: int, encoding: str = "utf-8") -> Iterator[None]:
    """A standard stream on a file of its own, as Python would make it."""
    with open(descriptor, "w", encoding=encoding) as stream, monkeypatch.context() as patch:
        patch.setattr(sys, name, stream)
        yield


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: str) -> str:
    """What a command prints on a terminal of this encoding."""
    file = io.BytesIO()
    terminal = io.TextIOWrapper(file, encoding)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        main(list(arguments))
    return file.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "shift_jis", "utf-16", "koi8-r"])
def test_the_list_of_models_is_printed_in_any_encoding(monkeypatch, encoding: str) -> None:
    shown = printed(monkeypatch, encoding, "models")
    dash = "–".encode(encoding, "backslashreplace").decode(encoding)
    assert "bundled" in shown and dash in shown


def test_characters_that_a_terminal_lacks_are_printed_as_escapes(monkeypatch) -> None:
    arguments = ("generate", WIDE, "--max-new-tokens", "1")
    assert printed(monkeypatch, "ascii", *arguments).startswith(r"\xe9 \u2013 \u65e5")
    assert printed(monkeypatch, "latin-1", *arguments).startswith(r"é \u2013 \u65e5")
    assert printed(monkeypatch, "utf-8", *arguments).startswith(WIDE)


def test_json_is_ascii_in_any_encoding(monkeypatch) -> None:
    told = printed(monkeypatch, "ascii", "generate", WIDE, "--max-new-tokens", "1", "--json")
    assert told.isascii() and json.loads(told)["prompt"] == WIDE


def test_a_name_that_is_no_text_can_be_printed(monkeypatch, tmp_path) -> None:
    out = f"{tmp_path}/\udcff.npz"
    told = printed(monkeypatch, "utf-8", "trace", "a", "--out", out, "--max-new-tokens", "1")
    assert told.startswith(f"{tmp_path}/\\udcff.npz: 1 steps") and Path(out).exists()


@pytest.mark.parametrize("seed", ["13", "132", "201"])
def test_a_text_that_ends_within_a_character_is_printed_as_json_reports_it(capsys, seed: str) -> None:
    told = said(capsys, "generate", "Two birds", *BLIND, seed, "--json")
    assert told["text"].endswith("\N{REPLACEMENT CHARACTER}")
    main(["generate", "Two birds", *BLIND, seed])
    assert capsys.readouterr().out == told["text"] + "\n"


@full_disk
@pytest.mark.parametrize(
    "arguments", [("models",), ("models", "--json"), ("--help",), ("generate", "a", "--max-new-tokens", "1")]
)
def test_output_on_a_full_disk_is_refused(monkeypatch, capsys, arguments: tuple[str, ...]) -> None:
    with broken(monkeypatch, "stdout", os.open(FULL, os.O_WRONLY)):
        assert "Standard output cannot be written (No space left on device)" in refused(capsys, *arguments)


def test_output_that_is_closed_is_refused_before_anything_is_computed(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert "Standard output is closed" in refused(capsys, "trace", "a", "--out", "/no/such/folder/run.npz")


@pytest.mark.parametrize("arguments", [("models",), ("--help",), ("generate", "a", "--max-new-tokens", "1")])
def test_a_reader_who_has_gone_is_told_nothing_and_the_status_is_sigpipes(monkeypatch, capsys, arguments) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with broken(monkeypatch, "stdout", writing), pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 141 and capsys.readouterr().err == ""


@full_disk
def test_a_message_that_cannot_be_written_stops_nothing(monkeypatch, capsys) -> None:
    with broken(monkeypatch, "stderr", os.open(FULL, os.O_WRONLY)):
        assert len(said(capsys, "models", "--json")["models"]) > 4
        with pytest.raises(SystemExit) as stopped:
            main(["generate", ""])
    assert stopped.value.code == 2


def test_without_standard_error_commands_run_and_refuse_as_ever(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert said(capsys, "generate", "a", "--max-new-tokens", "1", "--json")["prompt"] == "a"
    for arguments in (["generate", ""], ["fly"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2


@pytest.mark.parametrize(("terminal", "erases"), [("xterm", True), ("dumb", False)])
def test_only_a_terminal_that_can_erase_a_line_is_asked_to(monkeypatch, capsys, terminal: str, erases: bool) -> None:
    monkeypatch.setenv("TERM", terminal)
    keyboard, screen = pty.openpty()
    with broken(monkeypatch, "stderr", screen):
        main(["models"])
        print("seen", file=sys.stderr, flush=True)
    assert (b"\033[K" in os.read(keyboard, 100)) == erases
    os.close(keyboard)


def test_a_prompt_on_a_closed_standard_input_is_refused(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert "Standard input is closed" in refused(capsys, "generate", "-")


def test_a_prompt_on_a_standard_input_that_cannot_be_read_is_refused(monkeypatch, capsys, tmp_path) -> None:
    with os.fdopen(os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT), "rb") as written:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(written))
        assert "Standard input cannot be read (Bad file descriptor)" in refused(capsys, "generate", "-")


def test_a_standard_input_without_end_is_refused_once_it_is_too_long_for_a_prompt(monkeypatch, capsys) -> None:
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        assert "more than the 200,000 characters" in refused(capsys, "generate", "-")


def test_a_prompt_that_python_did_not_decode_is_read_as_utf_8() -> None:
    escaped = WIDE.encode().decode("ascii", "surrogateescape")  # as where the locale is C
    assert [as_given(text) for text in (escaped, WIDE, "\udcff", "a\ud800b")] == [WIDE, WIDE, "\udcff", "a\ud800b"]


def test_a_name_with_a_line_break_is_refused_in_one_line(capsys, tmp_path) -> None:
    assert "cannot be written" in refused(capsys, "trace", "a", "--out", f"{tmp_path}/a\nb/run.npz")
    assert "unrecognized" in refused(capsys, "models", "a\nb")


def test_no_file_takes_the_place_of_a_closed_standard_stream(tmp_path) -> None:
    kept = os.dup(0)
    os.close(0)
    try:
        with messages(), (tmp_path / "file").open("w") as file:
            assert file.fileno() > 2
    finally:
        os.dup2(kept, 0)
        os.close(kept)
