"""How a number is written, on every page, in every sentence, picture and tooltip; `numbers.js` follows the same rules.

| what | rule | example |
|---|---|---|
| a share | one decimal, two below 0.1 %, then '<0.01 %'; two decimals where it is looked up (a tooltip) | 12.3 % |
| a share at a glance (a small cell, a legend, the sharpest head) | no decimals; up to half of one, '<1 %' | 92 % |
| an entropy or a surprisal | two decimals | 3.91 bits |
| a duration | about three digits; a second and more in seconds | 17.1 ms |
| a value of any size: activations, scores, logits | three decimals, two from 10 on, one from 100 on | −0.125 |
| the same, if its sign is what matters | with a plus too; zero has no sign | +0.125 |
| an error of rounding | one digit and its power of ten | 3 × 10⁻⁷ |
| all others: norms, cosines, `u` | as many decimals as their sentence needs, the same at every step | 150.6 |

Positions, steps, layers, heads and dimensions count from 0, as in the names of hooks; ranks count from 1.

A half is rounded to the even digit, as Python does it. A minus is U+2212. Between a number and its unit is a space that
does not break: U+00A0, and the narrow U+202F before the sign for per cent. Parts that are listed with their total are
written so that they add up to it.
"""

import math
import re
from collections.abc import Sequence

SPACE, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
PER_CENT = "\N{NARROW NO-BREAK SPACE}%"

# An axis ends close above what is drawn; a colour scale that should seldom change has few ends.
ENDS = 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10
FEW_ENDS = 1, 2, 5, 10

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_PERCENT = re.compile(rf"(<?\d[\d.]*{PER_CENT})")


def fixed(value: float, digits: int) -> str:
    """A number with `digits` decimals: '−0.13'."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{MINUS if value < 0 else ''}∞"
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and re.search("[1-9]", text) else text


def number(value: float) -> str:
    """A value of any size, such as an activation: '0.125', '12.50', '125.0'."""
    size = abs(value)
    return fixed(value, 1 if size >= 100 else 2 if size >= 10 else 3)


def signed(value: float) -> str:
    """A value whose sign matters: '+0.125', '−0.125', and '0.000'."""
    text = number(value)
    return f"+{text}" if value > 0 and re.search("[1-9∞]", text) else text


def rounding_error(value: float) -> str:
    """A difference that should be 0, with one digit: '3 × 10⁻⁷', and '0'."""
    if not math.isfinite(value):
        return fixed(value, 0)
    digit, power = f"{abs(value):.0e}".split("e")
    exponent = str(int(power)).replace("-", "⁻").translate(_RAISED)
    return f"{digit}{SPACE}×{SPACE}10{exponent}" if value else "0"


def percent(share: float, digits: int = 1) -> str:
    """A share in per cent: '12.3 %', '0.04 %', '<0.01 %'; `digits` is 2 where the number is looked up."""
    hundredths = 100 * max(float(share), 0.0)
    if 0 < hundredths < 0.01:
        return f"<0.01{PER_CENT}"
    return f"{fixed(hundredths, 2 if 0 < hundredths < 0.1 else digits)}{PER_CENT}"


def whole_percent(share: float) -> str:
    """A share in per cent, at a glance: '92 %', '<1 %'."""
    hundredths = 100 * max(float(share), 0.0)
    return f"<1{PER_CENT}" if 0 < hundredths <= 0.5 else f"{fixed(hundredths, 0)}{PER_CENT}"


def adding_up(parts: Sequence[float], digits: int) -> list[float]:
    """The parts rounded so that they add up to their rounded total: those with the largest remainders are rounded up.

    The parts must not be negative.
    """
    scaled = [part * 10**digits for part in parts]
    units = [math.floor(part) for part in scaled]
    missing = round(sum(scaled)) - sum(units)
    by_remainder = sorted(range(len(parts)), key=lambda at: units[at] - scaled[at])
    for at in by_remainder[:missing]:
        units[at] += 1
    return [unit / 10**digits for unit in units]


def percent_parts(shares: Sequence[float], digits: int = 1) -> list[str]:
    """Shares that are listed with their total, in per cent; one that is not zero never reads as zero."""
    written = adding_up([100 * share for share in shares], digits)
    least = f"<{fixed(10**-digits, digits)}{PER_CENT}"
    return [
        least if share > 0 and not part else f"{fixed(part, digits)}{PER_CENT}"
        for share, part in zip(shares, written, strict=True)
    ]


def round_above(value: float, steps: Sequence[float] = ENDS) -> float:
    """The end of an axis or a colour scale: the first of `steps` times a power of ten that is at least `value`."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next((power * step for step in steps if power * step >= value * 0.9999), 10 * power)


def bits(value: float) -> str:
    """An entropy or a surprisal: '3.91 bits'."""
    return f"{fixed(value, 2)}{SPACE}bits"


def milliseconds(ms: float) -> str:
    """A duration with about three digits, a second and more in seconds: '0.52 ms', '17.1 ms', '250 ms', '1.20 s'."""
    if ms >= 1000:
        return f"{fixed(ms / 1000, 2)}{SPACE}s"
    return f"{fixed(ms, 0 if ms >= 99.5 else 1 if ms >= 1 else 2)}{SPACE}ms"


def bold_percents(text: str) -> list[str]:
    """The text in parts, plain, bold, plain, bold, ...; the bold ones are its per cents."""
    return _PERCENT.split(text)
