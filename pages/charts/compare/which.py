"""What a picture of two runs shows: the first, the second, or the second minus the first."""

import numpy as np
from numpy.typing import NDArray

from gpt2.experiments.trace_pair import TracePair
from pages.look.names import layer_name
from pages.matrix.scale import Concept, Scale, share, signed

VIEWS = FIRST, SECOND, DIFFERENCE = "First", "Second", "Difference"
MINUS = "second − first"
POINTS = "percentage points"


def shown(both: NDArray[np.floating], which: str) -> NDArray[np.floating]:
    """One of the two, or their difference. Shapes: [2, ...] -> [...]."""
    return both[1] - both[0] if which == DIFFERENCE else both[VIEWS.index(which)]


def shown_shares(both: NDArray[np.floating], which: str) -> NDArray[np.floating]:
    """The same of shares, whose difference is told in percentage points. Shapes: [2, ...] -> [...]."""
    return 100 * shown(both, which) if which == DIFFERENCE else shown(both, which)


def share_scale(values: NDArray[np.floating], which: str, label: str, concept: Concept) -> Scale:
    """The colours of what `shown_shares` gives."""
    if which == DIFFERENCE:
        return signed(f"{label}, {MINUS}, {POINTS}", values)
    return share(label, concept, square_root=True)


def left_out(pair: TracePair) -> str:
    """What only one of the two models has, in a sentence; empty if both have the same layers and heads."""
    sentences = []
    for name, what, rest in (
        ("n_layer", "layers", f"those from {layer_name(pair.n_layer)} on"),
        ("n_head", "heads a layer", f"those from H{pair.n_head} on"),
    ):
        counts = [getattr(trace.config, name) for trace in pair.both]
        if counts[0] != counts[1]:
            more = int(counts[1] > counts[0])
            sentences.append(f"{pair.said[more].capitalize()} has {counts[more]} {what}: {rest} are left out.")
    return " ".join(sentences)
