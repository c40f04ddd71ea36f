"""The second run of a pair: another prompt with the first run's settings, or the first run's text in another model."""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpt2.errors import SettingsError
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace

from .passes import Prompt
from .trace_pair import TracePair, check_vocabularies

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine


def alongside(
    engine: "Engine", first: Trace, prompt: Prompt, stop: threading.Event | None = None, ignore_eos: bool = False
) -> Iterator[Trace]:
    """Run another prompt for as many steps as the first run has, each drawn with the settings of the first's step.

    It ends early where its text ends, unless `ignore_eos`, or its context is full.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        PromptError: if the prompt cannot be run.
        EngineError: if a pass overflowed.
    """
    run = engine.start(prompt)
    for step in first.steps:
        if run.is_full or (run.has_ended and not ignore_eos):
            return
        run.advance(None if step.draw is None else step.draw.sampling, stop)
        yield run.trace


def reread(
    engine: "Engine", first: Trace, interventions: Interventions | None = None, stop: threading.Event | None = None
) -> Iterator[Trace]:
    """Let a model, changed or another one, read the first run's text step by step, whatever it would have drawn.

    So both have read the same at every step. It ends early where its context is full.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        PromptError: if the prompt does not fit the model's context.
        SettingsError: if the model has other tokens, or the interventions do not fit it.
        EngineError: if a pass overflowed.
    """
    check_vocabularies(first, Trace(engine.checkpoint.name, engine.config, engine.tokenizer.vocabulary))
    run = engine.start(first.prompt_ids, interventions)
    for step in first.steps:
        if run.is_full:
            return
        drawn = step.draw
        if drawn is None:
            run.advance(None, stop)
        elif run.advance(drawn.sampling, stop).draw != drawn:
            run.choose(drawn.token, drawn.sampling)
        yield run.trace


def compare(
    engine: "Engine",
    prompt: Prompt,
    with_prompt: Prompt | None = None,
    with_engine: "Engine | None" = None,
    with_changes: Interventions | None = None,
    max_new_tokens: int = 20,
    sampling: Sampling | None = None,
    ignore_eos: bool = False,
) -> TracePair:
    """Run a prompt, and beside it another prompt, another model, or the same model changed.

    Another prompt goes on by itself, with the same settings and seed. Another model and a changed one read the text of
    the first run, so that every step of both has read the same.

    >>> import gpt2
    >>> engine = gpt2.load("bundled")
    >>> pair = gpt2.compare(engine, "The king said to his", with_prompt="The queen said to her", max_new_tokens=4)
    >>> pair.parted_at, pair.divergences().shape  # both ways, in bits
    (1, (2, 4))

    Args:
        engine: the model of the first run.
        prompt: a text, or token ids.
        with_prompt: another text, or token ids.
        with_engine: another model with the same vocabulary.
        with_changes: what is changed in the model.
        max_new_tokens: how many tokens the first run draws; with 0 both read their prompt alone.
        sampling: the settings of all draws.
        ignore_eos: go on after a token that ends the text.

    Raises:
        PromptError: if a prompt cannot be run.
        SettingsError: if not exactly one of the three is given, the vocabularies differ, or a setting does not fit.
        EngineError: if a pass overflowed.
    """
    if sum(other is not None for other in (with_prompt, with_engine, with_changes)) != 1:
        raise SettingsError("A run is compared with exactly one of another prompt, another model, and a change.")
    run = engine.start(prompt)
    for _ in range(max_new_tokens):
        if run.is_full or (run.has_ended and not ignore_eos):
            break
        run.advance(sampling or Sampling())
    if not run.trace.steps:
        run.advance(None)
    if with_prompt is not None:
        *_, second = alongside(engine, run.trace, with_prompt, ignore_eos=ignore_eos)
    else:
        *_, second = reread(with_engine or engine, run.trace, with_changes)
    return TracePair(run.trace, second)
