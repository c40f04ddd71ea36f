"""A run without its numbers: what it takes to make it again, token by token, to the same text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt2.config import GPT2Config
from gpt2.errors import EngineError
from gpt2.interventions import Interventions
from gpt2.run import Run
from gpt2.sampling import Sampling
from gpt2.trace import Trace

if TYPE_CHECKING:
    from gpt2.engine import Engine


@dataclass(frozen=True)
class Score:
    """All tokens of a run, and the settings each was drawn with.

    Attributes:
        ids: the prompt's tokens and all that were drawn.
        samplings: one a step; None where the run only looked.
    """

    model: str
    config: GPT2Config
    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    samplings: tuple[Sampling | None, ...]
    interventions: Interventions

    @staticmethod
    def of(trace: Trace) -> "Score":
        """The score of a run.

        Raises:
            EngineError: if the run has no steps.
        """
        if not trace.steps:
            raise EngineError("There is no run to go on with; type a prompt and press Run.")
        samplings = tuple(None if step.draw is None else step.draw.sampling for step in trace.steps)
        changes = trace.steps[0].interventions
        return Score(trace.model, trace.config, trace.prompt_ids, trace.ids, samplings, changes)

    def is_of(self, engine: "Engine", sampling: Sampling) -> bool:
        """Whether this engine made it, and its newest token was drawn with these settings."""
        made = (self.model, self.config) == (engine.checkpoint.name, engine.config)
        return made and self.samplings[-1] == sampling

    def start(self, engine: "Engine") -> Run:
        """The run, not yet begun.

        Raises:
            EngineError: if the score is of another model.
        """
        if self.config != engine.config:
            raise EngineError("This recorded run is of another model; type a prompt to start a run of your own.")
        return Run(engine, self.prompt_ids, self.interventions)

    def steps(self, run: Run) -> Iterator[Sampling | None]:
        """The settings of each step in turn, for the caller to advance `run` with.

        Raises:
            EngineError: when a token comes out otherwise than it is written.
        """
        for sampling in self.samplings:
            yield sampling
            ids = run.trace.ids
            if ids != self.ids[: len(ids)]:
                raise EngineError(
                    "This recorded run comes out otherwise here; type a prompt to start a run of your own."
                )
