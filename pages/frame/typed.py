"""What comes from the browser, read as numbers: it may be text that a person typed."""

from typing import Any

from gpt2.errors import SettingsError

SLOWEST_PAINT_MS = 10_000


def number(values: dict[str, Any], name: str, default: float) -> float:
    """A number from the browser, which may be text a person typed.

    Raises:
        SettingsError: if it is no number.
    """
    value = values.get(name, default)
    try:
        return float(default if value is None else value)
    except (TypeError, ValueError):
        raise SettingsError(f"{name.replace('_', ' ').capitalize()} must be a number, not {value!r}.") from None


def whole(values: dict[str, Any], name: str, default: int, title: str) -> int:
    """A whole number from the browser.

    Raises:
        SettingsError: if it is none.
    """
    value = values.get(name, default)
    try:
        return int(str(default if value is None else value))
    except ValueError:
        raise SettingsError(f"{title} must be a whole number, not {value!r}.") from None


def paint_time(told: object) -> float | None:
    """The milliseconds that a browser says it paints for, or None where it says nothing, or what cannot be."""
    if not isinstance(told, int | float) or isinstance(told, bool) or not 0 <= told <= SLOWEST_PAINT_MS:
        return None
    return float(told)
