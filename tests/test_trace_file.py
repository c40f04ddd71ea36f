"""A saved run is the run; a damaged file is refused and never believed."""

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt2.errors import TraceError
from gpt2.model.interventions import Addition, Interventions, Scale
from gpt2.model.sampling import Sampling
from gpt2.text.vocabulary import Vocabulary
from gpt2.trace.captures import Level
from gpt2.trace.file import TEXT_BYTES
from gpt2.trace.norms import stream_read
from gpt2.trace.trace import Trace


def saved(trace: Trace, half: bool = False) -> bytes:
    file = io.BytesIO()
    trace.save(file, half)
    return file.getvalue()


@pytest.fixture(scope="module")
def short(engine) -> Trace:
    run = engine.start("The fox said")
    for _ in range(3):
        run.advance(Sampling(0.9, 50, 0.9, 7))
    return run.branch(2)


def test_a_run_read_back_is_the_same_run(short):
    read = Trace.load(io.BytesIO(saved(short)))
    for name in short.axes:
        np.testing.assert_array_equal(read[name], short[name], err_msg=name)
    assert read.ids == short.ids and read.text == short.text
    assert [step.draw for step in read.steps] == [step.draw for step in short.steps]
    assert (read.run_id, read.lineage, read.config, read.model) == (
        short.run_id,
        short.lineage,
        short.config,
        short.model,
    )
    np.testing.assert_array_equal(read.steps[1].lens.tokens, short.steps[1].lens.tokens)


def test_a_file_of_version_4_is_read_with_its_times(short):
    """There "storing" was called "keeping"."""
    with np.load(io.BytesIO(saved(short))) as arrays:
        members = dict(arrays)
    header = json.loads(members["header"].tobytes())
    header["version"] = 4
    for step in header["steps"]:
        step["timing"]["keeping"] = step["timing"].pop("storing")
    members["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **members)
    file.seek(0)
    assert [step.timing for step in Trace.load(file).steps] == [step.timing for step in short.steps]


def test_a_file_of_version_5_is_read_with_todays_meaning_of_the_norms(checkpoint):
    """There `hook_normalized` was a norm's output, after gain and bias, and there was no `hook_scale`."""
    file = Path(__file__).parent / "runs" / "version5.npz"
    read = Trace.load(file)
    with np.load(file) as arrays:
        for name in (name for name in read.axes if name.endswith("hook_normalized")):
            norm = "ln_f" if name.startswith("ln_final") else f"h.{name.split('.')[1]}.ln_{name.split('ln')[1][0]}"
            gain, shift = (checkpoint.weights[f"{norm}.{part}"] for part in ("weight", "bias"))
            output = arrays[name].astype(np.float32)
            np.testing.assert_allclose(read[name] * gain + shift, output, atol=2e-2, err_msg=name)
            assert not np.allclose(read[name], output, atol=2e-2)
            scale = read[name.replace("normalized", "scale")]
            stream = read[stream_read(name, read.config.n_layer)]
            np.testing.assert_allclose(read[name] * scale[:, None], stream - stream.mean(1, keepdims=True), atol=1e-4)
    assert "hook_scale" not in str(np.load(file).files)


def test_a_file_says_whose_names_it_uses(short):
    with np.load(io.BytesIO(saved(short))) as arrays:
        assert json.loads(arrays["header"].tobytes())["activations"] == "TransformerLens 4"


def test_interventions_are_kept(engine):
    changes = Interventions((Scale(1, 2, 0.0, (0, 2)), Scale(3, None, 0.5)), (Addition(2, (0.25,) * 256, (1,)),))
    trace = engine.run("The hen", changes)
    assert Trace.load(io.BytesIO(saved(trace))).steps[0].interventions == changes


def test_a_run_made_with_numpys_numbers_and_arrays_is_read_back_equal(engine, short):
    added = Addition(np.int64(3), short["blocks.3.hook_resid_post"][-1], np.arange(2))
    changes = Interventions(
        [Scale(np.int32(2), np.uint8(1), np.float32(0.1), [0]), Scale(1, None, np.float64(2))], [added]
    )
    run = engine.start("Once", changes)
    run.advance(Sampling(np.float32(0.8), np.int64(40), np.float16(0.9), np.uint8(3)))
    read = Trace.load(io.BytesIO(saved(run.trace)))
    assert read.steps[0].interventions == changes
    assert read.steps[0].draw == run.trace.steps[0].draw


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_is_named_by_text_or_by_a_path(short, tmp_path, kind):
    file = kind(tmp_path / "run.npz")
    short.save(file)
    assert Trace.load(file).ids == short.ids
    with pytest.raises(TraceError, match=r"none\.npz does not exist"):
        Trace.load(kind(tmp_path / "none.npz"))


def test_half_precision_stays_within_its_rounding_and_keeps_every_draw(short):
    read = Trace.load(io.BytesIO(saved(short, half=True)))
    assert read.ids == short.ids
    for name in short.axes:
        whole, half = short[name], read[name]
        finite = np.isfinite(whole)
        np.testing.assert_array_equal(np.isfinite(half), finite)
        np.testing.assert_allclose(half[finite], whole[finite], rtol=1e-3, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(read["logits"], short["logits"])


def test_a_run_without_steps_cannot_be_saved(short):
    with pytest.raises(TraceError, match="no steps yet"):
        saved(short.cut(0))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_unchanged(short, data):
    """Flipped bytes and cuts anywhere: one clear error, or, in a byte that means nothing, the very same run."""
    whole = bytearray(saved(short))
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        damaged = bytes(whole[:at])
    else:
        whole[at] ^= data.draw(st.integers(1, 255))
        damaged = bytes(whole)
    try:
        read = Trace.load(io.BytesIO(damaged))
    except TraceError as error:
        assert "\n" not in str(error).strip()
    else:
        assert read.ids == short.ids
        np.testing.assert_array_equal(read["logits"], short["logits"])


@pytest.mark.parametrize("junk", [b"", b"no zip", b"\x80\x04K\x01.", b"PK\x03\x04" + bytes(40)])
def test_what_is_no_trace_is_refused(junk):
    with pytest.raises(TraceError):
        Trace.load(io.BytesIO(junk))


def test_an_array_file_with_a_pickle_inside_is_refused(short):
    with np.load(io.BytesIO(saved(short))) as arrays:
        members = dict(arrays)
    members["hook_embed"] = np.array([{"a": 1}], dtype=object)
    file = io.BytesIO()
    np.savez_compressed(file, **members)
    with pytest.raises(TraceError):
        Trace.load(io.BytesIO(file.getvalue()))


def rewritten(trace: Trace, change: Callable[[dict, dict], None]) -> io.BytesIO:
    """A sound file, its header and arrays changed by hand."""
    with np.load(io.BytesIO(saved(trace))) as arrays:
        members = dict(arrays)
    header = json.loads(members["header"].tobytes())
    change(header, members)
    members["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **members)
    file.seek(0)
    return file


@pytest.mark.parametrize("change", [{"version": 99}, {"format": "something else"}])
def test_other_formats_and_versions_are_named(short, change):
    with pytest.raises(TraceError, match=r"version 99|not a trace"):
        Trace.load(rewritten(short, lambda header, _: header.update(change)))


def spoil(name: str, value: float) -> Callable[[dict, dict], None]:
    def change(_: dict, members: dict) -> None:
        members[name] = members[name].copy()
        members[name].flat[0] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda header, _: header["steps"][0]["draw"]["sampling"].update(top_k=99_999), "vocabulary has only"),
        (lambda header, _: header["steps"][0]["draw"].update(u=math.nan), "where a number"),
        (lambda header, _: header["steps"][0]["draw"].update(u=1.0), "where a number"),
        (lambda header, _: header["steps"][0].update(ms=math.inf), "where a number"),
        (lambda header, _: header["steps"][0]["draw"].update(token=5), "do not follow"),
        (lambda header, _: header["steps"][1].update(ids=[]), "do not follow"),
        (lambda header, _: header.update(steps=[]), "do not follow"),
        (lambda header, _: header["steps"][0]["interventions"].update(scales=[vars(Scale(99, 0, 0.0))]), "no layer 99"),
        (spoil("logits", math.nan), "logits .* not finite"),
        (spoil("blocks.1.attn.hook_pattern", math.inf), "hook_pattern .* not finite"),
        (spoil("blocks.1.attn.hook_attn_scores", math.nan), "hook_attn_scores .* not finite"),
        (spoil("lens.drawn", math.nan), "lens .* not finite"),
        (lambda _, members: members.update({"lens.drawn": members["lens.drawn"].astype(str)}), "lens .* not finite"),
    ],
)
def test_what_no_run_can_have_left_behind_is_refused(short, change, sentence):
    with pytest.raises(TraceError, match=sentence):
        Trace.load(rewritten(short, change))


