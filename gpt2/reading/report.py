"""The numbers about one drawn token, the same on the command line and in the page."""

from typing import Any

from gpt2.model.sampling import entropy_bits
from gpt2.text.vocabulary import Vocabulary
from gpt2.trace.trace import Step


def token_report(step: Step, vocabulary: Vocabulary, ms: float) -> dict[str, Any]:
    """Describe the token drawn at a step, and how it was drawn.

    `probability`, `rank`, `surprisal_bits` and `entropy_bits` are of the model's own distribution (temperature 1, the
    whole vocabulary); `final_probability` is its probability in the draw, after temperature, top-k and top-p; `u` is
    the uniform number of the draw, None if a person chose the token; `ms` is the time from the request for the token to
    its arrival, in milliseconds.

    Raises:
        TraceError: if no token was drawn at this step.
    """
    distribution = step.distribution
    assert step.draw is not None  # `distribution` raises if it is None
    token = step.draw.token
    return {
        "id": token,
        "text": vocabulary.text([token]),
        "probability": float(distribution.raw[token]),
        "final_probability": float(distribution.final[token]),
        "rank": distribution.rank(token),
        "surprisal_bits": distribution.surprisal_bits(token),
        "entropy_bits": entropy_bits(distribution.raw),
        "u": step.draw.u,
        "ms": round(ms, 3),
    }
