"""The engine: a model ready to run prompts and to record everything."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.reading.attribution import attribute
from gpt2.reading.checks import Check, parts_sum_to_logits, rows_sum_to_one, same_in_one_pass
from gpt2.reading.logit_parts import Attribution
from gpt2.reading.stored_reference import same_as_hugging_face
from gpt2.text.one_token import token_id
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

    def attribute(
        self, trace: Trace, token: str | int, against: str | int | None = None, position: int = -1
    ) -> Attribution:
        """What each part of the model adds to a token's logit, or to the difference of two; see `reading.attribution`.

        >>> import gpt2
        >>> engine = gpt2.load("bundled")
        >>> trace = engine.run("Once upon a time, there was a little")
        >>> found = engine.attribute(trace, " boy", against=" girl")
        >>> [(part.name, round(part.logit, 2)) for part in found.largest[:2]]
        [('MLP of L0', -0.72), ('L1·H1', 0.6)]
        >>> round(found.logit, 2), round(found.total, 2), found.error < 1e-4
        (0.04, 0.04, True)
        >>> found.heads.shape  # layer, head
        (6, 8)
        >>> from gpt2.reading.attribution import looked_at
        >>> words = looked_at(trace, engine.checkpoint, found, layer=1, head=1)
        >>> [(trace.labels[key], round(float(words.logits[key]), 2)) for key in words.order[:2]]
        [(',', 0.09), ('On', 0.09)]

        Args:
            trace: a run of this model.
            token: its text, such as ` boy`, or its id.
            against: the token whose logit is subtracted, if any.
            position: the position after which the token comes; -1 is the newest.

        Raises:
            PromptError: if a text is not one token.
            SettingsError: if there is no such token or position, or both tokens are the same.
            TraceError: if another model made the run, or a capture was dropped and cannot be recomputed.
        """
        first, second = token_id(token, self.tokenizer), token_id(against, self.tokenizer)
        return attribute(trace, self.checkpoint, first, second, position)

    def in_one_pass(self, trace: Trace) -> Trace:
        """The whole text of a run read anew in one pass, with the interventions of its newest step.

        Raises:
            EngineError: if the forward pass overflowed.
        """
        run = self.start(trace.computed_ids, trace.steps[-1].interventions)
        run.advance(None)
        return run.trace

    def check(self, trace: Trace) -> tuple[Check, ...]:
        """What must hold of a run's numbers, and how far each is off; the text is read anew in one pass.

        >>> import gpt2
        >>> engine = gpt2.load("bundled")
        >>> [check.has_failed for check in engine.check(engine.run("Once upon a time"))]
        [False, False, False, False]

        Raises:
            TraceError: if a capture was dropped and cannot be recomputed.
        """
        return (
            rows_sum_to_one(trace),
            parts_sum_to_logits(trace, self.checkpoint),
            same_in_one_pass(trace, self.in_one_pass(trace)),
            same_as_hugging_face(trace, self.checkpoint),
        )
