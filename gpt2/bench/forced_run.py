"""A run of given tokens instead of drawn ones, so that another program, or another way to run them, can be compared."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpt2.model.interventions import Interventions
from gpt2.trace.step import Step
from gpt2.trace.trace import Trace

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine


def forced_run(engine: "Engine", ids: Sequence[int], n_prefill: int, interventions: Interventions) -> Trace:
    """The first `n_prefill` tokens in one prefill, the rest one by one through the KV cache; nothing is drawn.

    Shapes: as every trace's, `logits` [step, vocab] with one row for the prefill and one for each later token.
    """
    cache = engine.new_cache()
    trace = Trace(engine.checkpoint.name, engine.config, engine.tokenizer.vocabulary)
    output = engine.prefill(ids[:n_prefill], interventions, cache)
    trace = trace.append(Step(tuple(ids[:n_prefill]), 0, output.captures, None, 0.0))
    for token in ids[n_prefill:]:
        output = engine.decode(token, interventions, cache)
        trace = trace.append(Step((token,), trace.seq, output.captures, None, 0.0))
    return trace
