"""The tree: a line a run from the step at which it parts, a point a token, and probabilities where the ways part."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from gpt2.text.vocabulary import Vocabulary
from gpt2.trace.trace import Trace
from pages.charts import style
from pages.charts.style import ChartData
from pages.look.numbers import bits, percent
from pages.look.palette import Palette
from pages.look.tokens import spoken

TITLE = "The tree"
ROW, BEFORE = 46, 90  # pixels of a run's line; letters of the text before a branch


@dataclass(frozen=True)
class Lane:
    """One run of the tree.

    Attributes:
        title: what it is called.
        trace: its numbers; without steps if they were freed.
        ids: all its tokens.
        parent: the lane that it leaves; None for the first run.
        step: the step at which it leaves.
        token, chance: the token that it has there, and its probability by the model.
        instead, instead_chance: the parent's token there, None if it has none, and its probability.
        is_chosen: whether a person chose that token; else it was drawn with other settings.
        is_on_stage: whether the other pages show it.
    """

    title: str
    trace: Trace
    ids: tuple[int, ...]
    parent: int | None = None
    step: int = 0
    token: int = 0
    chance: float = 1.0
    instead: int | None = None
    instead_chance: float = 0.0
    is_chosen: bool = True
    is_on_stage: bool = False


def in_order(lanes: Sequence[Lane]) -> list[int]:
    """The lanes from top to bottom: each before those that leave it, and among these the last to leave first."""
    found: list[int] = []

    def visit(at: int) -> None:
        found.append(at)
        for child in sorted((n for n, lane in enumerate(lanes) if lane.parent == at), key=lambda n: -lanes[n].step):
            visit(child)

    visit(0)
    return found


def tree_rows(lanes: Sequence[Lane], vocabulary: Vocabulary, n_prompt: int) -> dict[str, ChartData]:
    """Lines, points, elbows and labels. Steps are counted as everywhere: step n draws the n-th token."""
    row_of = {lane: row for row, lane in enumerate(in_order(lanes))}
    lines: ChartData = []
    points: ChartData = []
    elbows: ChartData = []
    labels: ChartData = []
    told: set[tuple[int, int]] = set()
    for at, lane in enumerate(lanes):
        row, last = row_of[at], max(lane.step, len(lane.ids) - n_prompt - 1)
        lines.append({"x": lane.step, "x2": last, "row": row, "stage": lane.is_on_stage})
        labels.append({"x": last, "row": row, "text": lane.title, "kind": "title", "stage": lane.is_on_stage})
        for step, token in enumerate(lane.ids[n_prompt:]):
            if step >= lane.step:
                points.append(_point(lane, row, step, vocabulary.label(token)))
        if lane.parent is None:
            continue
        above = row_of[lane.parent]
        elbows.append({"x": lane.step, "row": above, "row2": row})
        text = f"{vocabulary.label(lane.token)} {percent(lane.chance)}"
        labels.append({"x": lane.step, "row": row, "text": text, "kind": "edge", "stage": lane.is_on_stage})
        if lane.instead is not None and (above, lane.step) not in told:
            told.add((above, lane.step))
            text = f"{vocabulary.label(lane.instead)} {percent(lane.instead_chance)}"
            labels.append({"x": lane.step, "row": above, "text": text, "kind": "instead", "stage": False})
    return {"lines": lines, "points": points, "elbows": elbows, "labels": labels}


def _point(lane: Lane, row: int, step: int, label: str) -> dict[str, object]:
    """One token; without a probability where the run's numbers were freed."""
    surprisal = lane.trace.steps[step].choice[1] if step < len(lane.trace.steps) else None
    chance = None if surprisal is None else 2.0**-surprisal
    by_hand = lane.is_chosen and lane.parent is not None and step == lane.step
    how = "chosen by hand" if by_hand else "drawn"
    return {"x": step, "row": row, "token": label, "chance": chance, "surprisal": surprisal, "how": how}


def tree_chart(
    lanes: Sequence[Lane], vocabulary: Vocabulary, n_prompt: int, step: int, palette: Palette, is_narrow: bool = False
) -> style.Figure:
    """The tree over its steps; the shown step has a band, and the run on the stage the colour of sampling.

    On a narrow page only the chosen tokens are written, as those of the parents would cover them.
    """
    rows = tree_rows(lanes, vocabulary, n_prompt)
    last = max(row["x2"] for row in rows["lines"])
    return style.Figure(_look(palette, last, len(lanes), is_narrow), {"shown": [{"x": step}], **rows})


