"""The next token in both models: its likeliest tokens side by side at one step, and a watched one along all steps."""

import altair as alt
import numpy as np

from gpt2.experiments.effect import Effect
from gpt2.model.sampling import most_likely, softmax
from gpt2.text.vocabulary import Vocabulary
from pages.charts.style import AltairChart, ChartData, Figure, dressed, in_rows, look, named, row_axis
from pages.look.numbers import bits, percent, round_above, signed
from pages.look.palette import Palette
from pages.look.tokens import spoken

BARS_TITLE, LINE_TITLE = "The next token at this step", "The watched token along the run"
BASE, CHANGED = "base", "changed"
EACH, ROW, HEIGHT = 6, 34, 220


def shown_tokens(effect: Effect) -> list[int]:
    """The likeliest tokens of both models, the base's order first."""
    both = [most_likely(np.asarray(logits)[None], EACH)[0].tolist() for logits in (effect.before, effect.after)]
    return list(dict.fromkeys([*both[0], *both[1], effect.token]))


def next_rows(effect: Effect, vocabulary: Vocabulary) -> ChartData:
    """Two rows a token."""
    chances = {BASE: softmax(effect.before), CHANGED: softmax(effect.after)}
    return [
        {
            "place": place,
            "token": vocabulary.label(token),
            "what": what,
            "probability": float(chances[what][token]),
            "written": percent(float(chances[what][token])),
        }
        for place, token in enumerate(shown_tokens(effect))
        for what in (BASE, CHANGED)
    ]


def next_bars(effect: Effect, vocabulary: Vocabulary, palette: Palette) -> Figure:
    """Bars from 0 to a round end, the base's grey and the changed model's strong."""
    rows = next_rows(effect, vocabulary)
    end = round_above(1.15 * max(row["probability"] for row in rows))
    return Figure(_next_look(palette, len(rows) // 2, end), {"next": rows})


@look
def _next_look(palette: Palette, n_tokens: int, end: float) -> AltairChart:
    base = in_rows(named("next"), "token").encode(
        y=alt.Y("row:N", axis=row_axis()),
        yOffset=alt.YOffset("what:N", scale=alt.Scale(domain=[BASE, CHANGED])),
        tooltip=[
            alt.Tooltip("token:N"),
            alt.Tooltip("what:N", title="model"),
            alt.Tooltip("probability:Q", format=".4%"),
        ],
    )
    x = alt.X(
        "probability:Q",
        scale=alt.Scale(domain=[0, end]),
        axis=alt.Axis(title="probability", format=".0%", tickCount=5),
    )
    colours = alt.Scale(domain=[BASE, CHANGED], range=[palette.muted, palette.sampling])
    bars = base.mark_bar().encode(x=x, color=alt.Color("what:N", scale=colours, legend=alt.Legend(title=None)))
    text = base.mark_text(align="left", dx=4, fontSize=11).encode(x=x, text="written:N")
    return dressed(bars + text, palette, ROW * n_tokens + 40)


def next_sentence(effect: Effect, vocabulary: Vocabulary) -> str:
    """The token's probability first, then its logit difference and the divergence."""
    token, against = (spoken(vocabulary.label(one)) for one in (effect.token, effect.against))
    before, after = effect.probability
    one, other = map(signed, effect.difference)
    return (
        f"{token} has {percent(before)} in the base and {percent(after)} changed. Its logit minus that of {against} "
        f"goes from {one} to {other}; KL(base ‖ changed) is {bits(effect.kl)}."
    )


def watched_rows(base: list[float], changed: list[float]) -> ChartData:
    """Two rows a step."""
    return [
        {"step": step, "what": what, "probability": chance}
        for what, chances in ((BASE, base), (CHANGED, changed))
        for step, chance in enumerate(chances)
    ]


def watched_lines(base: list[float], changed: list[float], step: int, palette: Palette) -> Figure:
    """Probability on [0, 1], on a square-root scale that shows small ones; the shown step has a rule."""
    shown = [{"step": min(step, len(base) - 1)}]
    return Figure(_watched_look(palette), {"watched": watched_rows(base, changed), "shown": shown})


@look
def _watched_look(palette: Palette) -> AltairChart:
    axis = alt.Axis(title="square-root scale", format=".0%", values=[0, 0.01, 0.1, 0.25, 0.5, 1])
    x = alt.X("step:Q", axis=alt.Axis(title="step", format="d", tickMinStep=1, grid=False), scale=alt.Scale(nice=False))
    colours = alt.Scale(domain=[BASE, CHANGED], range=[palette.muted, palette.watched])
    dashes = alt.Scale(domain=[BASE, CHANGED], range=[[6, 4], [1, 0]])
    legend = alt.Legend(title=None, symbolType="stroke", symbolSize=400)
    lines = (
        named("watched")
        .mark_line()
        .encode(
            x=x,
            y=alt.Y("probability:Q", scale=alt.Scale(type="sqrt", domain=[0, 1]), axis=axis),
            color=alt.Color("what:N", scale=colours, legend=legend),
            strokeDash=alt.StrokeDash("what:N", scale=dashes, legend=legend),
            tooltip=[
                alt.Tooltip("step:Q"),
                alt.Tooltip("what:N", title="model"),
                alt.Tooltip("probability:Q", format=".4%"),
            ],
        )
    )
    mark = named("shown").mark_rule(color=palette.sampling, strokeWidth=2).encode(x=x)
    return dressed(lines + mark, palette, HEIGHT)


def watched_sentence(token: int, base: list[float], changed: list[float], vocabulary: Vocabulary) -> str:
    """The step at which the change moves the token's probability most."""
    moved = np.subtract(changed, base)
    most = int(np.abs(moved).argmax())
    name = spoken(vocabulary.label(token))
    if not moved.any():
        return f"The change does not move {name} at any step."
    verb = "raises" if moved[most] > 0 else "lowers"
    return f"The change {verb} {name} most at step {most}: from {percent(base[most])} to {percent(changed[most])}."
