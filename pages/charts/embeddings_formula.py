"""The embedding's formula with the newest token's own numbers in it."""

from gpt2.trace.trace import Trace
from pages.look.tokens import spoken_at

from .embeddings import PARTS, equation, steered_positions

FORMULA = r"x = \mathrm{wte}[\text{token}] + \mathrm{wpe}[\text{position}]"
SHOWN = 6


def embedding_operands(trace: Trace) -> list[str]:
    """The token and its position, and the first dimensions of their sum."""
    token, position, total = (trace.row(hook, trace.seq - 1) for hook in PARTS.values())
    at = trace.seq - 1
    lines = [f"{spoken_at(trace, -1)} is token {trace.computed_ids[-1]}, at position {at}"]
    lines += [
        f"dimension {index}: {equation(float(token[index]), float(position[index]), float(total[index]))}"
        for index in range(min(SHOWN, len(total)))
    ]
    if at in steered_positions(trace):
        lines.append("An intervention added a vector to this sum before block 0.")
    return lines
