"""A run without its numbers: everything that it takes to replay it, token by token, to the same text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt2.engine.run import Run
from gpt2.errors import EngineError
from gpt2.model.config import GPT2Config
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine


@dataclass(frozen=True)
class Recipe:
    """All tokens of a run, and the settings each was drawn with.

    Attributes:
        ids: the prompt's tokens and all that were drawn.
        samplings: one for each step; None if the run only looked.
        chosen: the steps whose token a person chose instead of a draw.
        is_made_here: whether this program made the run, so that the name of its model says which weights made it. In a
            file the same weights may have another name.
    """

    model: str
    config: GPT2Config
    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    samplings: tuple[Sampling | None, ...]
    interventions: Interventions
    is_made_here: bool
    chosen: frozenset[int] = frozenset()

    @staticmethod
    def of(trace: Trace, is_made_here: bool = False) -> "Recipe":
        """The recipe of a run.

        Raises:
            EngineError: if the run has no steps.
        """
        if not trace.steps:
            raise EngineError("There is no run to continue; type a prompt and press Run.")
        samplings = tuple(None if step.draw is None else step.draw.sampling for step in trace.steps)
        changes = trace.steps[0].interventions
        by_hand = frozenset(n for n, step in enumerate(trace.steps) if step.draw is not None and step.draw.is_chosen)
        whole = trace.prompt_ids, trace.ids, samplings, changes, is_made_here, by_hand
        return Recipe(trace.model, trace.config, *whole)

    def is_of(self, engine: "Engine", sampling: Sampling) -> bool:
        """Whether this engine made the run, and its newest token was drawn with these settings."""
        made = (self.model, self.config) == (engine.checkpoint.name, engine.config)
        return made and self.samplings[-1] == sampling

    def start(self, engine: "Engine") -> Run:
        """The run, not yet begun.

        Raises:
            EngineError: if the recipe is of another model.
        """
        if self.is_made_here and self.model != engine.checkpoint.name:
            raise EngineError(
                f"{self.model} made this run; choose it again to go on, or press Run to start a run of another model."
            )
        if self.config != engine.config:
            raise EngineError("This recorded run is of another model; type a prompt to start a run of your own.")
        return Run(engine, self.prompt_ids, self.interventions)

    def remaining(self, run: Run) -> Iterator[Sampling | None]:
        """The settings of each step that `run` lacks, for the caller to advance it with.

        Raises:
            EngineError: if a token differs from the recipe's.
        """
        for sampling in self.samplings[len(run.trace.steps) :]:
            yield sampling
            newest = len(run.trace.steps) - 1
            if newest in self.chosen and sampling is not None:
                run.choose(self.ids[len(self.prompt_ids) + newest], sampling)
            ids = run.trace.ids
            if ids != self.ids[: len(ids)]:
                raise EngineError(
                    "Replaying this run gave different tokens here; type a prompt to start a run of your own."
                )
