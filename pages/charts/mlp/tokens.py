"""The tokens that one neuron promotes and suppresses most, read through the final norm and the unembedding."""

import altair as alt
import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.reading.neurons import promoted
from gpt2.text.vocabulary import Vocabulary
from pages.charts.style import AltairChart, ChartData, Figure, dressed, look, named, placed, row_axis, zero_line
from pages.look.numbers import number, round_above, rounding_error, signed
from pages.look.palette import Palette
from pages.look.tokens import spoken

from .measures import EFFECT, Measured

Array = NDArray[np.float32]
TITLE = "Which tokens does the chosen neuron promote?"
EACH, ROW_HEIGHT = 8, 21
FORMULA = (
    r"\text{effect}_n(t) = \frac{\text{post}_n\,(w_n - \bar{w}_n)}{s} \odot g \,\cdot\, u_t, \qquad "
    r"\text{promoted}_n(t) = \frac{(w_n - \bar{w}_n)}{s} \odot g \,\cdot\, u_t \;-\; \text{its mean over all } t"
)


def is_text(vocabulary: Vocabulary, token: int) -> bool:
    """Whether a token is whole characters that a text is made of: no part of one, no control character."""
    try:
        text = vocabulary[token].decode()
    except UnicodeDecodeError:
        return False
    return bool(text) and all(char.isprintable() or char in "\n\t" for char in text)


def first_texts(vocabulary: Vocabulary, values: Array) -> tuple[list[int], int]:
    """The tokens with the largest values that are text, and how many larger ones are left out as none."""
    found: list[int] = []
    left_out = 0
    for token in np.argsort(-values, kind="stable"):
        if len(found) == EACH:
            break
        if is_text(vocabulary, int(token)):
            found.append(int(token))
        else:
            left_out += 1
    return found, left_out


class Promoted:
    """The tokens at both ends of one neuron's list.

    Attributes:
        values: what an activation of 1 adds to each logit, compared with the mean of all tokens.
        most, least: the tokens that it promotes and suppresses most.
        left_out: how many tokens were passed over at either end because they are no text.

    Shapes: values [vocab].
    """

    def __init__(self, measured: Measured, checkpoint: Checkpoint, neuron: int) -> None:
        """Read the neuron's vector through the unembedding."""
        self.measured, self.neuron = measured, neuron
        self.values = promoted(checkpoint, measured.neurons, neuron)
        vocabulary = measured.trace.vocabulary
        self.most, above = first_texts(vocabulary, self.values)
        self.least, below = first_texts(vocabulary, -self.values)
        self.left_out = above + below


def token_rows(shown: Promoted) -> ChartData:
    """The promoted tokens, then the suppressed ones, the most suppressed last."""
    label, post = shown.measured.trace.vocabulary.label, float(shown.measured.neurons.post[shown.neuron])
    ends = {"promotes": shown.most, "suppresses": shown.least[::-1]}
    return [
        {
            "place": placed(place, label(token)),
            "token": label(token),
            "id": token,
            "what": what,
            "value": float(shown.values[token]),
            "here": post * float(shown.values[token]),
        }
        for place, (what, token) in enumerate((what, token) for what, tokens in ends.items() for token in tokens)
    ]


def tokens_chart(shown: Promoted, palette: Palette) -> Figure:
    """Bars to both sides of 0."""
    rows = token_rows(shown)
    return Figure(_look(palette, round_above(max(abs(row["value"]) for row in rows))), {"tokens": rows})


@look
def _look(palette: Palette, limit: float) -> AltairChart:
    kinds = ["promotes", "suppresses"]
    across = alt.Scale(domain=[-limit, limit], nice=False)
    bars = (
        named("tokens")
        .mark_bar(height=13)
        .encode(
            x=alt.X("value:Q", scale=across, axis=alt.Axis(title="logits per activation of 1", tickCount=5)),
            y=alt.Y("place:N", axis=row_axis()),
            color=alt.Color(
                "what:N",
                scale=alt.Scale(domain=kinds, range=[palette.positive, palette.negative]),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("token:N"),
                alt.Tooltip("id:Q"),
                alt.Tooltip("value:Q", title="for an activation of 1", format="+.4f"),
                alt.Tooltip("here:Q", title="for this activation", format="+.4f"),
            ],
        )
    )
    return dressed(bars + zero_line(), palette, 2 * EACH * ROW_HEIGHT)


def tokens_sentence(shown: Promoted) -> str:
    """Both ends of the list, and which way the neuron's activation pushes them at this token."""
    measured, neuron = shown.measured, shown.neuron
    post, name = float(measured.neurons.post[neuron]), measured.name(neuron)
    both = shown.most[0], shown.least[0]
    first, last = (spoken(measured.trace.vocabulary.label(token)) for token in both)
    up, down = (signed(post * float(shown.values[token])) for token in both)
    way = "with this list" if post > 0 else "against this list" if post < 0 else "nothing"
    own = signed(float(measured.values[EFFECT][neuron]))
    return (
        f"{name} promotes {first} most and suppresses {last} most. Its activation at {measured.here} is "
        f"{number(post)}, so it pushes {way}: {first} by {up} and {last} by {down}, compared with the mean of all "
        f"tokens. To the logit of {measured.target_label}, which comes next, it adds {own}."
    )


def caption(shown: Promoted) -> str:
    """What is left out, in a word."""
    if not shown.left_out:
        return "Logits through the final norm as it is at this token; what later layers make of it is not in them."
    return (
        f"{shown.left_out:,} tokens between these are left out: parts of characters and control characters, of which "
        "a model sees few or none in training. What later layers make of the vector is not in these logits."
    )


def operands(shown: Promoted, checkpoint: Checkpoint) -> list[str]:
    """The chosen neuron's effect with its own numbers, and the check that all neurons add up to the MLP's output."""
    measured, neurons, at = shown.measured, shown.measured.neurons, shown.neuron
    name = f"h.{neurons.layer}.mlp.c_proj"
    weight, bias = (checkpoint.weights[f"{name}.{part}"].astype(np.float64) for part in ("weight", "bias"))
    out = measured.trace.row(f"blocks.{neurons.layer}.hook_mlp_out", neurons.position)
    off = float(np.abs(weight @ neurons.post + bias - out).max())
    length = float(np.linalg.norm(weight[:, at]))
    post, effect = float(neurons.post[at]), float(measured.values[EFFECT][at])
    return [
        f"{name}.weight[:, {at}] has norm {number(length)}; times {number(post)} it is a vector of norm "
        f"{number(abs(post) * length)}.",
        f"ln_final.hook_scale[{neurons.position}] = {number(neurons.scale)}, so its direct effect on the logit of "
        f"{measured.target_label} is {number(post)} · {number(effect / post if post else 0.0)} = {signed(effect)}.",
        "An intervention changed hook_mlp_out, so the neurons do not add up to it."
        if measured.is_changed
        else f"All neurons and the bias together differ from hook_mlp_out by at most {rounding_error(off)}.",
    ]
