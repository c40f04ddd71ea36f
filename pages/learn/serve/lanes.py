"""Answers as HTML: their texts, and requests as lanes with the pages of the cache that each one owns, filling."""

from html import escape

from pages.look.palette import Palette

from .answers import PAGE, Answer, Answers
from .words import answer_sentence

CSS = """<style>
.lanes { display: grid; grid-template-columns: max-content minmax(6rem, 1fr) 19rem; gap: 0.3rem 0.75rem;
  align-items: center; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
.lanes .pages { display: flex; gap: 3px; }
.lanes .page { flex: 1; height: 1.1rem; border-radius: 3px; }
.lanes .key { white-space: nowrap; margin-left: 0.8rem; }
.lanes .key i { display: inline-block; width: 0.8rem; height: 0.8rem; border-radius: 2px; margin-right: 0.3rem; }
@media (max-width: 640px) {
  .lanes { grid-template-columns: max-content 1fr; }
  .lanes .rate { grid-column: 2; margin-bottom: 0.35rem; }
}
</style>"""


def lanes_html(answers: Answers, colours: Palette) -> str:
    """All requests, a lane each, that alone first.

    Shapes: every lane has the pages of a whole answer, so nothing moves while they fill.
    """
    rows = [lane("alone", answers.alone, answers, colours)]
    rows += [lane(f"{at} of {len(answers.among)}", one, answers, colours) for at, one in enumerate(answers.among, 1)]
    key = (
        f'<div class="rate" style="grid-column: 2 / -1; color: {colours.muted}">A box is a page of {PAGE} positions.'
        f'<span class="key"><i style="background: {colours.token}"></i>prompt</span>'
        f'<span class="key"><i style="background: {colours.sampling}"></i>answer</span></div>'
    )
    return f'{CSS}<div class="lanes"><span></span>{key}{"".join(rows)}</div>'


def text_html(answer: Answer, title: str, colours: Palette) -> str:
    """The text of an answer, letter by letter, in a box that keeps its height: while it comes, its end is in sight."""
    way = "column" if answer.is_over else "column-reverse"
    return (
        f'<div tabindex="0" role="region" aria-label="{escape(title)}" style="height: 10rem; overflow-y: auto; '
        f"display: flex; flex-direction: {way}; padding: 0.6rem 0.8rem; border: 1px solid {colours.line}; "
        f'border-radius: 8px; background: {colours.panel}"><div style="white-space: pre-wrap; font-size: 0.95rem">'
        f"{escape(answer.text) or '…'}</div></div>"
    )


def lane(name: str, answer: Answer, answers: Answers, colours: Palette) -> str:
    """One request."""
    boxes = "".join(page(at, answer, answers, colours) for at in range(answers.most_pages))
    return (
        f'<span>{escape(name)}</span><div class="pages" aria-hidden="true">{boxes}</div>'
        f'<span class="rate" style="color: {colours.muted}">{escape(answer_sentence(answer))}</span>'
    )


def page(at: int, answer: Answer, answers: Answers, colours: Palette) -> str:
    """One page: filled from the left, with the prompt's positions and the answer's; dashed while nobody owns it."""
    held = answers.positions(answer)
    prompt = share(min(held, answers.prompt_tokens), at)
    made = share(held, at)
    is_owned = at < answers.pages(answer)
    fill = (
        f"linear-gradient(to right, {colours.token} {prompt}%, {colours.sampling} {prompt}% {made}%, "
        f"{colours.panel} {made}%)"
    )
    border = f"1px {'solid' if is_owned else 'dashed'} {colours.muted if is_owned else colours.line}"
    return f'<span class="page" style="border: {border}; background: {fill}"></span>'


def share(positions: int, at: int) -> float:
    """How much of the page number `at` so many positions fill, in per cent."""
    return round(100 * min(max(positions - at * PAGE, 0), PAGE) / PAGE, 2)
