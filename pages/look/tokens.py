"""How a token is written inside a sentence: marked, so that it looks like a token and is never read as prose.

The mark is a pair of characters that nobody sees and no label holds: they isolate the direction of what stands between
them, and by them a page knows what to set in a monospace face. `tokens.js` follows the same rule.
"""

import re

from gpt2.text.characters import split_character_at
from gpt2.trace.trace import Trace

BEGIN, END = "\N{LEFT-TO-RIGHT ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"

_TOKEN = re.compile(f"{BEGIN}([^{END}]*){END}")
# What would be markup: the last letter of each is taken literally.
_MARKUP = re.compile(r"[\\`*_\[\]<>#$~|&]|:(?=\w)|^\s*[-+=]|^\s*\d+[.)]")


def spoken(label: str) -> str:
    """A token's label, marked as a token."""
    return f"{BEGIN}{label}{END}"


def spoken_at(trace: Trace, position: int) -> str:
    """The token at a computed position (-1 is the newest); with a character, if it holds a part of one."""
    at = range(trace.seq)[position]
    text = spoken(trace.vocabulary.label(trace.ids[at]))
    shared = split_character_at(trace.vocabulary, trace.ids, at)
    return text if shared is None else f"{text} (part of {spoken(shared.label)})"


def unmarked(sentence: str) -> str:
    """The sentence without the marks of its tokens."""
    return _TOKEN.sub(r"\1", sentence)


def markdown(sentence: str) -> str:
    """The sentence as Markdown that shows it letter by letter, its tokens as code."""
    parts = _TOKEN.split(sentence)
    return "".join(_code(part) if n % 2 else _literal(part) for n, part in enumerate(parts))


def _literal(text: str) -> str:
    return _MARKUP.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", text)


def _code(label: str) -> str:
    """A code span: between more backticks than stand together in the label, and blanks that Markdown takes away."""
    longest = max((len(run) for run in re.findall("`+", label)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {label} {fence}"
