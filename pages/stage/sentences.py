"""The generated sentence of each panel: plain text whose every second part is bold, quoting the step's numbers.

Tokens in it are marked as in `pages/look/tokens.py`.
"""

import numpy as np
from numpy.typing import NDArray

from gpt2.model.sampling import Distribution, Draw
from gpt2.text.vocabulary import Vocabulary
from gpt2.trace.trace import Step, Trace
from pages.look.names import head_name, layer_name, part_name
from pages.look.numbers import SPACE, bits, fixed, percent, whole_percent
from pages.look.tokens import spoken, spoken_at

# Plain, bold, plain, bold, ...: user text stays text all the way to the screen.
Sentence = tuple[str, ...]
Floats = NDArray[np.floating]


def sharpest_head(rows: Floats) -> tuple[int, int, int]:
    """Layer, head and key of the largest weight on any key but the first; the first key too where it is the only one.

    Shapes: rows [layer, head, key], the newest query of every head.
    """
    first = 1 if rows.shape[2] > 1 else 0
    layer, head, key = np.unravel_index(int(rows[:, :, first:].argmax()), rows[:, :, first:].shape)
    return int(layer), int(head), int(key) + first


def say_heads(rows: Floats, trace: Trace) -> Sentence:
    """Which head looks most sharply at one token of the text, and at which."""
    layer, head, key = sharpest_head(rows)
    share, back = whole_percent(rows[layer, head, key]), rows.shape[2] - 1 - key
    if rows.shape[2] == 1:
        return ("With one token, every head looks at it: ", share, "")
    name = head_name(layer, head)
    if back == 0:
        return ("", name, f" looks at the newest token itself ({share})")
    if back == 1:
        return ("", name, " looks one token back, at ", spoken_at(trace, key), f" ({share})")
    return ("", name, " looks at ", spoken_at(trace, key), f", {back} tokens back ({share})")


def say_embedding(trace: Trace, position: int) -> Sentence:
    """What the vector of the token at this position is made of."""
    width = trace.config.n_embd
    return ("", spoken_at(trace, position), f" = its token + position {position}, {width} numbers each")


def say_residual(attention: Floats, mlp: Floats) -> Sentence:
    """Which part of which layer writes the longest vector. Shapes: attention, mlp [layer], norms."""
    name, norms = ("Attention", attention) if attention.max() > mlp.max() else ("MLP", mlp)
    layer = int(norms.argmax())
    return (
        "",
        part_name(name, layer),
        f" writes the longest vector, norm {fixed(norms[layer], 1)}",
    )


def lead_from(tops: NDArray[np.integer]) -> int:
    """The first row from which on the last row's token is on top all the way. Shapes: tops [layer + 1]."""
    others = np.flatnonzero(tops != tops[-1])
    return int(others[-1]) + 1 if len(others) else 0


def say_lens(step: Step, vocabulary: Vocabulary) -> Sentence:
    """Which token leads in the end, from where on, and how the drawn one fared."""
    if step.lens is None:
        return ("The logit lens was not read at this step.",)
    tops = step.lens.tokens[:, 0]
    row, leader = lead_from(tops), int(tops[-1])
    since = "leads from the embedding on" if row == 0 else f"leads from {layer_name(row - 1)} on"
    if step.draw is None or step.draw.token == leader:
        return ("", spoken(vocabulary.label(leader)), f" {since} ({percent(step.lens.probabilities[-1, 0])})")
    ends = percent(step.lens.drawn[-1])
    return (
        "",
        spoken(vocabulary.label(leader)),
        f" {since}; the {'chosen' if step.draw.is_chosen else 'drawn'} ",
        spoken(vocabulary.label(step.draw.token)),
        f" ends at {ends}",
    )


def say_bars(entropy: float, distribution: Distribution, draw: Draw) -> Sentence:
    """How open the choice is, what the filters take away, and the number that decides."""
    sampling = draw.sampling
    cuts = []
    if sampling.top_k:
        cuts.append(f"top-k cuts {percent(distribution.removed_by_top_k)}")
    if sampling.top_p < 1:
        cuts.append(f"top-p cuts {percent(distribution.removed_by_top_p)}")
    if sampling.temperature == 0:
        cuts = ["temperature 0 keeps only the first"]
    between = "".join(f" · {cut}" for cut in cuts)
    if draw.u is None:
        return ("Entropy ", bits(entropy), f"{between} · ", "chosen by hand", ", not drawn")
    return (
        "Entropy ",
        bits(entropy),
        f"{between} · draw ",
        f"u{SPACE}={SPACE}{fixed(draw.u, 3)}",
        "",
    )


def stretch(distribution: Distribution, token: int) -> tuple[float, float]:
    """Where the token's part of the cumulative bar begins and ends."""
    place = distribution.rank(token) - 1
    edges = np.cumsum(distribution.final[distribution.order[: place + 1]])
    return float(edges[place - 1]) if place else 0.0, float(edges[place])


def say_draw(distribution: Distribution, draw: Draw, vocabulary: Vocabulary) -> Sentence:
    """Into whose stretch of the bar `u` fell, and which neighbour it would have been otherwise."""
    label = spoken(vocabulary.label(draw.token))
    if draw.is_chosen:
        own = percent(distribution.raw[draw.token])
        return (
            "",
            label,
            f" was chosen by hand, so no u was drawn; the model gave it {own}, ",
            f"rank {distribution.rank(draw.token):,}",
            "",
        )
    if draw.sampling.temperature == 0:
        return ("Greedy: ", label, " has the whole bar, whatever u is.")
    begin, end = stretch(distribution, draw.token)
    place = distribution.rank(draw.token) - 1
    start = ("u falls in ", label)
    if place:
        before = spoken(vocabulary.label(int(distribution.order[place - 1])))
        if place == 1:
            return (*start, f"; below {fixed(begin, 3)} it would have been ", before, "")
        return (*start, f"; just below {fixed(begin, 3)} lies ", before, "")
    if end < 1 and place + 1 < len(distribution.order) and distribution.final[distribution.order[place + 1]] > 0:
        after = spoken(vocabulary.label(int(distribution.order[place + 1])))
        return (*start, f"; just above {fixed(end, 3)} lies ", after, "")
    return (*start, ", the only token left")
