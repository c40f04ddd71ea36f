"""This program and transformers side by side: start, load, prefill, decode, and a whole run."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from gpt2.engine.long_prompt import whole_bytes
from gpt2.errors import EngineError, SettingsError
from gpt2.model.config import GPT2Config

from .first_token import cold_start
from .limit import read_ms
from .machine import available_bytes, peak_mb, resident_mb
from .sides import Ours, Side, Theirs, load_reference
from .subject import Subject, Tell
from .timing import QUICK, THOROUGH, Effort, Timing, Way, interleaved

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

LENGTHS = (100, 400, 900)
RECOMPUTED_LENGTH = 256
RUN_PROMPT, RUN_TOKENS = 20, 32
SEED = 7
SHORTEST_CONTEXT = 4
# MAX's buffers, the captures copied out of them, and transformers' own outputs.
COPIES = 3


@dataclass(frozen=True)
class Row:
    """The timings of one piece of work, for every program that did it.

    Attributes:
        what: `step` (a token after `length` cached ones as a person gets it: model, captures, lens, draw and trace),
            `decode` (of that, the forward pass alone), `prefill`, `run` (a token of a run of steps without a pause,
            after a prompt of `length`), `cold start` or `load`.
        hf_outputs: transformers with attentions and hidden states. Its `load` only maps the file, which is read when
            the first token needs it; a cold start includes all of that.
        hf_plain: transformers without them; None if it makes no difference.
        limit_ms: the time in which this machine reads every weight once, for work that has to.
    """

    what: str
    length: int | None
    ours: Timing
    hf_outputs: Timing | None = None
    hf_plain: Timing | None = None
    limit_ms: float | None = None

    @classmethod
    def of(cls, what: str, length: int | None, sides: Mapping[str, Timing], limit_ms: float | None = None) -> "Row":
        """A row of the timings by side."""
        return cls(what, length, sides["ours"], sides.get("hf_outputs"), sides.get("hf_plain"), limit_ms)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON; a ratio is transformers' median over ours: above 1, this program is the faster.

        `limit` is the share of this program's time that reading the weights alone would take.
        """

        def as_dict(timing: Timing | None) -> dict[str, float] | None:
            return None if timing is None else timing.to_dict()

        return {
            "what": self.what,
            "length": self.length,
            "ours_ms": self.ours.to_dict(),
            "hf_outputs_ms": as_dict(self.hf_outputs),
            "hf_plain_ms": as_dict(self.hf_plain),
            "ratio": quotient(self.hf_outputs, self.ours),
            "ratio_plain": quotient(self.hf_plain, self.ours),
            "limit": None if self.limit_ms is None else round(self.limit_ms / self.ours.median, 3),
        }


def quotient(theirs: Timing | None, ours: Timing) -> float | None:
    """Their median time divided by ours; None if there is nothing to compare."""
    return None if theirs is None else round(theirs.median / ours.median, 3)


