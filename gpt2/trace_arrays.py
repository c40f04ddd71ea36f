"""The arrays of a trace file: every capture over all positions, or what a squeezed run has left of them.

A whole run has one array for each hook. A squeezed one has the points of the residual stream in float32, each pattern
as its lower triangle in float16, row after row, the logits of its newest steps, and its steps' summaries; a bare one
has no patterns and no points between attention and MLP. All steps are squeezed alike; what they let go is not there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .captures import BARE, PATTERN, STREAM, UNREAD, WHOLE, Captures, Triangle
from .config import GPT2Config
from .errors import TraceError
from .hooks import BLOCK_HOOKS, hook_axes
from .step import NORMS, Summary
from .trace import Trace

Arrays = dict[str, NDArray[Any]]
SUMMARY = ("summary.norms", "summary.value_norms", "summary.choice")


@dataclass(frozen=True)
class Layout:
    """What decides the arrays' names and shapes.

    Attributes:
        config: the model's.
        starts: the position at which each step starts, and after them how many positions there are.
        level: how far all steps are squeezed: WHOLE, STREAM or BARE.
        first_logits: the first step that has its logits.
    """

    config: GPT2Config
    starts: tuple[int, ...]
    level: int
    first_logits: int

    @property
    def seq(self) -> int:
        """How many positions there are."""
        return self.starts[-1]

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.starts) - 1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every array that must be there, by name."""
        config, seq = self.config, self.seq
        size = {"seq": seq, "query": seq, "key": seq, "head": config.n_head, "d_head": config.d_head}
        size |= {"d_model": config.n_embd, "d_mlp": config.n_inner}
        axes = hook_axes(config.n_layer)
        logits = {"logits": (self.steps - self.first_logits, config.vocab_size)}
        if self.level == WHOLE:
            return {name: tuple(size[axis] for axis in axes[name]) for name in axes} | logits
        points = ("hook_embed", "hook_pos_embed", "hook_resid_pre", *(["hook_resid_mid"] * (self.level < BARE)))
        stream = {name: (seq, config.n_embd) for name in axes if name.endswith(points)}
        triangle = (config.n_head, seq * (seq + 1) // 2)
        patterns = {name: triangle for name in axes if name.endswith(PATTERN) and self.level < BARE}
        top = {f"blocks.{config.n_layer - 1}.hook_resid_post": (seq, config.n_embd)}
        shapes = ((len(NORMS), config.n_layer, seq), (config.n_layer, seq, config.n_head), (self.steps, 2))
        return stream | patterns | top | dict(zip(SUMMARY, shapes, strict=True)) | logits

    def nbytes(self) -> int:
        """Bytes of all arrays in float32, patterns of squeezed runs in float16."""
        sizes = ((name, 4 * int(np.prod(shape, dtype=np.int64))) for name, shape in self.shapes().items())
        return sum(size // 2 if self.level > WHOLE and name.endswith(PATTERN) else size for name, size in sizes)


def least_arrays(n_layer: int, level: int) -> int:
    """How many arrays a run of this many layers has at least."""
    return n_layer * {WHOLE: len(BLOCK_HOOKS), STREAM: 3, BARE: 1}[level]


def to_arrays(trace: Trace, layout: Layout, half: bool) -> Iterator[tuple[str, NDArray[Any]]]:
    """All arrays of a trace whose steps are all at the layout's level, one by one: together they may be large.

    Whole captures are float16 with `half`.
    """
    kind = np.float16 if half and layout.level == WHOLE else np.float32
    logits = [step.logits for step in trace.steps[layout.first_logits :]]
    yield "logits", np.stack(logits) if logits else np.zeros((0, trace.config.vocab_size), np.float32)
    for name in layout.shapes():
        if layout.level > WHOLE and name.endswith(PATTERN):
            yield name, trace[name][:, np.tri(layout.seq, dtype=bool)].astype(np.float16)
        elif name != "logits" and name not in SUMMARY:
            yield name, trace[name].astype(kind)
    if layout.level > WHOLE:
        choices = [step.choice for step in trace.steps]
        told = [(entropy, np.nan if surprisal is None else surprisal) for entropy, surprisal in choices]
        yield from zip(SUMMARY, (trace.norms, trace.value_norms, np.array(told)), strict=True)
        for layer in range(trace.config.n_layer - 1):
            # There only where an intervention adds to the stream in between; see `captures`.
            below = f"blocks.{layer}.hook_resid_post"
            if not np.array_equal(trace[below], trace[f"blocks.{layer + 1}.hook_resid_pre"]):
                yield below, trace[below]


def from_arrays(arrays: Arrays, layout: Layout) -> list[tuple[Captures, Summary | None]]:
    """Every step's captures and summary. Takes what it has read out of `arrays`, which may be large.

    Raises:
        TraceError: if an array has not the shape that its axes have in this config, or holds what no run leaves behind.
    """
    stored: list[dict[str, Any]] = [{} for _ in range(layout.steps)]
    spans = list(zip(layout.starts, layout.starts[1:], strict=False))
    for name, shape in layout.shapes().items():
        if name in SUMMARY:
            continue
        whole = _checked(name, arrays.pop(name), shape)
        for index, (start, stop) in enumerate(spans):
            if name == "logits":
                if index >= layout.first_logits:
                    stored[index][name] = whole[index - layout.first_logits][None].copy()
            elif not name.endswith(("attn_scores", PATTERN)):
                stored[index][name] = whole[start:stop].copy()
            elif layout.level == WHOLE:
                stored[index][name] = whole[:, start:stop, :stop].copy()
            else:
                rows = whole[:, start * (start + 1) // 2 : stop * (stop + 1) // 2]
                stored[index][name] = Triangle.of(_square(rows, start, stop))
    if layout.level == WHOLE:
        return [(Captures(captures), None) for captures in stored]
    for layer in range(layout.config.n_layer - 1):
        below, above = f"blocks.{layer}.hook_resid_post", f"blocks.{layer + 1}.hook_resid_pre"
        given = arrays.pop(below, None)
        post = None if given is None else _checked(below, given, (layout.seq, layout.config.n_embd))
        for captures, (start, stop) in zip(stored, spans, strict=True):
            captures[below] = captures[above]
            if post is not None and not np.array_equal(post[start:stop], captures[above]):
                captures[below] = post[start:stop].copy()
    shapes = layout.shapes()
    norms, value_norms = (_checked(name, arrays[name], shapes[name]) for name in SUMMARY[:2])
    choice = arrays[SUMMARY[2]]
    if choice.shape != shapes[SUMMARY[2]] or choice.dtype.kind != "f" or not np.isfinite(choice[:, 0]).all():
        raise TraceError("The entropies in this trace do not fit its steps.")
    return [
        (
            Captures(captures, max(layout.level, STREAM if "logits" in captures else UNREAD)),
            Summary(
                norms[:, :, start:stop].copy(),
                value_norms[:, start:stop].copy(),
                float(choice[index, 0]),
                float(choice[index, 1]) if np.isfinite(choice[index, 1]) else None,
            ),
        )
        for index, (captures, (start, stop)) in enumerate(zip(stored, spans, strict=True))
    ]


def _square(rows: NDArray[np.floating], start: int, stop: int) -> NDArray[np.float32]:
    """Rows of a lower triangle, one after the other, as [head, query, key]."""
    square = np.zeros((len(rows), stop - start, stop), np.float32)
    square[:, np.tri(stop - start, stop, start, dtype=bool)] = rows
    return square


def _checked(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    if array.shape != shape or array.dtype.kind != "f":
        raise TraceError(f"{name} in this trace has shape {array.shape}; its config asks for {shape}.")
    whole = array.astype(np.float32, copy=False)
    masked = np.isneginf(whole) if name.endswith("attn_scores") else False
    if not (np.isfinite(whole) | masked).all():
        raise TraceError(f"{name} in this trace holds a number that is not finite.")
    return whole
