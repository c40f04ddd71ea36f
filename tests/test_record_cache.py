"""What a browser was sent before the model of its run was loaded is sent again with more, and nothing else is."""

from dataclasses import replace

import pytest

from gpt2.engine.engine import Engine
from gpt2.reading.tables import Tables
from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace
from pages.stage.message import BrowserState, encode_message
from pages.stage.pack import split
from pages.stage.record_cache import RecordCache
from tests.long_runs import squeezed, with_recomputer
from tests.messages import read, snapshot


@pytest.fixture
def tables(engine: Engine) -> Tables:
    return Tables(*(engine.checkpoint.weights[name] for name in ("wte.weight", "wpe.weight")))


def receive(
    trace: Trace, tables: Tables | None, browser: BrowserState, records: RecordCache, seen: dict[int, bytes]
) -> list[dict]:
    """What a browser shows of every step after a few messages, which it keeps by their stamps in `seen`."""
    for _ in range(12):
        header, sent = read(encode_message(replace(snapshot(trace), tables=tables), "live", browser, records))
        seen |= sent
    return [split(seen[stamp])[0] for stamp in header["stamps"]]


@pytest.mark.parametrize("level", [Level.NO_LOGITS, Level.NO_PATTERNS])
def test_a_record_made_before_the_model_was_loaded_is_replaced_once_it_is(engine, trace, tables, level) -> None:
    small, browser, records, seen = squeezed(trace, level).cut(12), BrowserState(), RecordCache(), {}
    before = receive(small, None, browser, records, seen)
    assert all(step["next"] is None and not step["nearest"] for step in before)
    after = receive(with_recomputer(engine, small), tables, browser, records, seen)
    assert [step["next"]["token"] for step in after] == [step.draw.token for step in small.steps]
    assert all(step["nearest"] and "not loaded" not in str(step["says"]) for step in after)


def test_nearest_tokens_come_once_there_are_tables_though_nothing_was_let_go(trace, tables) -> None:
    browser, records, seen = BrowserState(), RecordCache(), {}
    assert not any(step["nearest"] for step in receive(trace, None, browser, records, seen))
    assert all(step["nearest"] for step in receive(trace, tables, browser, records, seen))


def test_a_step_that_lacks_nothing_keeps_its_stamp_however_it_is_kept(engine, trace, tables) -> None:
    records = RecordCache()
    for held in (None, tables):
        stamps = records.stamps(trace, held)
        for level in (Level.FULL, Level.STREAM, Level.NO_LOGITS, Level.NO_PATTERNS):
            assert records.stamps(with_recomputer(engine, squeezed(trace, level)), held) == stamps
        assert records.stamps(squeezed(trace, Level.STREAM), held) == stamps  # no source, and none needed
        assert records.stamps(trace.cut(9), held) == stamps[:9]


def test_only_the_steps_that_lack_something_are_sent_again_when_the_engine_comes(engine, trace, tables) -> None:
    steps = (*(step.squeezed(Level.NO_LOGITS) for step in trace.steps[:10]), *trace.steps[10:])
    mixed, records = replace(trace, steps=steps), RecordCache()
    before, after = (records.stamps(run, tables) for run in (mixed, with_recomputer(engine, mixed)))
    assert [one != other for one, other in zip(before, after, strict=True)] == [True] * 10 + [False] * 30
