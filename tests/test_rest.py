"""The head shown large while none is locked, and when it changes."""

import pytest

from gpt2.engine.engine import Engine
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from pages.stage.pack import pattern_rows
from pages.stage.rest import ENOUGH, Rest, RestingHead
from pages.stage.sentences import sharpest_head


def sharpest(run: Trace, number: int) -> RestingHead:
    """The head to rest on if this step is shown first."""
    step = run.steps[number]
    layer, head, _ = sharpest_head(pattern_rows(run, step, len(step.ids) - 1)[:, :, -1])
    return RestingHead(layer, head, number)


@pytest.fixture
def rest() -> Rest:
    return Rest()


@pytest.mark.parametrize("cursor, shown", [(0, 0), (7, 7), (39, 39), (1000, 39)])
def test_it_rests_on_the_sharpest_head_of_the_step_shown_first(
    rest: Rest, trace: Trace, cursor: int, shown: int
) -> None:
    rest.settle(trace, cursor)
    assert rest.head == sharpest(trace, shown)
    for later in range(40):
        rest.settle(trace, later)
        assert rest.head == sharpest(trace, shown)


def test_it_stays_as_tokens_come_and_in_another_run_of_the_same(rest: Rest, trace: Trace, engine: Engine) -> None:
    rest.settle(trace.cut(10), 3)
    assert rest.head == sharpest(trace, 3)
    rest.settle(trace, 30)
    assert rest.head == sharpest(trace, 3)
    again = engine.start(trace.ids[:-4])
    again.advance(Sampling(0))
    rest.settle(again.trace, 0)
    assert rest.head == sharpest(trace, 3)


def test_other_tokens_and_other_models_get_a_head_of_their_own(rest: Rest, trace: Trace, engine: Engine) -> None:
    rest.settle(trace, 39)
    rest.settle(trace.cut(20), 5)
    assert rest.head == sharpest(trace, 5)
    other = engine.start("One day a king")
    other.advance(Sampling(0))
    rest.settle(other.trace, 40)
    assert rest.head == sharpest(other.trace, 0)


def test_after_fewer_than_three_tokens_there_is_no_head_to_rest_on(rest: Rest, engine: Engine) -> None:
    run = engine.start("The")
    for _ in range(3):
        rest.settle(run.trace, 0)
        assert rest.head is None
        run.advance(Sampling(0))
        assert (run.trace.steps[-1].stop >= ENOUGH) == (len(run.trace.steps) == ENOUGH)
    rest.settle(run.trace, 0)
    assert rest.head == sharpest(run.trace, 2)