def checked_lengths(lengths: Sequence[int] | None, config: GPT2Config) -> list[int]:
    """The context lengths to measure: the given ones, or those of `LENGTHS` that fit.

    Raises:
        SettingsError: if a length leaves no position for a decoded token, or the context is tiny.
    """
    if config.n_positions < SHORTEST_CONTEXT:
        raise SettingsError(f"A context of {config.n_positions} tokens is too short to be measured.")
    if lengths is None:
        return [length for length in LENGTHS if length < config.n_positions] or [max(1, config.n_positions // 2)]
    for length in lengths:
        if not 1 <= length < config.n_positions:
            raise SettingsError(f"--lengths must be 1 to {config.n_positions - 1} tokens for this model, not {length}.")
    return sorted(set(lengths))


def compare(
    subject: Subject, load: Callable[[], "Engine"], lengths: Sequence[int], quick: bool, tell: Tell
) -> dict[str, Any]:
    """Measure everything; without transformers, this program alone.

    Raises:
        EngineError: if the model cannot be run here.
    """
    effort = QUICK if quick else THOROUGH
    since = time.perf_counter()
    engine = load()
    load_ms = (time.perf_counter() - since) * 1000
    loaded_mb = resident_mb()
    ours = Ours(engine)
    sides: dict[str, Side] = {"ours": ours}
    hf_load_ms, missing = None, ""
    try:
        reference, hf_load_ms = load_reference(subject.folder)
        sides |= {"hf_outputs": Theirs(reference, True), "hf_plain": Theirs(reference, False)}
    except EngineError as error:
        missing = f"Only this program was measured. {error}"
        tell(missing)

    loads = {"ours": Timing.of([load_ms])} | ({"hf_outputs": Timing.of([hf_load_ms])} if hf_load_ms else {})
    starts, memory = cold_starts(subject, bool(hf_load_ms), 1 if quick else 3, tell)
    rng = np.random.default_rng(SEED)
    ids: list[int] = rng.integers(engine.config.vocab_size, size=engine.config.n_positions).tolist()
    limit_ms = read_ms(engine.checkpoint.weights)
    steps, decoded, prefilled = [], [], []
    differences, left_out = [], []
    for length in lengths:
        if COPIES * whole_bytes(engine.config, length) > available_bytes():
            left_out.append(length)
            continue
        tell(f"Measuring prefill of {length} tokens.")
        differences.append(largest_difference(sides, ids[:length]))
        prefilled.append(Row.of("prefill", length, interleaved(prefills(sides, ids[:length]), effort)))
        tell(f"Measuring a token after {length} tokens.")
        decoded.append(Row.of("decode", length, interleaved(decodes(sides, ids, length), effort), limit_ms))
        steps.append(Row.of("step", length, interleaved(whole_steps(sides, ids, length), effort), limit_ms))
    tell("Measuring a run as the app makes it.")
    run, parts = whole_run(sides, ours, ids, effort)
    tell("Measuring how much time the cache saves.")
    started = Row.of("cold start", None, starts), Row.of("load", None, loads)
    return {
        "rows": [row.to_dict() for row in (*steps, *decoded, *prefilled, run, *started)],
        "weights_read_ms": round(limit_ms, 3),
        "tokens_per_s": tokens_per_s(run),
        "run_parts_ms": parts,
        "without_cache": without_cache(ours, ids, effort),
        "memory_mb": {**memory, "here": {"loaded": loaded_mb, "all_measured": resident_mb(), "peak": peak_mb()}},
        "largest_logits_difference": max(differences) if hf_load_ms and differences else None,
        "left_out_lengths": left_out,
        "missing": missing,
    }


def cold_starts(
    subject: Subject, with_transformers: bool, times: int, tell: Tell
) -> tuple[dict[str, Timing], dict[str, dict[str, float]]]:
    """Start fresh interpreters in turn; return each side's timing, and the memory of its last interpreter."""
    children = {"ours": "ours"} | ({"hf_outputs": "transformers"} if with_transformers else {})
    ms: dict[str, list[float]] = {side: [] for side in children}
    memory: dict[str, dict[str, float]] = {}
    for number in range(times):
        for side, which in children.items():
            tell(f"Measuring a cold start ({which}), {number + 1} of {times}.")
            took, megabytes = cold_start(which, subject.folder)
            ms[side].append(took)
            memory[side] = megabytes
    return {side: Timing.of(times) for side, times in ms.items()}, memory


def prefills(sides: Mapping[str, Side], ids: Sequence[int]) -> dict[str, Way]:
    """Prefill of the same prompt, by side."""
    return {name: Way(partial(side.prefill, ids), side.ready) for name, side in sides.items()}


def decodes(sides: Mapping[str, Side], ids: Sequence[int], length: int) -> dict[str, Way]:
    """Decode of one token after the same `length` cached ones, by side."""
    for side in sides.values():
        side.hold(ids[:length])
    return {name: Way(partial(side.decode, ids[length]), side.ready) for name, side in sides.items()}


def whole_steps(sides: Mapping[str, Side], ids: Sequence[int], length: int) -> dict[str, Way]:
    """A token after `length` cached ones as a person gets it, by side."""
    for side in sides.values():
        side.hold_run(ids[:length])
    return {name: Way(side.step, side.ready_to_step) for name, side in sides.items()}


def largest_difference(sides: Mapping[str, Side], ids: Sequence[int]) -> float:
    """The largest difference of any side's last logits from ours, relative to the largest logit."""
    read = []
    for side in sides.values():
        side.ready()
        read.append(side.logits(side.prefill(ids)))
    return max(float(np.abs(one - read[0]).max() / np.abs(one).max()) for one in read)


def whole_run(
    sides: Mapping[str, Side], ours: Ours, ids: Sequence[int], effort: Effort
) -> tuple[Row, dict[str, float]]:
    """Continue a short prompt without a pause: milliseconds a token by side, and the parts of ours."""
    n_prompt = min(RUN_PROMPT, max(1, len(ids) // 2))
    count = min(RUN_TOKENS, len(ids) - n_prompt)
    ways = {name: Way(partial(side.generate, ids[:n_prompt], count), side.ready) for name, side in sides.items()}
    few = Effort(1, max(2, effort.repetitions // 5), 2, effort.seconds)
    timings = {
        name: Timing(round(timing.median / count, 4), round(timing.min / count, 4))
        for name, timing in interleaved(ways, few).items()
    }
    parts = {"model": round(median(ours.model_ms), 4), "lens_draw_and_trace": round(median(ours.rest_ms), 4)}
    return Row.of("run", n_prompt, timings), parts


def tokens_per_s(run: Row) -> dict[str, float]:
    """Tokens a second in a run, by side."""
    sides = {"ours": run.ours, "hf_outputs": run.hf_outputs, "hf_plain": run.hf_plain}
    return {name: round(1000 / timing.median, 2) for name, timing in sides.items() if timing is not None}


def without_cache(ours: Ours, ids: Sequence[int], effort: Effort) -> dict[str, Any]:
    """Time a token after `length` ones: by decoding the last one with the cache, or by reading all of them again."""
    length = min(RECOMPUTED_LENGTH, len(ids))
    ours.hold(ids[: length - 1])
    timings = interleaved(
        {
            "cached": Way(partial(ours.decode, ids[length - 1]), ours.ready),
            "recomputed": Way(partial(ours.prefill, ids[:length])),
        },
        effort,
    )
    return {
        "length": length,
        "cached_ms": timings["cached"].to_dict(),
        "recomputed_ms": timings["recomputed"].to_dict(),
        "ratio": quotient(timings["recomputed"], timings["cached"]),
    }
