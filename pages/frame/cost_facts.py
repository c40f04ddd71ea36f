"""What the Cost page shows of a run and its trace does not hold: how its model was loaded, budget, paint times."""

from gpt2.engine.settings import trace_budget
from pages.charts.cost_table import CostFacts
from pages.visit.visit import Visit


def cost_facts_of(visit: Visit) -> CostFacts:
    """The facts about the run on this visit's stage, as they are now."""
    model, player = visit.model_of_run, visit.player
    seconds = {} if model is None else dict(model.seconds)
    return CostFacts(
        is_live=not player.is_recorded,
        budget=None if player.is_recorded else trace_budget(),
        is_loaded=model is not None and model.engine is not None,
        is_loading=model is not None and model.is_loading,
        downloading=seconds.get("downloading", 0.0),
        loading=seconds.get("reading", 0.0) + seconds.get("binding", 0.0),
        compiling=seconds.get("compiling", 0.0),
        paint_ms=visit.seen.paint_ms,
        notice=player.notice,
    )
