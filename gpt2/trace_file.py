"""A trace in one `.npz` file: arrays and a JSON header with a version, no pickle, every bound checked on reading."""

import json
import math
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .captures import BARE, LEVELS, STREAM, UNREAD, WHOLE, Captures
from .config import GPT2Config
from .errors import GPT2Error, TraceError
from .interventions import Addition, Interventions, Scale
from .sampling import Draw, Sampling
from .step import LensRows, Step, Summary
from .timing import Timing
from .trace import Lineage, Trace
from .trace_arrays import Layout, from_arrays, least_arrays, to_arrays
from .vocabulary import Vocabulary

FORMAT = "gpt2-under-glass trace"
VERSIONS = (1, 2, 3)
MAX_BYTES = 600_000_000
# Room for what is not a capture: header, vocabulary, lens.
MARGIN = 20_000_000
LENS = ("lens.tokens", "lens.probabilities", "lens.drawn")


def save_trace(trace: Trace, file: Path | BinaryIO, half: bool = False) -> None:
    """Write a trace; with `half` whole captures as float16, a quarter of a per cent at worst.

    A run of which some steps are squeezed is written with all of them squeezed alike, and so is one that would be too
    large to be read; the logits of the newest steps stay where they can, and nothing is computed again.

    Raises:
        TraceError: if the trace has no steps.
    """
    if not trace.steps:
        raise TraceError("This run has no steps yet, so there is nothing to save.")
    trace, layout = _alike(trace)
    text = {
        "header": np.frombuffer(json.dumps(_header(trace, layout)).encode(), np.uint8),
        "vocabulary": np.frombuffer(trace.vocabulary.to_bytes(), np.uint8),
    }
    # As `numpy.savez_compressed` would, but one array after the other and quicker: a long run has many megabytes.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in chain(text.items(), to_arrays(trace, layout, half), _lenses(trace)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _lenses(trace: Trace) -> Iterator[tuple[str, NDArray[Any]]]:
    lenses = [step.lens for step in trace.steps]
    if whole := [lens for lens in lenses if lens is not None]:
        if len(whole) != len(lenses):
            raise TraceError("Only some steps of this run have a logit lens; it cannot be saved.")
        for name in LENS:
            yield name, np.stack([getattr(lens, name.removeprefix("lens.")) for lens in whole])


def _alike(trace: Trace) -> tuple[Trace, Layout]:
    """The trace with all its steps kept alike, in no more bytes than can be read back, and its layout."""
    starts = (*(step.start for step in trace.steps), trace.seq)
    newest, worst = trace.steps[-1], max(step.kept.level for step in trace.steps)
    for level in LEVELS[STREAM if worst == UNREAD else worst :]:
        steps = [step.squeezed(level) for step in trace.steps]
        if "logits" in newest.captures:
            steps[-1] = steps[-1].with_logits(newest.logits)
        squeezed = replace(trace, steps=tuple(steps))
        has_logits = ["logits" in step.captures for step in squeezed.steps]
        # Oldest first is how logits are let go; those after the last gap are written.
        first_logits = len(has_logits) - next((n for n, has in enumerate(has_logits[::-1]) if not has), len(has_logits))
        layout = Layout(trace.config, starts, STREAM if level == UNREAD else level, first_logits)
        if layout.nbytes() < MAX_BYTES - MARGIN:
            break
    return squeezed, layout


def _header(trace: Trace, layout: Layout) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSIONS[-1],
        "level": layout.level,
        "first_logits": layout.first_logits,
        "model": trace.model,
        "run_id": trace.run_id,
        "config": trace.config.to_dict(),
        "lineage": None if trace.lineage is None else asdict(trace.lineage),
        "steps": [
            {
                "ids": step.ids,
                "ms": step.ms,
                "timing": None if step.timing is None else asdict(step.timing),
                "draw": None if step.draw is None else asdict(step.draw),
                "interventions": asdict(step.interventions),
            }
            for step in trace.steps
        ],
    }


