"""The arrays of a trace file: every capture over all positions, or the part of them that a squeezed run stores.

A whole run has one array for each hook. A squeezed one has the points of the residual stream in float32, each pattern
as its lower triangle in float16, row after row, the logits of its newest steps, and its steps' summaries; a bare one
has no patterns and no points between attention and MLP. All steps are squeezed alike. Where an intervention changed the
sum of stream and MLP, a squeezed run has what the MLP added, too.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import TraceError
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import BLOCK_HOOKS, hook_axes

from .captures import MLP_OUT, PATTERN, Captures, Level, Triangle
from .data import TraceData
from .norms import stream_read
from .step import NORMS, Summary

Arrays = Mapping[str, NDArray[Any]]
SUMMARY = ("summary.norms", "summary.value_norms", "summary.choice")

# Larger than any GPT-2. Sizes cost few bytes in a file, but many once it is opened: a page may draw a square of one
# pattern, 67 MB a head at most.
MOST = {"n_positions": 4096, "vocab_size": 500_000, "n_layer": 512}
# Steps times arrays: each is an object of its own, of 200 bytes even if it holds a single number.
MOST_PARTS = 500_000
# The squares of numbers up to this can be added up in float32.
LARGEST = 1e15
# A softmax may exceed 1 by rounding.
LARGEST_SHARE = 1.001
# In bits. `step.choice_bits` takes a probability of 0 for the smallest double, whose surprisal is 1,022.
LARGEST_SURPRISAL = 1100


@dataclass(frozen=True)
class Layout:
    """The facts that decide the arrays' names and shapes.

    Attributes:
        config: the model's.
        starts: the position at which each step starts, and last the number of positions.
        level: how far all steps are squeezed: Level.FULL, Level.STREAM or Level.NO_PATTERNS.
        first_logits: the first step that has its logits.
        mlp_out: for each step, the layers of which it stores what the MLP added if it is squeezed
            (`step.mlp_out_layers`).
    """

    config: GPT2Config
    starts: tuple[int, ...]
    level: Level
    first_logits: int
    mlp_out: tuple[frozenset[int], ...]

    @property
    def seq(self) -> int:
        """Number of positions."""
        return self.starts[-1]

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.starts) - 1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every array that the file must have, by name."""
        config, seq = self.config, self.seq
        size = {"seq": seq, "query": seq, "key": seq, "head": config.n_head, "d_head": config.d_head}
        size |= {"d_model": config.n_embd, "d_mlp": config.n_inner}
        axes = hook_axes(config.n_layer)
        logits = {"logits": (self.steps - self.first_logits, config.vocab_size)}
        if self.level == Level.FULL:
            return {name: tuple(size[axis] for axis in axes[name]) for name in axes} | logits
        has_patterns = self.level < Level.NO_PATTERNS
        points = ("hook_embed", "hook_pos_embed", "hook_resid_pre", *(["hook_resid_mid"] * has_patterns))
        stream = {name: (seq, config.n_embd) for name in axes if name.endswith(points)}
        triangle = (config.n_head, seq * (seq + 1) // 2)
        patterns = {name: triangle for name in axes if name.endswith(PATTERN) and has_patterns}
        outputs = [f"blocks.{layer}.{MLP_OUT}" for layer in sorted(frozenset().union(*self.mlp_out))]
        top = dict.fromkeys([*outputs, f"blocks.{config.n_layer - 1}.hook_resid_post"], (seq, config.n_embd))
        shapes = ((len(NORMS), config.n_layer, seq), (config.n_layer, seq, config.n_head), (self.steps, 2))
        return stream | patterns | top | dict(zip(SUMMARY, shapes, strict=True)) | logits

    def nbytes(self) -> int:
        """Bytes of all arrays in float32, patterns of squeezed runs in float16."""
        sizes = ((name, 4 * math.prod(shape)) for name, shape in self.shapes().items())
        return sum(size // 2 if self.level > Level.FULL and name.endswith(PATTERN) else size for name, size in sizes)

    def check(self, max_bytes: int) -> None:
        """Refuse a run that is too large for a file, whoever made it.

        Raises:
            TraceError: if it has more than `max_bytes`, more positions than its config, or more parts than any run.
        """
        check_sizes(self.config)
        if self.seq > self.config.n_positions:
            raise TraceError(f"This run has {self.seq} positions; its config has room for {self.config.n_positions}.")
        if self.steps * len(self.shapes()) > MOST_PARTS or self.nbytes() > max_bytes:
            raise TraceError(f"This run is too large for a file of {max_bytes / 1e6:,.0f} MB.")


def check_sizes(config: GPT2Config) -> None:
    """Refuse sizes that no file may have.

    Raises:
        TraceError: if one is beyond `MOST`.
    """
    for name, most in MOST.items():
        if getattr(config, name) > most:
            raise TraceError(f"A trace file has room for {name} up to {most:,}; this one has more.")


def least_arrays(n_layer: int, level: Level) -> int:
    """How many arrays a run of this many layers has at least."""
    hooks = sum(not stream_read(f"blocks.0.{name}", n_layer) for name in BLOCK_HOOKS)  # a norm's can be computed
    return n_layer * {Level.FULL: hooks, Level.STREAM: 3, Level.NO_PATTERNS: 1}[level]


def to_arrays(trace: TraceData, layout: Layout, half: bool) -> Iterator[tuple[str, NDArray[Any]]]:
    """All arrays of a trace whose steps are all at the layout's level, one by one: together they may be large.

    Whole captures are float16 with `half`.
    """
    kind = np.float16 if half and layout.level == Level.FULL else np.float32
    logits = [step.logits for step in trace.steps[layout.first_logits :]]
    yield "logits", np.stack(logits) if logits else np.zeros((0, trace.config.vocab_size), np.float32)
    for name in layout.shapes():
        if layout.level > Level.FULL and name.endswith(PATTERN):
            yield name, trace[name][:, np.tri(layout.seq, dtype=bool)].astype(np.float16)
        elif layout.level > Level.FULL and name.endswith(MLP_OUT):
            rows = np.zeros((layout.seq, trace.config.n_embd), np.float32)
            for step, layers in zip(trace.steps, layout.mlp_out, strict=True):
                if _layer(name) in layers:
                    rows[step.start : step.stop] = step.captures[name]
            yield name, rows
        elif name != "logits" and name not in SUMMARY:
            yield name, trace[name].astype(kind)
    if layout.level > Level.FULL:
        choices = [step.choice for step in trace.steps]
        values = [(entropy, np.nan if surprisal is None else surprisal) for entropy, surprisal in choices]
        yield from zip(SUMMARY, (trace.norms, trace.value_norms, np.array(values)), strict=True)
        for layer in range(trace.config.n_layer - 1):
            # Written only if an intervention adds to the stream in between; see `captures`.
            below = f"blocks.{layer}.hook_resid_post"
            if not np.array_equal(trace[below], trace[f"blocks.{layer + 1}.hook_resid_pre"]):
                yield below, trace[below]


def from_arrays(arrays: Arrays, layout: Layout) -> list[tuple[Captures, Summary | None]]:
    """Every step's captures and summary. Looks up each array once, and has one of them in memory at a time.

    Raises:
        TraceError: if an array's shape does not fit this config, or it holds a number that no run leaves behind.
    """
    stored: list[dict[str, Any]] = [{} for _ in range(layout.steps)]
    spans = list(zip(layout.starts, layout.starts[1:], strict=False))
    shapes = layout.shapes()
    for name, shape in shapes.items():
        if name in SUMMARY:
            continue
        whole = _checked(name, arrays[name], shape)
        for index, (start, stop) in enumerate(spans):
            if name == "logits":
                if index >= layout.first_logits:
                    stored[index][name] = _copy(whole[index - layout.first_logits][None])
            elif not name.endswith(("attn_scores", PATTERN)):
                if layout.level == Level.FULL or not name.endswith(MLP_OUT) or _layer(name) in layout.mlp_out[index]:
                    stored[index][name] = _copy(whole[start:stop])
            elif layout.level == Level.FULL:
                stored[index][name] = _copy(whole[:, start:stop, :stop])
            else:
                rows = whole[:, start * (start + 1) // 2 : stop * (stop + 1) // 2]
                stored[index][name] = Triangle.from_rows(rows, start, stop)
    if layout.level == Level.FULL:
        return [(Captures(captures), None) for captures in stored]
    for layer in range(layout.config.n_layer - 1):
        below, above = f"blocks.{layer}.hook_resid_post", f"blocks.{layer + 1}.hook_resid_pre"
        post = _checked(below, arrays[below], (layout.seq, layout.config.n_embd)) if below in arrays else None
        for captures, (start, stop) in zip(stored, spans, strict=True):
            captures[below] = captures[above]
            if post is not None and not np.array_equal(post[start:stop], captures[above]):
                captures[below] = _copy(post[start:stop])
    summaries = _summaries(arrays, layout, shapes)
    return [
        (Captures(captures, max(layout.level, Level.STREAM if "logits" in captures else Level.NO_LOGITS)), summary)
        for captures, summary in zip(stored, summaries, strict=True)
    ]


def _summaries(arrays: Arrays, layout: Layout, shapes: dict[str, tuple[int, ...]]) -> Iterator[Summary]:
    norms, value_norms = (_checked(name, arrays[name], shapes[name]) for name in SUMMARY[:2])
    choice = arrays[SUMMARY[2]]
    if choice.shape != shapes[SUMMARY[2]] or choice.dtype.kind != "f":
        raise TraceError("The entropies in this trace do not fit its steps.")
    most = math.log2(layout.config.vocab_size) + 0.01
    for index, (start, stop) in enumerate(zip(layout.starts, layout.starts[1:], strict=False)):
        entropy, surprisal = float(choice[index, 0]), float(choice[index, 1])
        has_drawn = not math.isnan(surprisal)
        if not 0 <= entropy <= most or (has_drawn and not -1e-6 <= surprisal <= LARGEST_SURPRISAL):
            raise TraceError("This trace has an entropy or a surprisal that no distribution over its vocabulary has.")
        yield Summary(
            _copy(norms[:, :, start:stop]), _copy(value_norms[:, start:stop]), entropy, surprisal if has_drawn else None
        )


def _layer(name: str) -> int:
    """The layer of a capture of a block."""
    return int(name.split(".")[1])


def _copy(part: NDArray[Any]) -> NDArray[np.float32]:
    """A copy, so that a step does not keep the whole array that it is a part of."""
    return np.array(part, np.float32)


def _checked(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The array as it is in the file: a float32 copy would take as many bytes again, or more."""
    if array.shape != shape or array.dtype.kind != "f":
        raise TraceError(f"{name} in this trace has shape {array.shape}; its config asks for {shape}.")
    low = 0 if name.endswith((PATTERN, "norms")) else -LARGEST
    high = LARGEST_SHARE if name.endswith(PATTERN) else LARGEST
    # As float32, since NumPy makes a plain number float16 beside such an array; NaN fails too.
    fits = (np.float32(low) <= array) & (array <= np.float32(high))
    if name.endswith("attn_scores"):
        fits |= np.isneginf(array)
    if not fits.all():
        raise TraceError(f"{name} in this trace holds a number that is not finite, or that no run leaves behind.")
    return array
