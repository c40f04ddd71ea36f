"""One query and one key of a head: the vectors behind their score, and the score as a sum of products."""

from dataclasses import dataclass

import altair as alt
import numpy as np
from numpy.typing import NDArray

from pages.look.numbers import fixed, percent, rounding_error, signed
from pages.look.palette import Palette
from pages.look.tokens import spoken_at
from pages.matrix.blob import Picture
from pages.matrix.scale import signed as signed_scale

from .attention_head import HeadMatrices
from .style import (
    LABEL,
    MONO,
    AltairChart,
    ChartData,
    Figure,
    dressed,
    in_rows,
    look,
    named,
    room,
    room_beyond,
    row_axis,
    zero_line,
)

Array = NDArray[np.float32]
TITLE = "The score as a sum of products"
BARS, ROW_HEIGHT = 8, 23
ROOM = 0.35  # for the written numbers, as a share of what the bars take
KINDS = ADDS, TAKES, SCORE = ("adds to the score", "takes from it", "the score")


@dataclass(frozen=True)
class PairOfTokens:
    """A query's and a key's vectors in one head, from the captures.

    Shapes: q, k, v [d_head]; v is the key's.
    """

    matrices: HeadMatrices
    query: int
    key: int
    q: Array
    k: Array
    v: Array

    @classmethod
    def of(cls, matrices: HeadMatrices, cell: tuple[int, int]) -> "PairOfTokens":
        """The query and the key of a (row, column) of the head's pictures."""
        query, key = (at + matrices.start for at in cell)
        places, name = zip("qkv", (query, key, key), strict=True), f"blocks.{matrices.layer}.attn"
        return cls(
            matrices, query, key, *(matrices.trace.row(f"{name}.hook_{part}", at)[matrices.head] for part, at in places)
        )

    @property
    def spoken(self) -> tuple[str, str]:
        """The query's and the key's token, as a sentence writes them."""
        return spoken_at(self.matrices.trace, self.query), spoken_at(self.matrices.trace, self.key)

    @property
    def products(self) -> Array:
        """What each dimension adds to the score. Shapes: [d_head]."""
        products: Array = self.q * self.k / np.float32(np.sqrt(len(self.q)))
        return products

    @property
    def score(self) -> float:
        """The products' sum."""
        return float(self.products.sum(dtype=np.float64))

    @property
    def order(self) -> list[int]:
        """The dimensions by the size of their products, largest first."""
        return [int(at) for at in np.argsort(-np.abs(self.products), kind="stable")]


def strips(pair: PairOfTokens, height: int) -> Picture:
    """The query, the key, their products and the key's value, a dimension a column."""
    width = len(pair.q)
    values = np.stack([pair.q, pair.k, pair.products, pair.v])
    asks, answers = pair.spoken
    head = pair.matrices.head
    return Picture(
        values,
        ["q", "k", f"q × k / √{width}", "v"],
        [str(dimension) for dimension in range(width)],
        signed_scale("value", values),
        "Query, key and value",
        f"{asks} asks with its query q, {answers} answers with its key k; what {answers} hands over is its value v, "
        f"of length {np.linalg.norm(pair.v):.2f}.",
        f"blocks.{pair.matrices.layer}.attn",
        row_names=[
            f"hook_q[{pair.query}, {head}]",
            f"hook_k[{pair.key}, {head}]",
            "their product",
            f"hook_v[{pair.key}, {head}]",
        ],
        column_title="dimension",
        height=height,
    )


def term_rows(pair: PairOfTokens) -> ChartData:
    """One row for each of the largest products, one for the others together, and one for the score."""
    products, order = pair.products.astype(np.float64), pair.order
    shown, rest = order[:BARS], order[BARS:]
    terms = [(f"dimension {at}", float(products[at])) for at in shown]
    if rest:
        terms.append((f"{len(rest)} others", float(products[rest].sum())))
    rows: ChartData = [
        {"place": place, "term": term, "value": value, "written": signed(value), "what": TAKES if value < 0 else ADDS}
        for place, (term, value) in enumerate(terms)
    ]
    score = {"term": f"all {len(order)}", "value": pair.score, "written": signed(pair.score), "what": SCORE}
    return [*rows, {"place": len(rows), **score}]


def term_bars(pair: PairOfTokens, palette: Palette) -> Figure:
    """Bars about 0: orange adds to the score, blue takes from it."""
    rows = term_rows(pair)
    return Figure(_look(palette), {"terms": rows, "room": room_beyond((row["value"] for row in rows), ROOM)})


@look
def _look(palette: Palette) -> AltairChart:
    base = in_rows(named("terms"), "term").encode(y=alt.Y("row:N", axis=row_axis()))
    bars = base.mark_bar(height=13).encode(
        x=alt.X("value:Q", scale=alt.Scale(nice=False), axis=alt.Axis(title="added to the score", tickCount=4)),
        color=alt.Color(
            "what:N",
            scale=alt.Scale(domain=list(KINDS), range=[palette.positive, palette.negative, palette.residual]),
            legend=alt.Legend(title=None),
        ),
        tooltip=[alt.Tooltip("term:N", title="of q × k"), alt.Tooltip("value:Q", title="adds", format="+.4f")],
    )
    text = base.mark_text(align="right", font=MONO, fontSize=LABEL).encode(x=alt.value("width"), text="written:N")
    return dressed(room() + zero_line() + bars + text, palette, ROW_HEIGHT * (BARS + 2))


def terms_sentence(pair: PairOfTokens) -> str:
    """The score, the dimension that counts most, and what the mask and softmax make of it."""
    (asks, answers), first, root = pair.spoken, pair.order[0], f"√{len(pair.q)}"
    said = (
        f"{asks} → {answers}: {len(pair.q)} products q × k / {root} add up to the score {fixed(pair.score, 2)}. "
        f"Dimension {first} counts most, {signed(float(pair.products[first]))}."
    )
    if pair.key > pair.query:
        return f"{said} The key comes later, so the mask hides it."
    error = rounding_error(abs(pair.score - float(pair.matrices.masked[pair.query, pair.key])))
    weight = percent(float(pair.matrices.pattern[pair.query, pair.key]))
    return f"{said} That is within {error} of hook_attn_scores, and softmax makes of it a weight of {weight}."