def test_a_small_file_cannot_ask_for_more_layers_than_it_holds(short):
    file = rewritten(short, lambda header, _: header["config"].update(n_layer=500))
    with pytest.raises(TraceError, match="too few captures"):
        Trace.load(file)


def test_what_a_full_run_of_gpt_2_tells_fits(short):
    """1,024 steps and 50,257 tokens."""
    step, tokens = short.steps[-1], Vocabulary(tuple(b"token%d" % index for index in range(50_257)))
    bare = step.squeezed(Level.NO_PATTERNS)
    config = replace(short.config, n_positions=1024)
    steps = [replace(bare, ids=(step.draw.token,), start=index) for index in range(1024)]
    read = Trace.load(io.BytesIO(saved(replace(short, config=config, steps=tuple(steps)))))
    assert len(read.steps) == 1024
    assert Vocabulary.from_bytes(tokens.to_bytes(), 50_257) == tokens
    assert len(tokens.to_bytes()) < TEXT_BYTES["vocabulary"] // 5


def test_interventions_are_written_once_where_they_stay_the_same(engine):
    vector = tuple(np.random.default_rng(3).normal(size=256))
    run = engine.start("The hen", Interventions(additions=tuple(Addition(layer, vector) for layer in range(6))))
    for _ in range(5):
        run.advance(Sampling(0))
    file = io.BytesIO(saved(run.trace))
    with np.load(file) as arrays:
        assert arrays["header"].size < 40_000
    read = Trace.load(file)
    assert [step.interventions for step in read.steps] == [step.interventions for step in run.trace.steps]


def test_what_could_not_be_read_back_is_not_written(short):
    named = replace(short, config=replace(short.config, n_positions=10_000))
    with pytest.raises(TraceError, match="room for n_positions up to 4,096"):
        saved(named)
    long = replace(short, vocabulary=Vocabulary((b"x" * 50_000,) * 100))
    with pytest.raises(TraceError, match="vocabulary of this run is too large"):
        saved(long)
