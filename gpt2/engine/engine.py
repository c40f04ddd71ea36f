"""The engine: a model ready to run prompts and to record everything."""

from collections.abc import Iterator
from dataclasses import replace

from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.text.prompt import encode_prompt
from gpt2.trace.step import Step
from gpt2.trace.trace import Trace

from .passes import ForwardPasses
from .recompute import RecomputeCache
from .run import Run


class Engine(ForwardPasses):
    """A model ready to run: forward passes, and the runs that are made of them."""

    def start(self, prompt: str, interventions: Interventions | None = None) -> Run:
        """A run that has not begun.

        Raises:
            PromptError: if the prompt cannot be run.
        """
        return Run(self, encode_prompt(prompt, self.tokenizer, self.config), interventions or Interventions())

    def run(self, prompt: str, interventions: Interventions | None = None) -> Trace:
        """One forward pass over the prompt, nothing drawn; captures that a long prompt drops are recomputed on demand.

        Raises:
            PromptError: if the prompt cannot be run.
        """
        run = self.start(prompt, interventions)
        run.advance(None)
        return replace(run.trace, recomputer=RecomputeCache().recomputer(self, run.trace))

    def generate(
        self,
        prompt: str,
        max_new_tokens: int,
        sampling: Sampling | None = None,
        interventions: Interventions | None = None,
        ignore_eos: bool = False,
    ) -> Iterator[Step]:
        """Continue the prompt, one step a token; ends early if the context is full, or a token drawn ends the text.

        With `ignore_eos` it goes on after a token that ends the text.

        Raises:
            PromptError: if the prompt cannot be run.
            SettingsError: if a setting does not fit the model.
        """
        run = self.start(prompt, interventions)
        for _ in range(max_new_tokens):
            if run.is_full:
                return
            yield run.advance(sampling or Sampling())
            if run.has_ended and not ignore_eos:
                return
