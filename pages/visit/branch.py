"""One branch of a visit's tree, the token with which it begins, and whether going on from a step makes one."""

from dataclasses import dataclass

from gpt2.engine.run import Run
from gpt2.model.sampling import Sampling
from gpt2.trace.step import Step

from .on_stage import OnStage
from .states import Settled


@dataclass(eq=False)
class Branch:
    """One run of the tree.

    Attributes:
        number: 0 for the run that the tree grew from, then as they were made.
        parent: the run that it leaves; None for the first.
        step: the step of the parent whose token it has another in place of.
        token, chance: that other token, and its probability by the model.
        instead, instead_chance: the parent's own token there, None if it had drawn none, and its probability.
        is_chosen: whether a person chose that token; else it was drawn with other settings, and may be the same.
        name: as the visitor calls it; empty if it has no name.
        kept: what the stage is to have when it is put there; None while it is there.
    """

    number: int
    parent: "Branch | None" = None
    step: int = 0
    token: int = 0
    chance: float = 1.0
    instead: int | None = None
    instead_chance: float = 0.0
    is_chosen: bool = True
    name: str = ""
    kept: Settled | None = None

    @property
    def title(self) -> str:
        """Its name, or its number if it has none."""
        return self.name or (f"Branch {self.number}" if self.number else "The first run")


def leaves(player: OnStage, step: int, sampling: Sampling) -> bool:
    """Whether going on from a step with these settings leaves tokens that the run on the stage has already."""
    steps, recipe = player.trace.steps, player.recipe
    if recipe is not None and recipe.samplings[-1] == sampling:
        return False  # a replay goes on to its end
    rest = steps[max(0, step) :]
    return len(rest) > 1 and any(one.draw is not None and one.draw.sampling != sampling for one in rest)


def redrawn(run: Run, token: int | None, sampling: Sampling) -> Step:
    """The newest step with this token, or without one with a token drawn anew; one that a person chose stays."""
    before = run.trace.steps[-1].draw
    if token is None and before is not None and before.is_chosen:
        token = before.token
    return run.resample(sampling) if token is None else run.choose(token, sampling)
