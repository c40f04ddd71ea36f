"""The logit lens: the next token that each layer would predict if the stack ended there (nostalgebraist, 2020)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.model.sampling import softmax
from gpt2.text.vocabulary import Vocabulary
from gpt2.trace.trace import Trace
from pages.look.names import layer_name
from pages.look.numbers import fixed, percent, rounding_error
from pages.look.tokens import spoken, spoken_at
from pages.matrix.blob import Picture
from pages.matrix.scale import share

Array = NDArray[np.float32]
ReadLens = Callable[[Array], Array]

TITLE = "What would each layer say next?"
FORMULA = (
    r"p^{(l)} = \text{softmax}\!\left(W_{\text{lm\_head}} \, \text{ln}_f\big(x^{(l)}\big)\right), \qquad "
    r"\text{ln}_f(x) = \frac{x - \mu}{\sqrt{\text{var}(x) + \epsilon}} \odot w + b, \qquad \mu = \text{mean of } x"
)
# The option that stands for the drawn token at every step.
DRAWN = -1
MAX_POSITIONS = 32
# How many logits are held at a time: this bounds memory if the vocabulary is large.
MAX_LOGITS = 8_000_000


def depths(n_layer: int) -> dict[str, str]:
    """Every depth that the lens reads, bottom first: its label and its hook."""
    return {"embed": "blocks.0.hook_resid_pre"} | {
        layer_name(layer): f"blocks.{layer}.hook_resid_post" for layer in range(n_layer)
    }


def window(trace: Trace) -> int:
    """How many of the newest positions are read: 32, or fewer if the vocabulary is large."""
    at_once = MAX_LOGITS // (trace.config.vocab_size * (trace.config.n_layer + 1))
    return max(1, min(MAX_POSITIONS, at_once, trace.seq))


@dataclass(frozen=True)
class LensGrid:
    """The top token of every depth at the newest positions.

    Attributes: `start` is the position of the first row.
    Shapes: tokens, probabilities [seq, depth], the bottom of the stack first.
    """

    start: int
    tokens: NDArray[np.int32]
    probabilities: Array

    @property
    def top(self) -> tuple[int, int]:
        """The newest position at the top of the stack, as (row, column)."""
        return self.tokens.shape[0] - 1, self.tokens.shape[1] - 1


def lens_grid(trace: Trace, read_lens: ReadLens) -> LensGrid:
    """Read the newest positions; those that a step has read already come from the step."""
    start = trace.seq - window(trace)
    hooks = depths(trace.config.n_layer).values()
    tokens = np.zeros((trace.seq, len(hooks)), np.int32)
    probabilities = np.zeros((trace.seq, len(hooks)), np.float32)
    known = {step.stop - 1: step.lens for step in trace.steps if step.lens is not None}
    for position, lens in known.items():
        tokens[position], probabilities[position] = lens.tokens[:, 0], lens.probabilities[:, 0]
    unread = [position for position in range(start, trace.seq) if position not in known]
    if unread:
        for depth, hook in enumerate(hooks):
            rows = np.stack([trace.row(hook, position) for position in unread])
            for position, logits in zip(unread, read_lens(rows), strict=True):
                best = int(logits.argmax())
                tokens[position, depth], probabilities[position, depth] = best, softmax(logits)[best]
    return LensGrid(start, tokens[start:], probabilities[start:])


def lens_picture(trace: Trace, grid: LensGrid, height: int) -> Picture:
    """Tokens down, depths across; each cell holds the top token, in bold if the text goes on with it."""
    names = depths(trace.config.n_layer)
    label = trace.vocabulary.label
    followers = trace.ids[grid.start + 1 :]
    bold = np.zeros(grid.tokens.shape, bool)
    for row, follower in enumerate(followers):
        bold[row] = grid.tokens[row] == follower
    count = len(grid.tokens)
    shown = (
        f"The newest {count} of {trace.seq} positions are read."
        if count < trace.seq
        else f"All {count} positions are read."
    )
    return Picture(
        grid.probabilities,
        trace.labels[grid.start :],
        list(names),
        share("probability of the top token (softmax of the lens's logits)", "sampling"),
        TITLE,
        f"{lens_sentence(trace, grid)} Bold marks the token that follows in the text. {shown} "
        "A click shows below how a token got its logit.",
        "softmax(lm_head(ln_f({column}[{r}])))",
        column_names=list(names.values()),
        row_start=grid.start,
        mark_row=count - 1,
        text=[[label(int(token)) for token in row] for row in grid.tokens],
        bold=bold,
        height=height,
    )


def number(trace: Trace, grid: LensGrid, cell: tuple[int, int]) -> tuple[str, int, int]:
    """The hook, the position and the token of a (row, column)."""
    row, depth = cell
    return list(depths(trace.config.n_layer).values())[depth], grid.start + row, int(grid.tokens[cell])


def lens_sentence(trace: Trace, grid: LensGrid) -> str:
    """The model's first choice after the newest token, and the depth from which it leads."""
    labels = list(depths(trace.config.n_layer))
    row = grid.tokens[-1]
    final = int(row[-1])
    since = next(depth for depth in range(len(row)) if (row[depth:] == final).all())
    first = "from the embedding on" if since == 0 else f"from {labels[since]} on"
    return (
        f"After {spoken_at(trace, -1)} the model's first choice is {spoken(trace.vocabulary.label(final))} "
        f"({percent(float(grid.probabilities[-1, -1]))}); it leads {first}."
    )


