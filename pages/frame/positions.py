"""A list of the run's tokens, from which a page takes one position."""

from functools import partial

from gpt2.trace.trace import Trace
from pages.charts.embeddings import NEWEST, chosen_position, option_label, option_labels

from .badge import pick_from


def pick_position(trace: Trace, title: str, *, key: str, has_chart: bool = False) -> int:
    """Draw the list. The newest token's position as long as nobody has chosen another, or if the run became shorter.

    Args:
        trace: the run at the shown step.
        title: what is written above the list.
        key: the list's.
        has_chart: whether the next chart below is the panel's.
    """
    places = option_labels(trace)
    label = partial(option_label, places)
    chosen = pick_from(list(places), title, format_func=label, key=key, otherwise=NEWEST, has_chart=has_chart)
    return chosen_position(trace, chosen)
