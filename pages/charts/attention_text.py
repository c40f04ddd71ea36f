"""Who a token looks at, on the text itself: the pattern of some heads, a row for every token that looks."""

from collections.abc import Sequence

import numpy as np

from gpt2.trace.trace import Trace
from pages.look.tokens import spoken
from pages.matrix.blob import Picture
from pages.matrix.scale import share

from .attention_row import looking_phrase
from .attention_shares import Reading, Subject, joined_row, query_rows

MOST = 140  # tokens


def text_start(trace: Trace) -> int:
    """The first position that is shown by itself; those before it are shown as one."""
    return max(0, trace.seq - MOST)


def shown_queries(trace: Trace, queries: Sequence[int]) -> list[int]:
    """Which of the shown tokens look, counted from the first that is shown."""
    start = text_start(trace)
    return [query - start for query in queries if query >= start]


def text_picture(trace: Trace, subject: Subject, reading: Reading, queries: tuple[int, ...]) -> Picture:
    """One row for each shown token, and a last one that joins those of `queries`; the text is the columns.

    All earlier tokens are one column: their weights' sum, or the largest if heads are joined by it.
    """
    start, labels = text_start(trace), trace.labels
    names = [f"{spoken(labels[at])} (position {at})" for at in range(start, trace.seq)]
    who = looking_phrase(trace, queries) + (f" (position {queries[0]})" if len(queries) == 1 else "")
    joined = joined_row(trace, subject, reading, queries)  # [key]
    values = np.concatenate([query_rows(trace, subject, reading, start, trace.seq), joined[None]])  # [query + 1, key]
    earlier = []
    if start:
        pooled = (
            np.nansum(values[:, :start], axis=1) if subject.join == "mean" else np.fmax.reduce(values[:, :start], 1)
        )
        values, earlier = np.column_stack([pooled, values[:, start:]]), [f"… {start} earlier"]
    return Picture(
        values,
        [*labels[start:], ""],
        [*earlier, *labels[start:]],
        share(reading.label, "attention", square_root=True),
        f"{subject.name}, on the text",
        text_sentence(trace, reading),
        subject.hook,
        row_names=[*names, who],
        column_names=[*(f"{name} tokens" for name in earlier), *names],
        row_start=start,
    )


def text_sentence(trace: Trace, reading: Reading) -> str:
    """What the tints are, and what is left out for want of room."""
    start = text_start(trace)
    said = ["The tint of a token is the weight that the framed ones give it. Point at any token to frame it."]
    said.append(reading.sentence)
    if start:
        said.append(f"The newest {trace.seq - start} tokens are shown, and the {start} before them as one.")
    return " ".join(filter(None, said))
