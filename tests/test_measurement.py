"""A measurement ends with the run that it is of: once another is on the stage there is no button to stop it."""

import pytest

from gpt2.engine.engine import Engine
from gpt2.engine.turns import Turn
from gpt2.trace.trace import Trace
from pages.stage.actions import parse
from pages.visit.measurement import Measurement
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.players import finish


@pytest.fixture
def visit(engine: Engine, trace: Trace, monkeypatch) -> Visit:
    """A visitor who has made a run of six tokens."""
    monkeypatch.setattr(Visit, "_engine", lambda _: engine)
    visit = Visit(Player(trace, ""), speed=0)
    visit.answer(parse("run", {"text": "The king", "max_new_tokens": 6}))
    finish(visit.player)
    return visit


def order(visit: Visit, name: str, **values: object) -> None:
    visit.answer(parse(name, {"max_new_tokens": 2, **values}))
    assert visit.player.error == ""


@pytest.mark.parametrize(
    ("does", "ends"),
    [
        (lambda visit, trace: visit.open(trace), True),
        (lambda visit, trace: order(visit, "run", text="A mouse"), True),
        (lambda visit, trace: order(visit, "play", cursor=2, temperature=0), True),
        (lambda visit, trace: order(visit, "step", cursor=2, temperature=0), True),
        (lambda visit, trace: order(visit, "play", cursor=5), False),
        (lambda visit, trace: order(visit, "view", cursor=1), False),
    ],
    ids=["another is opened", "a new run", "another way", "a step another way", "the same goes on", "looked at"],
)
def test_a_measurement_ends_when_its_run_leaves_the_stage_and_not_before(engine, trace, visit, does, ends) -> None:
    with Turn(engine.turns):  # it waits for its first turn
        visit.measurement = measurement = Measurement(visit.player.trace, engine)
        while len(engine.turns) != 2:
            assert measurement.is_running
        does(visit, trace)
        assert measurement.is_running is not ends
        measurement.stop()
        visit.player.pause()
    measurement.wait(30)
    assert measurement.reruns == () and len(engine.turns) == 0
