"""How a lesson's questions write numbers and tokens: as the pages do, which a test compares."""

from gpt2.trace.trace import Trace

MINUS, PER_CENT = "\N{MINUS SIGN}", "\N{NARROW NO-BREAK SPACE}%"


def number(value: float) -> str:
    """A value of any size: '0.125', '12.50', '−125.0'."""
    size = abs(value)
    text = f"{size:.{1 if size >= 100 else 2 if size >= 10 else 3}f}"
    return f"{MINUS}{text}" if value < 0 and text.strip("0.") else text


def percent(share: float) -> str:
    """A share in per cent: '12.3 %', '0.04 %', '<0.01 %'."""
    hundredths = 100 * float(share)
    if 0 < hundredths < 0.01:
        return f"<0.01{PER_CENT}"
    return f"{hundredths:.{2 if 0 < hundredths < 0.1 else 1}f}{PER_CENT}"


def spoken(label: str) -> str:
    """A token's label between the marks by which a page knows it for a token."""
    return f"\N{LEFT-TO-RIGHT ISOLATE}{label}\N{POP DIRECTIONAL ISOLATE}"


def token_at(trace: Trace, position: int) -> str:
    """The token at a position, and the position: '·time, at position 4'."""
    return f"{spoken(trace.labels[position])} at position {position}"


def places(trace: Trace) -> dict[int, str]:
    """All positions of a run, as options are written."""
    return {at: token_at(trace, at) for at in range(trace.seq)}


def head_name(layer: int, head: int) -> str:
    """One attention head: 'L2·H4'."""
    return f"L{layer}·H{head}"
