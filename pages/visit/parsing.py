"""What comes from the browser, read as numbers: it may be text that a person typed."""

import reprlib
from typing import Any

from gpt2.errors import SettingsError

SLOWEST_PAINT_MS = 10_000
# No setting has more: 2^63, and a sign.
MOST_DIGITS = 20
MOST_QUOTED = 60


def number(values: dict[str, Any], name: str, default: float) -> float:
    """A number from the browser, which may be text a person typed.

    Raises:
        SettingsError: if it is no number, or far too large to be one of ours.
    """
    value = values.get(name, default)
    try:
        return float(default if value is None else value)
    except (TypeError, ValueError, OverflowError):
        raise SettingsError(f"{name.replace('_', ' ').capitalize()} must be a number, not {quoted(value)}.") from None


def whole(values: dict[str, Any], name: str, default: int, title: str) -> int:
    """A whole number from the browser.

    Raises:
        SettingsError: if it is none, or has more digits than any of ours.
    """
    value = values.get(name, default)
    try:
        text = str(default if value is None else value)
        if len(text) <= MOST_DIGITS:
            return int(text)
    except ValueError:
        pass
    raise SettingsError(f"{title} must be a whole number, not {quoted(value)}.")


def quoted(value: object) -> str:
    """A value as a message quotes it; of a long one some parts."""
    try:
        text = reprlib.repr(value)
        return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}…"
    except ValueError:  # Python does not write a number of thousands of digits
        return "one of thousands of digits"


def paint_time(told: object) -> float | None:
    """The milliseconds that a browser says it paints for, or None where it says nothing, or what cannot be."""
    if not isinstance(told, int | float) or isinstance(told, bool) or not 0 <= told <= SLOWEST_PAINT_MS:
        return None
    return float(told)