def load_trace(file: Path | BinaryIO) -> Trace:
    """Read a trace that `save_trace` wrote.

    Raises:
        TraceError: if the file is missing, is not a trace, is damaged, or is of another version.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise TraceError(f"This file unpacks to more than {MAX_BYTES // 10**6} MB, which no trace needs.")
        if hasattr(file, "seek"):
            file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return _read({name: arrays[name] for name in arrays.files})
    except FileNotFoundError:
        raise TraceError(f"{file} does not exist.") from None
    except TraceError:
        raise
    except (GPT2Error, OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise TraceError(f"This file is not a whole trace ({error}); save it again.") from None
    except Exception as error:  # zlib.error and friends: a damaged archive fails in many ways
        raise TraceError(f"This file is damaged ({error}); save it again.") from None


def _read(arrays: dict[str, NDArray[Any]]) -> Trace:
    header = json.loads(arrays["header"].tobytes())
    if header["format"] != FORMAT:
        raise TraceError("This file is not a trace.")
    if header["version"] not in VERSIONS:
        raise TraceError(f"This trace has version {header['version']}; this program reads at most {VERSIONS[-1]}.")
    config = GPT2Config(**header["config"])
    vocabulary = Vocabulary.from_bytes(arrays["vocabulary"].tobytes())
    ids = [[int(token) for token in step["ids"]] for step in header["steps"]]
    drawn = [step["draw"]["token"] for step in header["steps"] if step["draw"]]
    if any(not 0 <= token < config.vocab_size for token in (*(t for step in ids for t in step), *drawn)):
        raise TraceError("This trace has a token outside its vocabulary.")
    if not ids or not ids[0] or ids[1:] != [[token] for token in drawn[: len(ids) - 1]]:
        raise TraceError("The steps of this trace do not follow from each other: each takes the token drawn before.")
    level, first_logits = (int(header[name]) if header["version"] > 1 else 0 for name in ("level", "first_logits"))
    if level not in (WHOLE, STREAM, BARE) or not 0 <= first_logits <= (len(ids) if level else 0):
        raise TraceError("This trace does not tell what it has kept; save it again.")
    # Before any name is made from the config: a small file must not ask for more layers than it holds.
    if len(arrays) < least_arrays(config.n_layer, level):
        raise TraceError(f"This trace holds too few captures for the {config.n_layer} layers of its config.")
    starts = (0, *accumulate(map(len, ids)))
    captures = from_arrays(arrays, Layout(config, starts, level, first_logits))
    _check_lens(arrays, config, steps=len(ids))
    trace = Trace(
        str(header["model"]),
        config,
        vocabulary,
        lineage=None if header["lineage"] is None else Lineage(**header["lineage"]),
        run_id=str(header["run_id"]),
    )
    steps = []
    for index, (told, tokens) in enumerate(zip(header["steps"], ids, strict=True)):
        steps.append(_step(index, told, tuple(tokens), starts[index], config, captures[index], arrays))
    return replace(trace, steps=tuple(steps))


def _check_lens(arrays: dict[str, NDArray[Any]], config: GPT2Config, steps: int) -> None:
    if LENS[0] in arrays:
        rows = (steps, config.n_layer + 1)
        tokens, probabilities, drawn = (arrays[name] for name in LENS)
        if not (tokens.shape == probabilities.shape and tokens.shape[:2] == rows == drawn.shape):
            raise TraceError("The logit lens in this trace does not fit its config.")
        if any(part.dtype.kind != "f" or not np.isfinite(part).all() for part in (probabilities, drawn)):
            raise TraceError("The logit lens in this trace holds a number that is not finite.")
        if tokens.dtype.kind != "i" or (tokens < 0).any() or (tokens >= config.vocab_size).any():
            raise TraceError("The logit lens in this trace names a token outside the vocabulary.")


def _step(
    index: int,
    told: dict[str, Any],
    ids: tuple[int, ...],
    start: int,
    config: GPT2Config,
    kept: tuple[Captures, Summary | None],
    arrays: dict[str, NDArray[Any]],
) -> Step:
    interventions = _interventions(told["interventions"])
    if interventions:
        interventions.inputs(config, start, start + len(ids))  # refuses what does not fit the model
    return Step(
        ids=ids,
        start=start,
        captures=kept[0],
        draw=None if told["draw"] is None else _draw(told["draw"], config),
        ms=_number(told["ms"], math.inf),
        lens=LensRows(*(arrays[name][index] for name in LENS)) if LENS[0] in arrays else None,
        interventions=interventions,
        known=kept[1],
        timing=_timing(told.get("timing")),  # none in files that were written before it was measured
    )


def _timing(told: dict[str, Any] | None) -> Timing | None:
    return None if told is None else Timing(**{part: _number(ms, math.inf) for part, ms in told.items()})


def _draw(told: dict[str, Any], config: GPT2Config) -> Draw:
    sampling = Sampling(**told["sampling"])
    sampling.check_vocabulary(config.vocab_size)
    return Draw(int(told["token"]), _number(told["u"], 1), sampling)


def _number(value: object, below: float) -> float:
    number = float(str(value))
    if not 0 <= number < below:
        raise TraceError(f"This trace has {number} where a number from 0 to below {below} belongs.")
    return number


def _interventions(told: dict[str, Any]) -> Interventions:
    def positions(values: Iterable[int] | None) -> tuple[int, ...] | None:
        return None if values is None else tuple(values)

    return Interventions(
        tuple(Scale(**{**scale, "positions": positions(scale["positions"])}) for scale in told["scales"]),
        tuple(Addition(add["layer"], tuple(add["vector"]), positions(add["positions"])) for add in told["additions"]),
    )
