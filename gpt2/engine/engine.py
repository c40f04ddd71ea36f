"""The engine: a model ready to run prompts and to record everything."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.text.prompt import check_ids, encode_prompt
from gpt2.trace.step import Step
from gpt2.trace.trace import Trace

from .passes import ForwardPasses
from .recompute import RecomputeCache
from .run import Run


class Engine(ForwardPasses):
    """A model ready to run: forward passes, and the runs that are made of them."""

    def start(
        self, prompt: str | Sequence[int], interventions: Interventions | None = None, within_prompt: bool = False
    ) -> Run:
        """A run that has not begun, of a text or of token ids.

        A position that interventions name may lie after the prompt and waits for its token, unless `within_prompt`.

        Raises:
            PromptError: if the prompt cannot be run.
            SettingsError: if the interventions do not fit the model or the prompt.
        """
        if isinstance(prompt, str):
            ids = encode_prompt(prompt, self.tokenizer, self.config)
        else:
            ids = check_ids(prompt, self.config)
        stop = len(ids) if within_prompt else self.config.n_positions
        return Run(self, ids, (interventions or Interventions()).resolved(self.config, len(ids), stop))

    def run(self, prompt: str | Sequence[int], interventions: Interventions | None = None) -> Trace:
        """One forward pass over the prompt, nothing drawn; captures that a long prompt drops are recomputed on demand.

        Raises:
            PromptError: if the prompt cannot be run.
            SettingsError: if the interventions do not fit the model or the prompt.
        """
        run = self.start(prompt, interventions, within_prompt=True)
        run.advance(None)
        return replace(run.trace, recomputer=RecomputeCache().recomputer(self, run.trace))

    def generate(
        self,
        prompt: str | Sequence[int],
        max_new_tokens: int,
        sampling: Sampling | None = None,
        interventions: Interventions | None = None,
        ignore_eos: bool = False,
    ) -> Iterator[Step]:
        """Continue the prompt, one step a token; ends early if the context is full, or a token drawn ends the text.

        With `ignore_eos` it goes on after a token that ends the text.

        Raises:
            PromptError: if the prompt cannot be run.
            SettingsError: if a setting does not fit the model, or the interventions do not.
        """
        run = self.start(prompt, interventions)
        for _ in range(max_new_tokens):
            if run.is_full:
                return
            yield run.advance(sampling or Sampling())
            if run.has_ended and not ignore_eos:
                return
