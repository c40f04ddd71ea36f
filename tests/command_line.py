"""The command line as tests use it: what it prints as JSON, and the one line with which it refuses."""

import json
from typing import Any

import pytest

from gpt2.__main__ import main


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The JSON object that a command prints."""
    capsys.readouterr()
    main(list(arguments))
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The line on standard error with which a command is refused, with status 2."""
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    error = capsys.readouterr().err.strip()
    assert stopped.value.code == 2
    assert len(error.splitlines()) == 1, error
    return error
