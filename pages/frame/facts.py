"""What is known of the run on a stage beside its trace: how its model came, and where it is kept and painted."""

from gpt2.budget import trace_budget
from pages.charts.cost_table import Facts

from .visit import Visit


def facts_of(visit: Visit) -> Facts:
    """The facts of the run on this visit's stage, as they are now."""
    maker, player = visit.maker, visit.player
    seconds = {} if maker is None else dict(maker.seconds)
    return Facts(
        is_live=not player.is_recorded,
        budget=None if player.is_recorded else trace_budget(),
        is_loaded=maker is not None and maker.engine is not None,
        downloading=seconds.get("downloading", 0.0),
        loading=seconds.get("reading", 0.0) + seconds.get("binding", 0.0) - seconds.get("compiling", 0.0),
        compiling=seconds.get("compiling", 0.0),
        paint_ms=visit.paint_ms,
        notice=player.notice,
    )
