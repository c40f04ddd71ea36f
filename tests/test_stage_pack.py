"""What the stage is sent: numbers straight from the trace, each step once, and sentences that quote their own data."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from gpt2.model.sampling import Sampling, draw
from gpt2.reading.tables import Tables
from gpt2.trace.step import StepId
from gpt2.trace.trace import Step, Trace
from pages.look.tokens import spoken
from pages.stage import sentences
from pages.stage.actions import Pause, Play, Settings
from pages.stage.message import MAX_MESSAGE_BYTES, RECENT, REPEATS, BrowserState, encode_message
from pages.stage.pack import (
    CUT_BY_TOP_K,
    CUT_BY_TOP_P,
    FULL,
    KEPT,
    PATTERN_WINDOW,
    pack_step,
    pattern_window,
    shared_characters,
    split,
)
from pages.stage.record_cache import RecordCache
from tests.messages import read, snapshot


def bold(sentence: tuple[str, ...] | list[str]) -> list[str]:
    return [part for n, part in enumerate(sentence) if n % 2]


@pytest.mark.parametrize("index", [0, 1, 7])
def test_pattern_rows_are_the_traces_within_one_65535th(trace: Trace, index: int) -> None:
    meta, arrays = split(pack_step(trace, index, None))
    step = trace.steps[index]
    assert (meta["start"], meta["stop"]) == (step.start, step.stop)
    for layer in range(trace.config.n_layer):
        pattern = step.captures[f"blocks.{layer}.attn.hook_pattern"]  # [head, query, key]
        sent = arrays["pattern"][layer] / FULL  # [head, row, width]; the last column is the query itself
        for row in range(sent.shape[1]):
            keys = step.start + row + 1
            np.testing.assert_allclose(sent[:, row, -keys:], pattern[:, row, :keys], atol=0.5 / FULL + 1e-7)
            assert not sent[:, row, :-keys].any()
        np.testing.assert_allclose(arrays["first"][layer] / FULL, pattern[:, :, 0], atol=0.5 / FULL + 1e-7)


def test_a_long_row_is_sent_with_its_last_keys_and_its_first() -> None:
    patterns = np.random.default_rng(0).dirichlet(np.ones(300), size=(2, 3, 1)).astype(np.float32)
    window, first = pattern_window(patterns, 299)
    assert window.shape == (2, 3, 1, PATTERN_WINDOW)
    np.testing.assert_allclose(window / FULL, patterns[..., -PATTERN_WINDOW:], atol=1 / FULL)
    np.testing.assert_allclose(first / FULL, patterns[..., 0], atol=1 / FULL)


def test_the_strongest_key_of_a_head_is_found_before_the_window_too(engine) -> None:
    run = engine.start("The old woman went to the well and there was a fox. " * 20)
    run.advance(None)
    step = run.trace.steps[0]
    _, arrays = split(pack_step(run.trace, 0, None))
    assert step.stop > PATTERN_WINDOW
    for layer, head in np.ndindex(run.trace.config.n_layer, run.trace.config.n_head):
        row = step.captures[f"blocks.{layer}.attn.hook_pattern"][head, -1]
        key = int(arrays["strongest"][layer, head])
        assert row[key] == row.max() == arrays["strongest_share"][layer, head]


def test_embedding_and_norms_are_those_of_the_newest_position(trace: Trace) -> None:
    meta, arrays = split(pack_step(trace, 0, None))
    captures = trace.steps[0].captures
    token, position = captures["hook_embed"][-1], captures["hook_pos_embed"][-1]
    np.testing.assert_array_equal(arrays["embedding"], np.stack([token, position, token + position]))
    after = [np.linalg.norm(captures[f"blocks.{n}.hook_resid_post"][-1]) for n in range(trace.config.n_layer)]
    np.testing.assert_allclose(arrays["norms"][4], after, rtol=1e-5)
    assert meta["ids"] == list(trace.prompt_ids)
    assert meta["labels"] == [trace.vocabulary.label(token) for token in trace.prompt_ids]


def test_a_record_tells_the_bytes_of_its_tokens_and_the_characters_that_end_in_it(engine) -> None:
    run = engine.start("A 😀")
    run.advance(Sampling(seed=1))
    labels = [run.trace.vocabulary.label(token) for token in range(len(run.trace.vocabulary))]
    face = [labels.index(part) for part in ("⟨f0⟩", "⟨9f⟩", "⟨98⟩", "⟨80⟩")]
    prompt, _ = split(pack_step(run.trace, 0, None))
    assert "".join(prompt["bytes"]) == "A 😀".encode().hex()
    assert prompt["split"] == [[len(prompt["ids"]) - 4, len(prompt["ids"]) - 1, "😀 (⟨f0 9f 98 80⟩)"]]
    assert prompt["next"]["bytes"] == run.trace.vocabulary[prompt["next"]["token"]].hex()

    # A face that is drawn byte by byte: the record of the step that draws its last byte tells of it first.
    (step,), text = run.trace.steps, [32, *face, 32]
    steps = [
        replace(step, start=n, ids=(token,), draw=replace(step.draw, token=after))
        for n, (token, after) in enumerate(itertools.pairwise(text))
    ]
    drawn = replace(run.trace, steps=tuple(steps))
    told = [shared_characters(drawn.cut(n + 1), n) for n in range(5)]
    assert told == [[], [], [], [[1, 4, "😀 (⟨f0 9f 98 80⟩)"]], [[1, 4, "😀 (⟨f0 9f 98 80⟩)"]]]


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.7, 5, 1.0, 3), Sampling(1.3, 40, 0.5, 4), Sampling(0.0)])
def test_bars_and_segments_are_the_distribution(trace: Trace, sampling: Sampling) -> None:
    newest = trace.steps[3]
    step = replace(newest, draw=draw(newest.logits, sampling, newest.stop))
    meta, _ = split(pack_step(trace.cut(3).append(step), 3, None))
    distribution, sent = step.distribution, meta["next"]
    for bar in sent["bars"]:
        token = bar["token"]
        assert (bar["raw"], bar["final"]) == (distribution.raw[token], distribution.final[token])
        assert bar["rank"] == distribution.rank(token)
        cut_by_k, cut = distribution.after_top_k[token] == 0, distribution.final[token] == 0
        assert bar["cut"] == (CUT_BY_TOP_K if cut_by_k else CUT_BY_TOP_P if cut else KEPT)
    assert [bar["token"] for bar in sent["bars"] if bar["chosen"]] == [step.draw.token]
    assert sum(share for _, share, _ in sent["segments"]) + sent["rest"] == pytest.approx(1, abs=1e-9)
    assert sent["from"] <= step.draw.u < sent["to"] or sampling.temperature == 0


def test_the_drawn_token_is_among_the_bars_even_if_unlikely(trace: Trace) -> None:
    newest = trace.steps[3]
    order = replace(newest, draw=draw(newest.logits, Sampling(), newest.stop)).distribution.order
    unlikely = int(order[200])
    step = replace(newest, draw=replace(draw(newest.logits, Sampling(), newest.stop), token=unlikely))
    bars = split(pack_step(trace.cut(3).append(step), 3, None))[0]["next"]["bars"]
    assert (len(bars), bars[-1]["token"], bars[-1]["rank"], bars[-1]["chosen"]) == (17, unlikely, 201, True)


def test_sentences_quote_the_numbers_of_their_step(trace: Trace) -> None:
    for index in range(len(trace.steps)):
        meta, arrays = split(pack_step(trace, index, None))
        says, sent = meta["says"], meta["next"]
        layer, head, key = meta["sharpest"]
        newest = arrays["pattern"][layer, head, -1]
        share = newest[-1 - (meta["stop"] - 1 - key)] / FULL
        assert bold(says["heads"])[0] == f"L{layer}·H{head}"
        assert f"({100 * share:.0f}\N{NARROW NO-BREAK SPACE}%)" in "".join(says["heads"])
        assert share == max(arrays["pattern"][:, :, -1, -(meta["stop"] - 1) :].max() / FULL, 0)
        largest = max(arrays["norms"][1].max(), arrays["norms"][3].max())
        assert f"norm {largest:.1f}" in "".join(says["residual"])
        assert bold(says["bars"])[0] == f"{sent['entropy']:.2f}\N{NO-BREAK SPACE}bits"
        assert bold(says["bars"])[1].replace("\N{NO-BREAK SPACE}", " ") == f"u = {sent['u']:.3f}"
        assert bold(says["draw"])[0] == spoken(sent["label"])
        if sent["rank"] > 1:
            assert f"below {sent['from']:.3f}" in "".join(says["draw"])


def test_the_lens_sentence_names_the_layer_from_which_the_leader_stays_on_top() -> None:
    assert sentences.lead_from(np.array([5, 3, 9, 9, 9])) == 2
    assert sentences.lead_from(np.array([9, 9])) == 0
    assert sentences.lead_from(np.array([9, 9, 4])) == 2


def test_nearest_tokens_come_from_the_tables(trace: Trace) -> None:
    wte = np.random.default_rng(1).normal(size=(trace.config.vocab_size, 8)).astype(np.float32)
    tables = Tables(wte, wte)
    sent = split(pack_step(trace, 2, tables))[0]["nearest"]
    expected = tables.nearest(trace.steps[2].ids[-1], 4)
    assert sent == [[trace.vocabulary.label(token), pytest.approx(cosine)] for token, cosine in expected]


def test_a_record_does_not_depend_on_later_steps(trace: Trace) -> None:
    assert pack_step(trace, 4, None) == pack_step(trace.cut(5), 4, None)


def test_a_step_is_packed_once_and_a_resampled_one_gets_a_new_stamp(trace: Trace) -> None:
    records = RecordCache()
    assert records.record(trace, 2, None) is records.record(trace.branch(5), 2, None)
    again = replace(trace.steps[2], identity=StepId())
    assert records.stamp(again) != records.stamp(trace.steps[2])
    assert records.stamp(trace.steps[2]) == records.stamp(trace.steps[2])


def test_the_shelf_forgets_the_least_recently_used(trace: Trace) -> None:
    records = RecordCache(max_records=5)
    kept = [records.record(trace, index, None) for index in range(10)][-5:]
    assert (len(records), records.nbytes) == (5, sum(len(record) for record in kept))
    tight = RecordCache(max_bytes=3 * len(kept[-1]))
    for index in range(10):
        tight.record(trace, index, None)
    assert 1 <= len(tight) <= 3 and tight.nbytes <= 3 * len(kept[-1])


def test_a_message_parses_and_brings_every_step_until_the_browser_has_had_it_often_enough(trace: Trace) -> None:
    browser, cache = BrowserState(), RecordCache()
    header, records = read(encode_message(snapshot(trace), "live", browser, cache))
    assert header["labels"] == [trace.vocabulary.label(token) for token in trace.ids]
    assert header["prompt"] == "<b>&\n"
    stamps = header["stamps"]
    for stamp, record in records.items():
        assert split(record)[0]["start"] == trace.steps[stamps.index(stamp)].start
    seen = set(records)
    for _ in range(20):
        _, records = read(encode_message(snapshot(trace), "live", browser, cache))
        seen |= set(records)
    assert seen == set(stamps) and not records
    assert all(browser.sent[stamp] == REPEATS for stamp in stamps[-RECENT:])


def test_what_the_browser_asks_for_comes_first_and_messages_stay_small(trace: Trace) -> None:
    browser, records = BrowserState(), RecordCache()
    browser.sent.update({records.stamp(step): 9 for step in trace.steps})
    asked = [{"serial": 1, "name": "need", "values": {"run_id": trace.run_id, "steps": [3, 999, "x", 1]}}]
    assert browser.take(asked) == ()
    parcel = encode_message(snapshot(trace), "strip", browser, records)
    header, records = read(parcel)
    assert list(records) == [header["stamps"][3], header["stamps"][1]]
    assert len(parcel) < MAX_MESSAGE_BYTES + 100_000
    assert header["echo"] == 1


def test_the_records_of_a_message_that_was_lost_go_out_again_and_no_others(trace: Trace) -> None:
    """Two messages that come together: the browser shows the second, which had the newest steps alone."""
    browser, records = BrowserState(), RecordCache()
    lost, shown = (read(encode_message(snapshot(trace), "live", browser, records)) for _ in range(2))
    assert set(lost[1]) == set(lost[0]["stamps"]) and len(shown[1]) == RECENT
    tick = {"serial": 1, "name": "tick", "values": {"seen": [shown[0]["number"]]}}
    assert browser.take([tick]) == ()
    _, again = read(encode_message(snapshot(trace), "live", browser, records))
    assert set(again) == set(lost[1])
    numbers = [shown[0]["number"], browser.number]
    browser.take([{"serial": 2, "name": "tick", "values": {"seen": numbers}}])
    assert not read(encode_message(snapshot(trace), "live", browser, records))[1].keys() - set(
        lost[0]["stamps"][-RECENT:]
    )


@pytest.mark.parametrize("seen", [None, 3, "3", [], ["x"], [None, 2], [[1]]])
def test_a_browser_that_names_no_message_changes_nothing(trace: Trace, seen: object) -> None:
    browser = BrowserState()
    encode_message(snapshot(trace), "live", browser, RecordCache())
    before = browser.sent.copy()
    assert browser.take([{"serial": 1, "name": "tick", "values": {"seen": seen}}]) == () and browser.sent == before


def test_an_action_is_given_out_once_however_often_it_is_repeated() -> None:
    browser = BrowserState()
    play, pause = ({"serial": n, "name": name, "values": {}} for n, name in ((7, "play"), (9, "pause")))
    assert browser.take([play]) == (Play(None, Settings()),)
    assert browser.take([play, pause]) == (Pause(),)
    assert browser.take([play, pause]) == ()
    assert browser.take(None) == () and browser.take("nonsense") == () and browser.take([{"serial": "8"}]) == ()


def test_a_run_without_steps_has_a_message(trace: Trace) -> None:
    header, records = read(encode_message(snapshot(trace.cut(0)), "live", BrowserState(), RecordCache()))
    assert (header["stamps"], header["labels"], records) == ([], [], {})


def test_a_step_without_a_draw_or_a_lens_is_packed(trace: Trace) -> None:
    first = trace.steps[0]
    looked = Step(first.ids, 0, first.captures, None, 1.0)
    meta, _ = split(pack_step(trace.cut(0).append(looked), 0, None))
    assert meta["next"] is None and meta["lens"] is None
    assert meta["says"]["draw"] == ["Nothing was drawn at this step."]
