"""The benchmark's report adds up, its visitors' texts are compared, and it leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import gpt2
from gpt2.bench.comparison import checked_lengths
from gpt2.bench.subject import subject
from gpt2.bench.table import LABELS, table
from gpt2.bench.timing import Effort, Timing, Way, interleaved
from gpt2.bench.visitors import Visit, Visitor, count_equal
from gpt2.checkpoints.catalog import KNOWN, Known
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.engine.settings import cores
from gpt2.errors import SettingsError
from gpt2.model.config import GPT2Config
from gpt2.model.sampling import Sampling
from tests import command_line
from tests.cores import one_core
from tests.source_tree import python

ROOT = Path(gpt2.__file__).parent.parent
TINY = GPT2Config(300, 32, 16, 2, 2, 64)
ALONE_ROWS = [("step", 12), ("decode", 12), ("prefill", 12), ("run", 20), ("cold start", None), ("load", None)]


def said(capsys, *arguments: str) -> dict:
    return command_line.said(capsys, "bench", *arguments, "--json")


@pytest.fixture(scope="module")
def found() -> dict:
    """One quick comparison at two lengths, through the command line."""
    with one_core():
        told = subprocess.run(
            [sys.executable, "-m", "gpt2", "bench", "--quick", "--lengths", "60", "20", "--json"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=dict(os.environ),  # Python's own copy: MAX leaves variables in the process that name another home
        )
    assert told.returncode == 0, told.stderr[-2000:]
    return json.loads(told.stdout)


@pytest.mark.slow
def test_every_piece_of_work_is_reported_once_for_each_length(found):
    expected = [(what, length) for what in ("step", "decode", "prefill") for length in (20, 60)]
    expected += [("run", 20), ("cold start", None), ("load", None)]
    assert [(row["what"], row["length"]) for row in found["rows"]] == expected
    keys = {"what", "length", "ours_ms", "hf_outputs_ms", "hf_plain_ms", "ratio", "ratio_plain", "limit"}
    assert all(set(row) == keys for row in found["rows"])


@pytest.mark.slow
def test_every_ratio_is_the_quotient_of_medians_and_no_minimum_is_above_its_median(found):
    for row in found["rows"]:
        for side, ratio in (("hf_outputs_ms", row["ratio"]), ("hf_plain_ms", row["ratio_plain"])):
            theirs = row[side]
            if theirs is None:
                assert ratio is None
            else:
                assert ratio == pytest.approx(theirs["median"] / row["ours_ms"]["median"], abs=1e-3)
                assert 0 < theirs["min"] <= theirs["median"]
        assert 0 < row["ours_ms"]["min"] <= row["ours_ms"]["median"]
        if row["limit"] is not None:
            assert row["limit"] == pytest.approx(found["weights_read_ms"] / row["ours_ms"]["median"], abs=1e-3)
    assert {row["what"] for row in found["rows"] if row["limit"] is not None} == {"step", "decode"}
    cache = found["without_cache"]
    assert cache["length"] == 256
    assert cache["ratio"] == pytest.approx(cache["recomputed_ms"]["median"] / cache["cached_ms"]["median"], abs=1e-3)


@pytest.mark.slow
def test_transformers_stands_beside_all_work_with_and_without_outputs(found):
    for row in found["rows"]:
        assert row["hf_outputs_ms"], row["what"]
        assert bool(row["hf_plain_ms"]) == (row["what"] not in ("cold start", "load"))
    assert found["missing"] == ""


@pytest.mark.slow
def test_tokens_a_second_are_those_of_the_run(found):
    run = next(row for row in found["rows"] if row["what"] == "run")
    for side, rate in found["tokens_per_s"].items():
        assert rate * run[f"{side}_ms"]["median"] == pytest.approx(1000, rel=1e-2)
    assert set(found["tokens_per_s"]) == {"ours", "hf_outputs", "hf_plain"}
    assert set(found["run_parts_ms"]) == {"model", "lens_draw_and_trace"}


@pytest.mark.slow
def test_both_programs_did_the_same_work(found):
    assert found["largest_logits_difference"] < 1e-4


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="a process cannot be held on a core here")
def test_on_one_core_both_programs_have_one_thread() -> None:
    """With a second one transformers would be timed while its threads wait for each other."""
    core = min(os.sched_getaffinity(0))
    assert python(f"import os\nos.sched_setaffinity(0, {{{core}}})\n{ON_ONE_CORE}").split() == ["1", "1"]


ON_ONE_CORE = """
import torch
from gpt2.bench.machine import machine
from gpt2.bench.sides import load_reference
from gpt2.checkpoints.hub import BUNDLED
load_reference(BUNDLED)
print(torch.get_num_threads(), machine()["cores"])
"""


@pytest.mark.slow
def test_the_report_tells_what_where_and_with_which_versions(found):
    assert found["model"]["name"] == "bundled" and found["model"]["parameters"] == 5_394_432
    assert not found["model"]["random_weights"] and found["compile_s"] is None
    with one_core():
        assert found["machine"]["cores"] == cores()
    assert found["machine"]["cpu"]
    assert set(found["versions"]) == {"python", "max", "numpy", "torch", "transformers"}
    memory = found["memory_mb"]
    assert set(memory) == {"ours", "hf_outputs", "here"}
    for side in ("ours", "hf_outputs"):
        assert memory[side]["peak"] >= memory[side]["first_token"] > 50
    assert memory["here"]["peak"] >= memory["here"]["loaded"] > 50


@pytest.mark.slow
def test_the_table_holds_every_row_and_the_medians(found):
    lines = table(found).splitlines()
    for row in found["rows"]:
        length = "" if row["length"] is None else str(row["length"])
        line = next(line for line in lines if line.startswith(f"{LABELS[row['what']]:18}{length:>7}"))
        share = "" if row["limit"] is None else f"{row['limit']:.0%}"
        assert line.endswith(f"{row['ratio']:.2f} x{share:>10}".rstrip())


@pytest.mark.slow
def test_without_transformers_ours_is_measured_all_the_same(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    told = said(capsys, "--quick", "--lengths", "12")
    assert [(row["what"], row["length"]) for row in told["rows"]] == ALONE_ROWS
    for row in told["rows"]:
        assert row["ours_ms"]["median"] > 0
        assert row["hf_outputs_ms"] is row["hf_plain_ms"] is row["ratio"] is None
    assert "needs transformers" in told["missing"] and "tests/requirements.txt" in told["missing"]
    assert told["largest_logits_difference"] is None
    assert told["missing"] in table(told)


def test_ways_are_timed_in_turn_each_made_ready_first():
    done = []
    ways = {
        name: Way(lambda name=name: done.append(name), lambda name=name: done.append(f"ready {name}"))
        for name in ("ours", "theirs")
    }
    timings = interleaved(ways, Effort(warm_ups=1, repetitions=2, least=1, seconds=60))
    assert done == ["ready ours", "ours", "ready theirs", "theirs"] * 3
    assert set(timings) == {"ours", "theirs"}


def test_measuring_stops_once_its_time_is_over_but_not_before_the_least():
    done = []
    interleaved({"ours": Way(lambda: done.append(1))}, Effort(warm_ups=0, repetitions=50, least=3, seconds=0))
    assert len(done) == 3


def test_a_timing_is_the_median_and_the_minimum():
    assert Timing.of([5.0, 1.0, 9.0]).to_dict() == {"median": 5.0, "min": 1.0}


def test_lengths_that_fit_are_chosen_by_themselves():
    assert checked_lengths(None, GPT2Config(50257, 1024, 768, 12, 12, 3072)) == [100, 400, 900]
    assert checked_lengths(None, GPT2Config(2048, 512, 256, 6, 8, 1024)) == [100, 400]
    assert checked_lengths(None, TINY) == [16]
    with pytest.raises(SettingsError, match="too short"):
        checked_lengths(None, GPT2Config(300, 3, 16, 2, 2, 64))


def test_a_size_without_weights_is_measured_with_random_ones_that_do_not_stay(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setitem(KNOWN, "gpt2", Known("nobody/has-this", "Tiny", TINY, 0))
    told: list[str] = []
    with subject("gpt2", told.append) as measured:
        assert (measured.is_random, measured.config) == (True, TINY)
        assert load_checkpoint(measured.folder).config == TINY
    assert not measured.folder.exists()
    assert "random ones" in told[0]


@pytest.mark.slow
def test_visitors_at_once_get_the_texts_that_they_get_alone(capsys):
    told = said(capsys, "--visitors", "4", "--runs", "10", "--tokens", "6")["visitors"]
    assert (told["visitors"], told["runs"], told["tokens_each"]) == (4, 10, 6)
    assert (told["equal_texts"], told["errors"], told["passed"]) == (10, 0, True)
    for which in ("alone", "at_once"):
        for wait in ("first_token_ms", "token_ms"):
            assert 0 < told[which][wait]["p50"] <= told[which][wait]["p95"]
    memory = told["memory_mb"]
    assert [kept["runs"] for kept in memory["after_runs"]] == [0, 10]
    assert memory["peak"] >= memory["max"] >= max(memory["first"], memory["last"])


@pytest.mark.slow
def test_memory_is_told_every_20_runs(capsys):
    told = said(capsys, "--visitors", "10", "--runs", "45", "--tokens", "1")
    assert [kept["runs"] for kept in told["visitors"]["memory_mb"]["after_runs"]] == [0, 20, 40, 45]
    assert "passed" in table(told)


def test_visitors_wish_for_different_things():
    wishes = [Visitor.number(number, TINY) for number in range(40)]
    assert len({wish.prompt for wish in wishes}) > 20
    assert len({wish.sampling for wish in wishes}) == 40
    assert all(0 < len(wish.prompt) <= TINY.n_positions // 2 for wish in wishes)


def test_another_text_or_an_error_is_not_equal():
    alone = [Visit(ids=(1, 2), text="ab"), Visit(ids=(1, 3), text="ac")]
    assert count_equal(alone, alone * 2) == 4
    assert count_equal(alone, [alone[0], alone[0], Visit(error="full"), Visit(ids=(1, 3), text="ab")]) == 1


def test_a_visitor_who_cannot_be_served_is_counted_and_nobody_else_is_disturbed(engine):
    visit = Visit()
    visit.make(engine, Visitor("", Sampling()), 3, threading.Event())
    assert visit.error.startswith("PromptError") and visit.tokens == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--lengths", "512"), "--lengths must be 1 to 511"),
        (("--lengths", "0"), "--lengths must be 1 to 511"),
        (("--lengths", "long"), "--lengths"),
        (("--visitors", "0"), "--visitors"),
        (("--visitors", "5000"), "--visitors"),
        (("--runs", "0"), "--runs"),
        (("--visitors", "2", "--tokens", "0"), "--tokens"),
        (("--tokens", "5"), "give --visitors"),
        (("--visitors", "2", "--quick"), "--quick"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(capsys, arguments, sentence):
    assert sentence in command_line.refused(capsys, "bench", *arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model", "distilgpt2"), b"random ones"),
        (("--visitors", "3", "--runs", "1000000", "--tokens", "20"), b"at once"),
    ],
)
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_it_with_status_130_and_leaves_nothing(tmp_path, arguments, sentence):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "gpt2", "bench", *arguments]
    with (
        one_core(),
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child,
    ):
        try:
            line = next(line for line in child.stderr if sentence in line)
            child.send_signal(signal.SIGINT)
            out, rest = child.communicate(timeout=120)
        finally:
            child.kill()
    assert line.endswith(b"\n")
    assert (child.returncode, out, rest) == (130, b"", b"")
    assert not list(tmp_path.glob("gpt2-*"))
