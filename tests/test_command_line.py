"""The command line says what it promises, in one JSON object, and refuses in one line."""

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import gpt2
from gpt2.__main__ import main
from gpt2.trace.trace import Trace
from tests.command_line import refused, said

pytestmark = pytest.mark.slow

ROOT = Path(gpt2.__file__).parent.parent
FIELDS = {
    "id",
    "text",
    "probability",
    "final_probability",
    "rank",
    "surprisal_bits",
    "entropy_bits",
    "u",
    "ms",
}


def test_generate_prints_one_object_with_every_token(capsys):
    told = said(capsys, "generate", "Once upon a time", "--max-new-tokens", "20", "--seed", "1", "--json")
    assert set(told) == {"model", "prompt", "prompt_ids", "text", "seed", "settings", "finish_reason", "tokens"}
    assert (told["prompt"], told["seed"], len(told["tokens"])) == ("Once upon a time", 1, 20)
    assert told["text"] == told["prompt"] + "".join(token["text"] for token in told["tokens"])
    for token in told["tokens"]:
        assert set(token) == FIELDS
        assert 0 < token["probability"] <= 1
        assert 0 <= token["u"] < 1
        assert token["rank"] >= 1
        assert token["surprisal_bits"] == pytest.approx(-np.log2(token["probability"]))


def test_the_same_seed_gives_the_same_text_and_another_seed_another(capsys):
    texts = [
        said(capsys, "generate", "The old king", "--max-new-tokens", "15", "--seed", seed, "--json")["text"]
        for seed in ("5", "5", "6")
    ]
    assert texts[0] == texts[1] != texts[2]


def test_temperature_zero_takes_the_likeliest_token_each_time(capsys):
    told = said(capsys, "generate", "The old king", "--temperature", "0", "--max-new-tokens", "10", "--json")
    assert [token["rank"] for token in told["tokens"]] == [1] * 10
    assert [token["final_probability"] for token in told["tokens"]] == [1.0] * 10


def test_token_ids_are_a_prompt_too(capsys):
    typed = said(capsys, "generate", "Once upon", "--max-new-tokens", "2", "--json")
    ids = list(map(str, typed["prompt_ids"]))
    told = said(capsys, "generate", "--max-new-tokens", "2", "--json", "--ids", *ids)
    assert told["text"] == typed["text"] and told["prompt_ids"] == typed["prompt_ids"]
    assert said(capsys, "generate", "--max-new-tokens", "0", "--json", "--ids", *ids)["text"] == "Once upon"


def test_plain_output_is_the_text_that_json_reports(capsys):
    told = said(capsys, "generate", "Two birds", "--max-new-tokens", "8", "--json")
    main(["generate", "Two birds", "--max-new-tokens", "8"])
    assert capsys.readouterr().out == told["text"] + "\n"


def test_generation_stops_at_the_end_of_the_context_and_says_so(capsys, engine):
    n_positions = engine.config.n_positions
    prompt = " the" * (n_positions - 3)
    main(["generate", prompt, "--max-new-tokens", "50", "--json"])
    output = capsys.readouterr()
    assert len(json.loads(output.out)["tokens"]) == 4  # the last is drawn at the last position
    assert f"The context of {n_positions} tokens is full" in output.err


ENDS = ("They lived happily ever after.", "--temperature", "0", "--max-new-tokens", "12")


def test_generation_stops_where_the_text_ends_unless_it_is_told_not_to(capsys, engine):
    ended = said(capsys, "generate", *ENDS, "--json")
    assert ended["tokens"][-1]["id"] in engine.checkpoint.end_of_text and len(ended["tokens"]) < 12
    assert (ended["finish_reason"], ended["settings"]["ignore_eos"]) == ("stop", False)
    went_on = said(capsys, "generate", *ENDS, "--ignore-eos", "--json")
    assert (len(went_on["tokens"]), went_on["finish_reason"]) == (12, "length")
    assert went_on["text"].startswith(ended["text"]) and ended["text"].endswith("<|endoftext|>")


def test_a_trace_stops_where_the_text_ends_unless_it_is_told_not_to(capsys, tmp_path):
    out = ("--out", str(tmp_path / "run.npz"))
    assert said(capsys, "trace", *ENDS, *out, "--json")["steps"] < 12
    assert said(capsys, "trace", *ENDS, *out, "--ignore-eos", "--json")["steps"] == 12


def test_trace_writes_a_file_that_loads(capsys, tmp_path):
    out = tmp_path / "run.npz"
    told = said(capsys, "trace", "Once upon a time", "--out", str(out), "--max-new-tokens", "4", "--json")
    trace = Trace.load(out)
    assert (trace.text, len(trace.steps), trace.run_id) == (told["text"], told["steps"], told["run_id"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("generate", ""), "empty"),
        (("generate", "a\ud800b"), "lone surrogate"),
        (("generate", " the" * 600), "more than the 512"),
        (("generate", "a", "--temperature", "nan"), "Temperature"),
        (("generate", "a", "--temperature", "-1"), "Temperature"),
        (("generate", "a", "--temperature", "warm"), "temperature"),
        (("generate", "a", "--top-p", "0"), "Top-p"),
        (("generate", "a", "--top-k", "99999"), "vocabulary has only"),
        (("generate", "a", "--seed", "-1"), "seed"),
        (("generate", "a", "--max-new-tokens", "-5"), "max-new-tokens"),
        (("generate",), "either a prompt or token ids"),
        (("generate", "a", "--ids", "1"), "either a prompt or token ids"),
        (("generate", "--ids", "1", "2048"), "2048 is none"),
        (("generate", "--ids", "-1"), "-1 is none"),
        (("generate", "--ids", "one"), "--ids"),
        (("fly",), "invalid choice"),
        (("trace", "a", "--out", "/no/such/folder/run.npz"), "cannot be written"),
        (("parity", "--lengths", "9" * 30), "Parity needs prompts of 2 to 512 tokens"),
        (("bench", "--lengths", "9" * 30), "--lengths must be"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(capsys, arguments, sentence):
    assert sentence in refused(capsys, *arguments)


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_loaded_or_run(capsys):
    both = ("--model", "/no/such/model", "--out", "/no/such/folder/run.npz")
    assert "/no/such/folder/run.npz cannot be written" in refused(capsys, "trace", "a", *both)


def test_a_folder_that_is_no_checkpoint_is_named(capsys, tmp_path):
    assert "not a checkpoint" in refused(capsys, "generate", "a", "--model", str(tmp_path))


def test_a_system_that_refuses_is_one_sentence(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert f"{tmp_path}/none" in refused(capsys, "generate", "a", "--model", "owner/model")


def test_bytes_on_standard_input_that_are_no_text_are_refused_with_their_place(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Once \xff upon"), "utf-8"))
    assert "5" in refused(capsys, "generate", "-")


def test_who_reads_only_the_beginning_gets_it_and_no_traceback():
    command = f"{sys.executable} -m gpt2 generate 'Once upon a time' --max-new-tokens 200 | head -c 5"
    told = subprocess.run(command, shell=True, capture_output=True, env=dict(os.environ), cwd=ROOT, check=True)
    assert told.stdout == b"Once " and b"Error" not in told.stderr