@dataclass(frozen=True)
class Watch:
    """One token followed through the stack at one position.

    Shapes: probabilities, ranks [depth], rank 1 the most likely.
    """

    token: int
    probabilities: NDArray[np.float64]
    ranks: NDArray[np.int64]


def newest_logits(trace: Trace, read_lens: ReadLens) -> Array:
    """The lens at the newest position, every depth, whole vocabulary. Shapes: -> [depth, vocab]."""
    return read_lens(np.stack([trace.row(hook, trace.seq - 1) for hook in depths(trace.config.n_layer).values()]))


def watch(logits: Array, token: int) -> Watch:
    """One token's probability and rank at every depth. Shapes: logits [depth, vocab]."""
    probabilities = np.array([softmax(row)[token] for row in logits])
    ranks = np.array([1 + int((row > row[token]).sum()) for row in logits])
    return Watch(token, probabilities, ranks)


def candidates(logits: Array, watched: object, count: int = 10) -> list[int]:
    """Tokens to watch: the drawn one, the model's likeliest, and the one that is watched already.

    Shapes: logits [depth, vocab].
    """
    likeliest = [int(token) for token in np.argsort(-logits[-1], kind="stable")[:count]]
    already = [watched] if isinstance(watched, int) and watched < logits.shape[1] else []
    return list(dict.fromkeys([DRAWN, *likeliest, *already]))


def candidate(trace: Trace, logits: Array, choice: int) -> int:
    """The token of an option; if no token was drawn, the likeliest replaces the drawn one."""
    if choice != DRAWN:
        return choice
    draw = trace.steps[-1].draw
    return int(logits[-1].argmax()) if draw is None else draw.token


def candidate_label(vocabulary: Vocabulary, choice: int) -> str:
    """The text of an option, the same at every step, because the browser remembers it.

    A widget outlives its rerun and holds the function that writes its options, so this takes no trace.
    """
    return "The drawn token" if choice == DRAWN else vocabulary.label(choice)


def no_lens_sentence(trace: Trace) -> str:
    """The sentence to show instead of the lens if other weights than the run's are loaded."""
    return (
        f"The logit lens needs the weights that made this run ({trace.model}), but others are loaded. "
        "Run a prompt of your own to read it."
    )


def operands(trace: Trace, logits: Array, watched: Watch) -> list[str]:
    """The watched token's numbers at the top of the stack, and the check against the model's own logits."""
    top, label = logits[-1].astype(np.float64), spoken(trace.vocabulary.label(watched.token))
    hook = list(depths(trace.config.n_layer).values())[-1]
    apart = float(np.abs(logits[-1] - trace.step(-1).logits).max())
    score, most = float(top[watched.token]), float(top.max())
    total = np.exp(top - most).sum()
    own, largest = fixed(score, 4), fixed(most, 4)
    return [
        f"{hook}[{trace.seq - 1}] → ln_f → lm_head: logit of {label} = {own}, largest {largest}",
        f"softmax: exp({own} − {largest}) / Σ exp(logit − {largest}) over {len(top):,} tokens = "
        f"{np.exp(score - most):.6f} / {total:.6f} = {watched.probabilities[-1]:.6f}",
        f"The lens at the top differs from the model's own logits by at most {rounding_error(apart)}.",
    ]
