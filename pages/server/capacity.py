"""What a host can bear, for its log."""

from gpt2.engine.cache import full_bytes
from gpt2.engine.long_prompt import least_bytes
from gpt2.model.config import GPT2Config

from .limits import limits
from .memory import machine_bytes, spare_bytes

# What a visit takes beside its run: its session, and its share of messages and pictures.
VISIT_BYTES = 2_000_000


def capacity(model: str, config: GPT2Config) -> str:
    """One line: the host's memory, and how many runs of this model to the end of its context fit in what is left."""
    run = least_bytes(config, config.n_positions) + full_bytes(config) + VISIT_BYTES
    room = max(0, min(spare_bytes(), limits().traces_bytes))
    return (
        f"{model} is loaded; of the host's {machine_bytes() / 1e6:,.0f} MB, {room / 1e6:,.0f} MB are for "
        f"visitors: about {room // run} runs to the end of the context, squeezed, at once."
    )
