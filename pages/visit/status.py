"""How a visit stands, in one word and one sentence."""

from pages.server.job import ModelJob
from pages.server.limits import limits
from pages.stage.snapshot import Status

from .player import Player

LAST = "The newest token is drawn from the last position, and is not read any more."
ENDED = "The model ended its text here; press Play to let it go on."
STILL_LOADING = "The model is still loading; try again in a moment."


def status_of(player: Player, job: ModelJob) -> Status:
    """The status of the run on the stage, and of the model that Run uses."""
    if player.error == STILL_LOADING and job.is_loading:
        return Status("loading", player.error)
    of_run = player.error if player.failed_prompt is None else ""
    if of_run or job.error:
        return Status("error", of_run or job.error)
    if problem := limits().problem:
        return Status("error", problem)
    if player.is_running:
        return running(player.place, not player.is_starting, player.notice)
    if job.is_loading:
        return Status("loading", job.message)
    if player.is_recorded:
        return Status("recorded", "A recorded run; press Run to make your own.")
    if player.why_full:
        return Status("full", f"{player.why_full} {LAST}", is_news=True)
    if player.has_ended:
        return Status("ended", ENDED, is_news=True)
    return Status("paused", player.notice or "Paused.", is_news=bool(player.notice))


def running(place: int, has_begun: bool, notice: str) -> Status:
    """The status of a run under way, with its place in the line if others make it wait."""
    if not place:
        return Status("running", notice or "Generating.", is_news=bool(notice))
    if has_begun:
        return Status("running", f"Generating in turns with {place} other visitor{'s' * (place > 1)}.", is_news=True)
    verb = "visitor is" if place == 1 else "visitors are"
    return Status("running", f"Waiting; {place} {verb} before you.", is_news=True)