@style.look
def _look(palette: Palette, last: int, n_lanes: int, is_narrow: bool) -> style.AltairChart:
    x = alt.X("x:Q", title="step", scale=alt.Scale(domain=[-0.5, last + 2.5 + 0.12 * last], nice=False))
    x = x.axis(grid=False, tickMinStep=1, format="d")
    lane = alt.Scale(domain=[-0.6, n_lanes - 0.4], reverse=True, nice=False)
    y = alt.Y("row:Q", scale=lane, axis=None)
    colour = alt.when("datum.stage").then(alt.value(palette.sampling)).otherwise(alt.value(palette.muted))
    tip = [
        alt.Tooltip("token:N", title="token"),
        alt.Tooltip("x:Q", title="step"),
        alt.Tooltip("how:N", title="how"),
        alt.Tooltip("chance:Q", title="by the model", format=".3%"),
        alt.Tooltip("surprisal:Q", title="surprisal, bits", format=".2f"),
    ]
    shade = alt.Color("chance:Q", scale=style.probability_scale(palette, palette.sampling, True), legend=None)
    labels = style.named("labels")
    layers = [
        style.named("shown").mark_rule(color=palette.sampling, strokeWidth=10, opacity=0.18).encode(x=x),
        style.named("elbows").mark_rule(color=palette.muted, strokeWidth=1.5).encode(x=x, y=y, y2="row2:Q"),
        style.named("lines").mark_rule(strokeWidth=2).encode(x=x, x2="x2:Q", y=y, color=colour),
        style.named("points")
        .mark_circle(size=70, opacity=1, stroke=palette.muted, strokeWidth=1)
        .encode(x=x, y=y, color=shade, tooltip=tip),
        labels.transform_filter("datum.kind == 'title'")
        .mark_text(align="left", dx=9, fontSize=style.LABEL)
        .encode(x=x, y=y, text="text:N", color=colour),
        labels.transform_filter("datum.kind == 'edge'" if is_narrow else "datum.kind != 'title'")
        .mark_text(align="left", dx=7, dy=-11, font=style.MONO, fontSize=style.LABEL, color=palette.text)
        .encode(x=x, y=y, text="text:N"),
    ]  # fmt: skip
    return style.dressed(alt.layer(*layers), palette, ROW * n_lanes + 40)


def tree_sentence(lanes: Sequence[Lane], vocabulary: Vocabulary) -> str:
    """How many branches there are, and the least likely choice among them."""
    branches = [lane for lane in lanes if lane.parent is not None]
    if not branches:
        return "There is no branch yet: press a token above, and the run goes on from there beside the one you see."
    many = f"{len(branches)} branches" if len(branches) > 1 else "One branch"
    redrawn = sum(not lane.is_chosen for lane in branches)
    if redrawn == len(branches):
        return f"{many}, drawn with other settings from there on. A darker point is a likelier token."
    rare = min((lane for lane in branches if lane.is_chosen), key=lambda lane: lane.chance)
    many += f", {redrawn} of them drawn with other settings" if redrawn else ""
    instead = (
        ""
        if rare.instead is None
        else (f" in place of {spoken(vocabulary.label(rare.instead))} ({percent(rare.instead_chance)})")
    )
    return (
        f"{many}. The boldest choice is {spoken(vocabulary.label(rare.token))} at step {rare.step}, to which the model "
        f"gave {percent(rare.chance)}{instead}. A darker point is a likelier token."
    )


def choice_sentence(trace: Trace, step: int) -> str:
    """What the run drew at a step, and how likely that was by the model."""
    at = trace.steps[step]
    if at.draw is None:
        return f"At step {step} nothing was drawn."
    label, (entropy, surprisal) = spoken(trace.vocabulary.label(at.draw.token)), at.choice
    how = "you chose" if at.draw.is_chosen else "the run drew"
    chance = percent(2.0 ** -(surprisal or 0.0))
    return f"At step {step} {how} {label}, to which the model gave {chance}; the choice had {bits(entropy)} of entropy."


def marked_text(ids: Sequence[int], place: int, vocabulary: Vocabulary, before: int | None = BEFORE) -> str:
    """A text with the token at a place marked, from some letters before it on (None: from its beginning)."""
    head = vocabulary.text(list(ids[:place]))
    if before is not None and len(head) > before:
        head = f"…{head[-before:]}"
    if place >= len(ids):
        return head
    return f"{head}{spoken(vocabulary.label(ids[place]))}{vocabulary.text(list(ids[place + 1 :]))}"
