"""Plain values for frozen objects: numbers and sequences of any kind become Python's own, or are refused at once.

So whatever a run was made with can be compared, hashed, and saved as JSON.
"""

import math
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from gpt2.errors import SettingsError

T = TypeVar("T")
MOST_QUOTED = 60


def freeze(frozen: object, **values: Any) -> None:
    """Set fields of a frozen dataclass that is being made."""
    for name, value in values.items():
        object.__setattr__(frozen, name, value)


def number(value: object) -> int | float | None:
    """A number of any kind as Python's own int or float; None if it is none, as a truth value is."""
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, (int, np.integer)):
        return int(value)
    return float(value) if isinstance(value, (float, np.floating)) else None


def integer(value: object, what: str) -> int:
    """A whole number: an int, a NumPy integer, or a float without a fraction.

    Raises:
        SettingsError: if it is anything else; `what` begins the sentence.
    """
    plain = number(value)
    if plain is None or not math.isfinite(plain) or plain != int(plain):
        raise SettingsError(f"{what} must be a whole number, not {quoted(value)}.")
    return int(plain)


def integers(values: Iterable[object], what: str) -> tuple[int, ...]:
    """A sequence of whole numbers.

    Raises:
        SettingsError: if it is anything else.
    """
    return tuple(integer(value, f"Each of {what[0].lower()}{what[1:]}") for value in _elements(values, what))


def reals(values: Iterable[object], what: str) -> tuple[float, ...]:
    """One row of finite numbers: an array with one axis, or a sequence.

    Raises:
        SettingsError: if it is anything else.
    """
    try:
        row = np.asarray(values if hasattr(values, "__len__") else list(values))
        if row.ndim == 1 and row.dtype.kind in "iuf" and np.isfinite(row).all():
            return tuple(row.astype(np.float64).tolist())
    except (TypeError, ValueError, OverflowError):  # no sequence, or rows of several lengths
        pass
    raise SettingsError(f"{what} must be one row of finite numbers, not {quoted(values)}.")


def members(values: Iterable[T], kind: type[T], what: str) -> tuple[T, ...]:
    """A sequence of objects of one class.

    Raises:
        SettingsError: if it is anything else.
    """
    found = _elements(values, what)
    for value in found:
        if not isinstance(value, kind):
            raise SettingsError(f"{what} must be {kind.__name__} objects, not {quoted(value)}.")
    return found


def quoted(value: object) -> str:
    """A value on one line, cut to the length that a sentence can bear."""
    plain = number(value)
    text = " ".join(repr(value if plain is None else plain).split())
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}…"


def _elements(values: Iterable[T], what: str) -> tuple[T, ...]:
    try:
        if not isinstance(values, (str, bytes)):
            return tuple(values)
    except TypeError:
        pass
    raise SettingsError(f"{what} must be a sequence, not {quoted(values)}.")
