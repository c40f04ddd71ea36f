"""What the columns of a chart's data are called in a file: each field's name, and the chart's words for it."""

from collections.abc import Iterator, Mapping
from typing import Any

CHANNELS = ("x", "y", "x2", "y2", "color", "size", "opacity", "text")


def columns(spec: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The name of every field of every named set of data of a Vega-Lite chart, in the chart's order.

    A set of a single row marks something in the others, such as the current step; it is left out beside them.
    """
    datasets = {name: rows for name, rows in spec["datasets"].items() if rows}
    tables = {name: rows for name, rows in datasets.items() if len(rows) > 1} or datasets
    titles = dict(reversed([*titles_of(spec)]))
    return {
        name: {field: f"{field} ({titles[field]})" if field in titles else field for field in rows[0]}
        for name, rows in tables.items()
    }


def titles_of(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Fields and what axes, legends and then tooltips call them, where that is another word."""
    parts = [spec, *spec.get("layer", ())]
    encodings = [part.get("encoding", {}) for part in parts]
    channels = [encoding[name] for encoding in encodings for name in CHANNELS if name in encoding]
    tips = [tip for encoding in encodings for tip in encoding.get("tooltip", ()) if isinstance(tip, Mapping)]
    for channel in (*channels, *tips):
        words = [(channel.get(guide) or {}).get("title") for guide in ("axis", "legend")]
        title = next(filter(None, [*words, channel.get("title")]), None)
        field = str(channel.get("field"))
        if isinstance(title, str) and title != field:
            yield field, title
