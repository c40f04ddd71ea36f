"""The model's own greedy text, token by token, of which nothing else is kept: what a server's text is compared with."""

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling

from .long_prompt import read_prompt
from .settings import trace_budget
from .shutdown import CALLS_IN_FLIGHT
from .turns import Turn

if TYPE_CHECKING:
    from .passes import ForwardPasses

GREEDY = Sampling(temperature=0)


def greedy_tokens(
    engine: "ForwardPasses", ids: Sequence[int], count: int, stop: threading.Event | None = None
) -> Iterator[int]:
    """The most likely token after `ids`, then the one after that, each in its own turn at the engine.

    It ends early where the context does, and before a token that ends the text, which has no letters.

    Raises:
        Withdrawn: once `stop` is withdrawn from `engine.turns`.
        SettingsError: if the budget of a run cannot be read.
    """
    cache, changes, token = engine.new_cache(), Interventions(), 0
    for made in range(min(count, engine.config.n_positions - len(ids))):
        with CALLS_IN_FLIGHT, Turn(engine.turns, stop):
            if made:
                output = engine.decode(token, changes, cache)
            else:
                output, _ = read_prompt(engine, ids, changes, cache, trace_budget())
            token = engine.draw(output.captures["logits"][-1], GREEDY, len(ids) + made).token
            del output  # MAX's memory is freed while the call is in flight
        if token in engine.checkpoint.end_of_text:
            return
        yield token
