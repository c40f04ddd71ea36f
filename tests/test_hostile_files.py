"""A file made to do harm is refused in one sentence, in little memory, whatever it says of itself."""

import io
import json
import math
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpt2.errors import TraceError
from gpt2.model.sampling import Sampling
from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace

pytestmark = pytest.mark.slow

Members = dict[str, np.ndarray]
Change = Callable[[dict[str, Any], Members], None]


@pytest.fixture(scope="module")
def short(engine) -> Trace:
    run = engine.start("The fox said")
    for _ in range(4):
        run.advance(Sampling(0.9, 50, 0.9, 7))
    return run.trace


@pytest.fixture(scope="module")
def squeezed(short) -> Trace:
    return replace(short, steps=tuple(step.squeezed(Level.NO_LOGITS) for step in short.steps))


def saved(trace: Trace) -> io.BytesIO:
    file = io.BytesIO()
    trace.save(file)
    file.seek(0)
    return file


def rewritten(trace: Trace, change: Change) -> io.BytesIO:
    """A sound file, its header and arrays changed by hand."""
    with np.load(saved(trace)) as arrays:
        members = dict(arrays)
    header = json.loads(members["header"].tobytes())
    change(header, members)
    if members["header"].size < 10**6:
        members["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    return packed(members)


def packed(members: Members) -> io.BytesIO:
    file = io.BytesIO()
    np.savez_compressed(file, **members)  # type: ignore[arg-type]
    file.seek(0)
    return file


def refusal(file: io.BytesIO, megabytes: float = 5) -> str:
    """The one sentence with which a file is refused, in at most so much memory."""
    tracemalloc.start()
    try:
        with pytest.raises(TraceError) as refused:
            Trace.load(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 1e6
    said = str(refused.value)
    assert "\n" not in said and len(said) < 400
    said.encode()
    return said


def sets(**arrays: np.ndarray) -> Change:
    return lambda _, members: members.update(arrays)


def test_text_that_unpacks_to_far_more_than_any_run_tells_is_not_unpacked(short):
    flood = np.frombuffer(b"[" + b"[]," * 7_000_000 + b"[]]", np.uint8)
    assert "header of this file has more than 4 MB" in refusal(rewritten(short, sets(header=flood)))
    assert "vocabulary of this file has more than 4 MB" in refusal(rewritten(short, sets(vocabulary=flood)))


def test_a_vocabulary_has_no_more_tokens_than_its_config(short):
    zeros = np.zeros(2 * 2049, np.uint8)
    assert "more than the 2048 tokens" in refusal(rewritten(short, sets(vocabulary=zeros)))


def test_text_within_its_bounds_takes_little_more_than_its_size(short):
    """The worst that four megabytes can ask for."""
    nested = np.frombuffer(b"[" + b"[]," * 1_300_000 + b"[]]", np.uint8)
    assert "not a whole trace" in refusal(rewritten(short, sets(header=nested)), megabytes=120)

    def empty_tokens(header: dict[str, Any], members: Members) -> None:
        header["config"]["vocab_size"] = 499_999
        members["vocabulary"] = np.zeros(3_900_000, np.uint8)

    assert "more than the 499999 tokens" in refusal(rewritten(short, empty_tokens), megabytes=20)


def zip_of(n_members: int, method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for index in range(n_members):
            archive.writestr(f"{index}.npy", b"")
        archive.comment = comment
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: zip_of(30_000), "far more parts"),
        # Its directory is told of in a larger record.
        pytest.param(lambda: zip_of(70_000), "not a whole trace", marks=pytest.mark.slow),
        (lambda: zip_of(1, comment=b"x" * 50), "not a whole trace"),
        (lambda: zip_of(1, zipfile.ZIP_LZMA), "not a whole trace"),
        (lambda: zip_of(1), "not a whole trace"),
        (lambda: io.BytesIO(b"PK\x05\x06" + bytes(18)), "not a whole trace"),
    ],
)
def test_a_directory_that_no_trace_has_is_not_read(made, sentence):
    assert sentence in refusal(made(), megabytes=1)


