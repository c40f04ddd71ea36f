"""What a browser was sent before the model of its run was loaded is sent again with more, and nothing else is."""

from dataclasses import replace

import pytest

from gpt2.captures import BARE, STREAM, UNREAD, WHOLE
from gpt2.engine import Engine
from gpt2.tables import Tables
from gpt2.trace import Trace
from pages.stage.pack import split
from pages.stage.parcel import Post, wrap
from pages.stage.shelf import Shelf
from tests.long_runs import squeezed, with_source
from tests.test_stage_pack import read, snapshot


@pytest.fixture
def tables(engine: Engine) -> Tables:
    return Tables(*(engine.checkpoint.weights[name] for name in ("wte.weight", "wpe.weight")))


def receive(trace: Trace, tables: Tables | None, post: Post, shelf: Shelf, seen: dict[int, bytes]) -> list[dict]:
    """What a browser shows of every step after a few messages, which it keeps by their stamps in `seen`."""
    for _ in range(12):
        header, records = read(wrap(replace(snapshot(trace), tables=tables), "live", post, shelf))
        seen |= records
    return [split(seen[stamp])[0] for stamp in header["stamps"]]


@pytest.mark.parametrize("level", [UNREAD, BARE])
def test_a_record_made_before_the_model_was_loaded_is_replaced_once_it_is(engine, trace, tables, level) -> None:
    small, post, shelf, seen = squeezed(trace, level).cut(12), Post(), Shelf(), {}
    before = receive(small, None, post, shelf, seen)
    assert all(step["next"] is None and not step["nearest"] for step in before)
    after = receive(with_source(engine, small), tables, post, shelf, seen)
    assert [step["next"]["token"] for step in after] == [step.draw.token for step in small.steps]
    assert all(step["nearest"] and "not loaded" not in str(step["says"]) for step in after)


def test_nearest_tokens_come_once_there_are_tables_though_nothing_was_let_go(trace, tables) -> None:
    post, shelf, seen = Post(), Shelf(), {}
    assert not any(step["nearest"] for step in receive(trace, None, post, shelf, seen))
    assert all(step["nearest"] for step in receive(trace, tables, post, shelf, seen))


def test_a_step_that_lacks_nothing_keeps_its_stamp_however_it_is_kept(engine, trace, tables) -> None:
    shelf = Shelf()
    for held in (None, tables):
        stamps = shelf.stamps(trace, held)
        for level in (WHOLE, STREAM, UNREAD, BARE):
            assert shelf.stamps(with_source(engine, squeezed(trace, level)), held) == stamps
        assert shelf.stamps(squeezed(trace, STREAM), held) == stamps  # no source, and none needed
        assert shelf.stamps(trace.cut(9), held) == stamps[:9]


def test_only_the_steps_that_lack_something_are_sent_again_when_the_engine_comes(engine, trace, tables) -> None:
    steps = (*(step.squeezed(UNREAD) for step in trace.steps[:10]), *trace.steps[10:])
    mixed, shelf = replace(trace, steps=steps), Shelf()
    before, after = (shelf.stamps(run, tables) for run in (mixed, with_source(engine, mixed)))
    assert [one != other for one, other in zip(before, after, strict=True)] == [True] * 10 + [False] * 30
