"""One head in three matrices: scores before the mask, after it, and after softmax; and the arithmetic of one cell."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.trace.trace import Trace
from pages.look.names import head_name
from pages.look.numbers import fixed, percent, rounding_error
from pages.look.tokens import spoken_at
from pages.matrix.blob import Picture
from pages.matrix.scale import share, signed

Array = NDArray[np.float32]
WINDOWS: dict[str, int | None] = {"Newest 32": 32, "Newest 64": 64, "All": None}
FORMULA = (
    r"\text{pattern}_{qk} = \frac{e^{s_{qk}}}{\sum_{j \le q} e^{s_{qj}}}, \qquad "
    r"s_{qk} = \frac{q_q \cdot k_k}{\sqrt{d_{\text{head}}}} + \begin{cases} 0 & k \le q \\ -\infty & k > q \end{cases}"
)


@dataclass(frozen=True)
class HeadMatrices:
    """One head's scores and pattern; the pictures show the positions from `start` on.

    Shapes: unmasked, masked, pattern [query, key], of all positions.
    """

    trace: Trace
    layer: int
    head: int
    start: int
    unmasked: Array
    masked: Array
    pattern: Array

    @classmethod
    def of(cls, trace: Trace, layer: int, head: int, window: int | None) -> "HeadMatrices":
        """The captures of one head; `window` is how many of the newest positions are shown, None for all.

        The scores before the mask are computed from the queries and keys.
        """
        name = f"blocks.{layer}.attn"
        q, k = (trace[f"{name}.hook_{part}"][:, head] for part in "qk")  # [seq, d_head]
        return cls(
            trace,
            layer,
            head,
            max(0, trace.seq - window) if window else 0,
            q @ k.T / np.float32(np.sqrt(trace.config.d_head)),
            trace[f"{name}.hook_attn_scores"][head],
            trace[f"{name}.hook_pattern"][head],
        )

    @property
    def name(self) -> str:
        """A short name, such as `L2·H4`."""
        return head_name(self.layer, self.head)

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns the pictures have."""
        return self.trace.seq - self.start, self.trace.seq - self.start

    @property
    def strongest(self) -> tuple[int, int]:
        """The newest query and the shown key it looks at most, as (row, column) of the pictures."""
        row = self.pattern[-1, self.start :]
        return len(row) - 1, int(row.argmax())

    @property
    def sentence(self) -> str:
        """Which positions are shown, and what a click does."""
        shown = self.trace.seq - self.start
        whole = self.start == 0
        count = f"All {shown} positions" if whole else f"The newest {shown} of {self.trace.seq} positions"
        return f"{count} are shown; click a cell to see it in all three matrices."

    def pictures(self, cell: tuple[int, int], height: int) -> list[Picture]:
        """The three matrices, from left to right; the captions quote `cell`, a (row, column) of them."""
        query, key = (at + self.start for at in cell)
        pair = f"{spoken_at(self.trace, query)} → {spoken_at(self.trace, key)}"
        window = np.s_[self.start :, self.start :]
        shown, row_sum = self.trace.seq - self.start, float(self.pattern[query, self.start :].sum())
        before, weight = float(self.unmasked[query, key]), float(self.pattern[query, key])
        product = fixed(before, 2)
        after = "−∞" if key > query else product
        allowed = np.isfinite(self.masked)
        error = rounding_error(float(np.abs(self.masked[allowed] - self.unmasked[allowed]).max()))
        captions = (
            f"{pair}: q · k / √{self.trace.config.d_head} = {product}; all are within {error} of hook_attn_scores.",
            f"{shown * (shown - 1) // 2:,} cells that look ahead become −∞; {pair} is {after}.",
            f"{pair}: {percent(weight)}. The shown part of its row sums to {percent(row_sum)}.",
        )
        values = (self.unmasked[window], self.masked[window], self.pattern[window])
        score = signed("score", self.unmasked[window])
        scales = (score, score, share("attention weight", "attention", square_root=True))
        titles = ("Scores, before the mask", "Scores, after the mask", "Pattern, after softmax")
        hooks = (
            f"blocks.{self.layer}.attn: hook_q · hook_k / √d_head [{self.head}, {{r}}, {{c}}]",
            f"blocks.{self.layer}.attn.hook_attn_scores[{self.head}, {{r}}, {{c}}]",
            f"blocks.{self.layer}.attn.hook_pattern[{self.head}, {{r}}, {{c}}]",
        )
        labels = self.trace.labels[self.start :]
        return [
            Picture(
                value,
                labels,
                labels,
                scale,
                f"{place} · {title}",
                caption,
                hook,
                row_start=self.start,
                column_start=self.start,
                mark_row=shown - 1,
                square=True,
                group="attention head",
                height=height,
            )
            for place, (value, scale, title, caption, hook) in enumerate(
                zip(values, scales, titles, captions, hooks, strict=True), start=1
            )
        ]

    def numbers(self, cell: tuple[int, int]) -> list[tuple[str, tuple[int, int, int]]]:
        """The hooks and indices of a cell's score and weight."""
        index = (self.head, cell[0] + self.start, cell[1] + self.start)
        return [(f"blocks.{self.layer}.attn.hook_{part}", index) for part in ("attn_scores", "pattern")]

    def operands(self, cell: tuple[int, int]) -> list[str]:
        """The numbers behind one cell, from the two vectors to its share of the row."""
        query, key = (at + self.start for at in cell)
        name, asks, answers = f"blocks.{self.layer}.attn", spoken_at(self.trace, query), spoken_at(self.trace, key)
        q, k = (self.trace[f"{name}.hook_{part}"][at, self.head] for part, at in (("q", query), ("k", key)))
        dot, d_head = float(q @ k), self.trace.config.d_head
        lines = [
            f"{name}.hook_q[{query}, {self.head}], {asks} asks: {_vector(q)}",
            f"{name}.hook_k[{key}, {self.head}], {answers} answers: {_vector(k)}",
            f"q · k / √d_head = {fixed(dot, 4)} / √{d_head} = {fixed(dot / np.sqrt(d_head), 4)}",
        ]
        if key > query:
            return [*lines, f"{answers} comes after {asks}: the score becomes −∞ and the weight 0."]
        scores = self.masked[query, : query + 1].astype(np.float64)
        top, score = scores.max(), scores[key]
        total = np.exp(scores - top).sum()
        own, most = fixed(score, 4), fixed(top, 4)
        return [
            *lines,
            f"{name}.hook_attn_scores[{self.head}, {query}, {key}] = {own}; the row's largest is {most}",
            f"softmax: exp({own} − {most}) / Σ exp(s − {most}) over {query + 1} keys = "
            f"{np.exp(score - top):.5f} / {total:.5f} = {np.exp(score - top) / total:.5f}",
            f"{name}.hook_pattern[{self.head}, {query}, {key}] = {self.pattern[query, key]:.5f}",
        ]


def _vector(values: Array, shown: int = 6) -> str:
    first = ", ".join(fixed(value, 3) for value in values[:shown])
    return f"[{first}, … {len(values)} numbers], norm {np.linalg.norm(values):.3f}"
