"""The formulas of sampling with the drawn token's real numbers."""

import numpy as np

from gpt2.text.vocabulary import Vocabulary
from pages.look.numbers import fixed, percent
from pages.look.tokens import spoken

from .outcome import Outcome

FORMULA = (
    r"p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}}"
    r"\qquad p'_i = \frac{p_i \,[\,i \in \text{kept}\,]}{\sum_{j \in \text{kept}} p_j}"
    r"\qquad \sum_{j < i} p'_j \;\le\; u \;<\; \sum_{j \le i} p'_j"
)


def sampling_operands(outcome: Outcome, logits: np.ndarray, vocabulary: Vocabulary) -> list[str]:
    """The computation from the drawn token's logit to the stretch that holds `u`, line by line, with its own numbers.

    Shapes: logits [vocab].
    """
    distribution, sampling, token = outcome.distribution, outcome.sampling, outcome.token
    label, highest = spoken(vocabulary.label(token)), float(logits.max())
    logit = float(logits[token])
    lines = [f"logit z of {label} = {fixed(logit, 4)}; the highest logit is {fixed(highest, 4)}"]
    if sampling.temperature:
        scaled, top = logit / sampling.temperature, highest / sampling.temperature
        exponentials = np.exp((logits.astype(np.float64) - highest) / sampling.temperature)
        lines += [
            f"z / T = {fixed(logit, 4)} / {sampling.temperature:g} = {fixed(scaled, 4)}",
            f"e^({fixed(scaled, 4)} − {fixed(top, 4)}) / sum = {exponentials[token]:.6f} / {exponentials.sum():.6f} "
            f"= {distribution.tempered[token]:.6f}  (the highest logit is subtracted first, which changes no ratio)",
        ]
    else:
        lines.append(f"temperature 0 is greedy: {label} has the highest logit and gets {percent(1.0)}")
    lines.append(kept_line("top-k", sampling.top_k > 0, distribution.tempered, distribution.after_top_k, token))
    lines.append(kept_line("top-p", sampling.top_p < 1, distribution.after_top_k, distribution.after_top_p, token))
    start, end = outcome.stretch
    lines.append(f"{start:.6f} ≤ u = {outcome.u:.6f} < {end:.6f}, so the draw is {label}")
    return lines


def kept_line(name: str, is_on: bool, before: np.ndarray, after: np.ndarray, token: int) -> str:
    """One filter's renormalisation: the token's probability, divided by the sum of those that were kept."""
    if not is_on:
        return f"{name} is off: nothing is removed"
    kept = float(before[after > 0].sum())
    return f"{name} keeps {np.count_nonzero(after):,} tokens: {before[token]:.6f} / {kept:.6f} = {after[token]:.6f}"