@pytest.mark.parametrize(
    ("kind", "shape"), [("<f4", "(1000000000000,)"), ("|V0", "(10000000000000,)"), ("<f4", "(-1,)"), ("|O", "(2,)")]
)
def test_an_array_that_tells_of_more_than_it_has_is_refused(kind, shape):
    told = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(told)) + told)
    file.seek(0)
    with pytest.raises(TraceError, match=r"^This file is not a whole trace; save it again\.$"):
        Trace.load(file)


def flat(
    seq: int, n_layer: int = 1, n_steps: int = 1, level: int = Level.STREAM, n_positions: int = 4096
) -> io.BytesIO:
    """A squeezed run of the narrowest model, all zeros: a thousandth of its size as a file."""
    sizes = {"vocab_size": 1, "n_positions": n_positions, "n_embd": 1, "n_layer": n_layer, "n_head": 1, "n_inner": 1}
    prompt = seq - n_steps + 1
    sampling = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 1}
    steps = [
        {
            "ids": [0] * (1 if index else prompt),
            "ms": 1.0,
            "timing": None,
            "draw": {"token": 0, "u": 0.5, "sampling": sampling},
            "interventions": {"scales": [], "additions": []} if index == 0 else None,
        }
        for index in range(n_steps)
    ]
    header = {
        "format": "gpt2-under-glass trace",
        "version": 4,
        "level": level,
        "first_logits": n_steps,
        "model": "x",
        "run_id": "x",
        "config": {**sizes, "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True},
        "lineage": None,
        "steps": steps,
    }
    stream = np.zeros((seq, 1), np.float32)
    ends = ("hook_resid_pre", "hook_resid_mid") if level == Level.STREAM else ("hook_resid_pre",)
    members: Members = {f"blocks.{layer}.{end}": stream for layer in range(n_layer) for end in ends}
    if level == Level.STREAM:
        triangle = np.zeros((1, seq * (seq + 1) // 2), np.float16)
        members |= {f"blocks.{layer}.attn.hook_pattern": triangle for layer in range(n_layer)}
    members |= {
        "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
        "vocabulary": np.frombuffer(b"\1\0a", np.uint8),
        "logits": np.zeros((0, 1), np.float32),
        "hook_embed": stream,
        "hook_pos_embed": stream,
        f"blocks.{n_layer - 1}.hook_resid_post": stream,
        "summary.norms": np.zeros((5, n_layer, seq), np.float32),
        "summary.value_norms": np.zeros((n_layer, seq, 1), np.float32),
        "summary.choice": np.zeros((n_steps, 2)),
    }
    return packed(members)


def test_a_packed_pattern_takes_its_own_size_and_no_square():
    file = flat(4000)
    assert len(file.getvalue()) < 100_000
    tracemalloc.start()
    try:
        read = Trace.load(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    packed_bytes = 4000 * 4001  # two bytes each for half of the square
    assert packed_bytes < read.nbytes < 1.1 * packed_bytes and peak < 3 * packed_bytes


def test_a_run_of_more_parts_than_any_is_refused():
    assert "too large for a file" in refusal(
        flat(1500, n_layer=500, n_steps=1500, level=Level.NO_PATTERNS), megabytes=20
    )
    assert "room for n_positions up to 4,096" in refusal(flat(20, n_positions=10**9))
    assert "room for 20" in refusal(flat(30, n_positions=20))


def test_a_run_is_refused_before_it_is_unpacked_where_it_may_not_be_so_large(short):
    file = saved(short)
    with zipfile.ZipFile(file) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    assert Trace.load(file, unpacked).ids == short.ids
    with pytest.raises(TraceError, match=r"unpacks to .* MB, more than the .* MB that can be opened here"):
        Trace.load(file, unpacked - 1)
    halves = io.BytesIO()
    short.save(halves, half=True)
    with pytest.raises(TraceError, match="too large for a file"):
        Trace.load(halves, unpacked * 2 // 3)  # it would take twice what it unpacks to


def lens_of(ranks: tuple[int, ...]) -> Change:
    def change(_: dict[str, Any], members: Members) -> None:
        rows = members["lens.tokens"].shape[:2]
        members["lens.tokens"] = np.zeros((*rows, *ranks), np.int32)
        members["lens.probabilities"] = np.zeros((*rows, *ranks), np.float32)

    return change


@pytest.mark.parametrize(("ranks", "sentence"), [((0,), "0 ranks"), ((65,), "65 ranks"), ((), "fit"), ((2, 2), "fit")])
def test_a_lens_has_some_ranks_and_not_many(short, ranks, sentence):
    assert sentence in refusal(rewritten(short, lens_of(ranks)), megabytes=10)


def holding(name: str, value: float) -> Change:
    def change(_: dict[str, Any], members: Members) -> None:
        members[name] = members[name].astype(np.float64)
        members[name].flat[0] = value

    return change


def scales(count: int) -> dict[str, Any]:
    return {"scales": [{"layer": 0, "head": 0, "factor": 0}] * count, "additions": []}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda header, _: header.update(model="\ud800"), "name that is no text"),
        (lambda header, _: header.update(run_id="\udfff"), "name that is no text"),
        (lambda header, _: header.update(run_id="x" * 5000), "far too long"),
        (lambda header, _: header.update(model=["x"]), "name that is no text"),
        (lambda header, _: header.update(lineage={"parent": "\ud800", "steps": 1}), "name that is no text"),
        (lambda header, _: header.update(version="\ud800" * 100_000), "has version"),
        (lambda header, _: header["config"].update(n_head="9" * 100_000), "n_head must be"),
        (lambda header, _: header["steps"][1].update(ms=1.5e308), "where a number"),
        (lambda header, _: header["steps"][1]["timing"].update(model=1e9), "where a number"),
        (lambda header, _: header["steps"][1].update(draw=None), "do not follow"),
        (lambda header, _: header["steps"][0].update(interventions=None), "not a whole trace"),
        (lambda header, _: header["steps"][0].update(interventions=scales(10_001)), "at most 10,000 changes"),
        (lambda header, _: header["config"].update(n_embd=8 * 10**9, n_inner=1), "too large for a file"),
        (holding("hook_embed", 3e38), "hook_embed .* no run leaves behind"),
        (holding("logits", -1e16), "logits .* no run leaves behind"),
        (holding("blocks.1.attn.hook_attn_scores", math.inf), "attn_scores .* not finite"),
        (holding("blocks.1.attn.hook_pattern", -0.5), "hook_pattern .* no run leaves behind"),
        (holding("blocks.1.attn.hook_pattern", 1.5), "hook_pattern .* no run leaves behind"),
        (holding("lens.probabilities", 2.0), "no probability"),
    ],
)
def test_what_would_break_a_page_is_refused(short, change, sentence):
    with pytest.raises(TraceError, match=sentence):
        Trace.load(rewritten(short, change))
    refusal(rewritten(short, change), megabytes=20)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (holding("summary.choice", 1e300), "entropy or a surprisal"),
        (holding("summary.choice", math.nan), "entropy or a surprisal"),
        (holding("summary.choice", 11.1), "entropy or a surprisal"),  # of 2,048 tokens at most 11 bits
        (lambda _, members: members["summary.choice"].__setitem__((1, 1), 1101), "entropy or a surprisal"),
        (lambda _, members: members["summary.choice"].__setitem__((1, 1), math.nan), "none where something was"),
        (holding("summary.norms", -1.0), "summary.norms .* no run leaves behind"),
        (holding("blocks.1.attn.hook_pattern", 1e6), "hook_pattern .* no run leaves behind"),
    ],
)
def test_what_would_break_a_page_is_refused_in_a_squeezed_run_too(squeezed, change, sentence):
    assert Trace.load(saved(squeezed)).ids == squeezed.ids
    with pytest.raises(TraceError, match=sentence):
        Trace.load(rewritten(squeezed, change))
