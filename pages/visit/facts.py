"""Facts about the run on a stage that its trace does not hold: how its model was loaded, its budget, paint times."""

from gpt2.engine.settings import trace_budget
from pages.charts.cost_table import Facts

from .visit import Visit


def facts_of(visit: Visit) -> Facts:
    """The facts of the run on this visit's stage, as they are now."""
    run_model, player = visit.model_of_run, visit.player
    seconds = {} if run_model is None else dict(run_model.seconds)
    return Facts(
        is_live=not player.is_recorded,
        budget=None if player.is_recorded else trace_budget(),
        is_loaded=run_model is not None and run_model.engine is not None,
        is_coming=run_model is not None and run_model.is_loading,
        downloading=seconds.get("downloading", 0.0),
        loading=seconds.get("reading", 0.0) + seconds.get("binding", 0.0) - seconds.get("compiling", 0.0),
        compiling=seconds.get("compiling", 0.0),
        paint_ms=visit.paint_ms,
        notice=player.notice,
    )
