"""A trace in one `.npz` file: arrays and a JSON header with a version, no pickle, every bound checked on reading."""

import json
import sys
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import accumulate, chain
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import GPT2Error, TraceError
from gpt2.model.config import GPT2Config
from gpt2.text.vocabulary import Vocabulary

from . import header as headers
from .archive import NOT_WHOLE, Archive
from .arrays import LARGEST_SHARE, Layout, check_sizes, from_arrays, least_arrays, to_arrays
from .captures import Level
from .data import TraceData
from .header import TODAYS_NORMS, Steps
from .norms import NormsOfStream
from .step import LensRows, mlp_out_layers
from .whole_file import whole_file

File = str | PathLike[str] | BinaryIO
# Logits are written for as many of the newest steps as have them, so NO_LOGITS is no level of a file.
SAVED_LEVELS = (Level.FULL, Level.STREAM, Level.NO_PATTERNS)
MAX_BYTES = 600_000_000
# Room for everything but captures: header, vocabulary, the frames of the arrays.
MARGIN = 20_000_000
# A step takes 400 bytes of JSON, and up to 25 times as many in Python; GPT-2's vocabulary has 424,000 bytes.
TEXT_BYTES = {"header": 4_000_000, "vocabulary": 4_000_000}
LENS = ("lens.tokens", "lens.probabilities", "lens.drawn")
MOST_RANKS = 64
SENTENCE_CHARACTERS = 300


def save_trace_data(trace: TraceData, file: File, half: bool = False) -> None:
    """Write a trace; with `half` whole captures as float16, a quarter of a per cent at worst.

    A run of which some steps are squeezed is written with all of them squeezed alike, and so is one that would be too
    large to be read; the logits of the newest steps stay if they can, and nothing is recomputed.

    Raises:
        OSError: if the file cannot be written; one that was there stays as it was.
        TraceError: if the trace has no steps, or is too large to be read back.
    """
    if not trace.steps:
        raise TraceError("This run has no steps yet, so there is nothing to save.")
    trace, layout = _alike(trace)
    layout.check(MAX_BYTES - MARGIN)
    text = {"header": json.dumps(headers.to_header(trace, layout)).encode(), "vocabulary": trace.vocabulary.to_bytes()}
    for name, most in TEXT_BYTES.items():
        if len(text[name]) > most - 1000:
            raise TraceError(f"The {name} of this run is too large for a trace file.")
    text_arrays = {name: np.frombuffer(data, np.uint8) for name, data in text.items()}
    # As `numpy.savez_compressed` would, but one array after the other and quicker: a long run has many megabytes.
    opening = whole_file(file) if isinstance(file, Path) else nullcontext(file)
    with opening as opened, zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in chain(text_arrays.items(), to_arrays(trace, layout, half), _lenses(trace)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _lenses(trace: TraceData) -> Iterator[tuple[str, NDArray[Any]]]:
    lenses = [step.lens for step in trace.steps]
    if whole := [lens for lens in lenses if lens is not None]:
        if len(whole) != len(lenses):
            raise TraceError("Only some steps of this run have a logit lens; it cannot be saved.")
        for name in LENS:
            yield name, np.stack([getattr(lens, name.removeprefix("lens.")) for lens in whole])


def _alike(trace: TraceData) -> tuple[TraceData, Layout]:
    """The trace with all its steps squeezed alike, until it is small enough to be read back, and its layout."""
    starts = (*(step.start for step in trace.steps), trace.seq)
    newest, worst = trace.steps[-1], max(step.captures.level for step in trace.steps)
    for level in list(Level)[Level.STREAM if worst == Level.NO_LOGITS else worst :]:
        steps = [step.squeezed(level) for step in trace.steps]
        if "logits" in newest.captures:
            steps[-1] = steps[-1].with_logits(newest.logits)
        squeezed = replace(trace, steps=tuple(steps))
        has_logits = ["logits" in step.captures for step in squeezed.steps]
        # Logits are dropped from the oldest step on; those after the last gap are written.
        first_logits = len(has_logits) - next((n for n, has in enumerate(has_logits[::-1]) if not has), len(has_logits))
        level = Level.STREAM if level == Level.NO_LOGITS else level
        layout = Layout(
            trace.config, starts, level, first_logits, tuple(mlp_out_layers(step.interventions) for step in trace.steps)
        )
        if layout.nbytes() < MAX_BYTES - MARGIN:
            break
    return squeezed, layout


def unpacked_bytes(file: BinaryIO) -> int:
    """Bytes that a file asks for when it is read; nothing is unpacked. What cannot be read asks for none."""
    try:
        return Archive(file, sys.maxsize).nbytes
    except Exception:  # `load_trace_data` says why
        return 0


def load_trace_data(file: File, max_bytes: int = MAX_BYTES) -> TraceData:
    """Read a run that `save_trace_data` wrote; the run and the file's contents take at most `max_bytes` each.

    Raises:
        TraceError: if the file is missing, is not a trace, is damaged, is of another version or too large.
    """
    try:
        with Path(file).open("rb") if isinstance(file, (str, PathLike)) else nullcontext(file) as opened:
            return _read(Archive(opened, max_bytes), max_bytes)
    except FileNotFoundError:
        raise TraceError(f"{file} does not exist.") from None
    except TraceError as error:
        raise TraceError(_short(error)) from None
    except GPT2Error as error:
        raise TraceError(f"This file is not a whole trace ({_short(error)}); save it again.") from None
    except OSError as error:
        raise TraceError(f"This file cannot be read: {error.strerror or 'it ends too early'}.") from None
    except Exception:  # a file that was damaged, or made to do harm, fails in many ways; none says what to do
        raise TraceError(NOT_WHOLE) from None


def _short(error: Exception) -> str:
    """An error's message on one line, cut to the length of a sentence: it may quote the file."""
    message = " ".join(str(error).encode(errors="replace").decode().split())
    return message if len(message) <= SENTENCE_CHARACTERS else f"{message[:SENTENCE_CHARACTERS]}…"


def _read(arrays: Archive, max_bytes: int) -> TraceData:
    header = json.loads(arrays.text("header", TEXT_BYTES["header"]))
    headers.check_version(header)
    config = GPT2Config(**header["config"])
    check_sizes(config)
    text = arrays.text("vocabulary", TEXT_BYTES["vocabulary"])
    vocabulary = Vocabulary.from_bytes(text, config.vocab_size)
    steps = Steps(header["steps"], config)
    level, first_logits = (int(header[name]) if header["version"] > 1 else 0 for name in ("level", "first_logits"))
    if level not in SAVED_LEVELS or not 0 <= first_logits <= (len(steps.ids) if level else 0):
        raise TraceError("This trace does not say what it holds; save it again.")
    # Before any name is made from the config: a small file must not ask for more layers than it holds.
    if len(arrays) < least_arrays(config.n_layer, Level(level)):
        raise TraceError(f"This trace holds too few captures for the {config.n_layer} layers of its config.")
    starts = (0, *accumulate(map(len, steps.ids)))
    layout = Layout(config, starts, Level(level), first_logits, tuple(map(mlp_out_layers, steps.interventions)))
    layout.check(max_bytes)
    has_todays_norms = header["version"] >= TODAYS_NORMS
    captures = from_arrays(arrays if has_todays_norms else NormsOfStream(arrays, config), layout)
    lenses = _read_lenses(arrays, config, steps=len(steps.ids))
    run = (headers.name(header["model"]), config, vocabulary, steps.with_arrays(captures, lenses))
    return TraceData(*run, headers.lineage(header["lineage"]), headers.name(header["run_id"]))


def _read_lenses(arrays: Archive, config: GPT2Config, steps: int) -> list[LensRows | None]:
    if LENS[0] not in arrays:
        return [None] * steps
    rows = (steps, config.n_layer + 1)
    tokens, probabilities, drawn = (arrays[name] for name in LENS)
    if tokens.ndim != 3 or not (tokens.shape == probabilities.shape and tokens.shape[:2] == rows == drawn.shape):
        raise TraceError("The logit lens in this trace does not fit its config.")
    if not 1 <= tokens.shape[2] <= MOST_RANKS:
        raise TraceError(f"The logit lens in this trace has {tokens.shape[2]} ranks, not 1 to {MOST_RANKS}.")
    for part in (probabilities, drawn):
        if part.dtype.kind != "f" or not ((part >= 0) & (part <= LARGEST_SHARE)).all():
            raise TraceError("The logit lens in this trace holds a number that is not finite, or no probability.")
    if tokens.dtype.kind != "i" or (tokens < 0).any() or (tokens >= config.vocab_size).any():
        raise TraceError("The logit lens in this trace names a token outside the vocabulary.")
    return [
        LensRows(
            np.array(tokens[step], np.int32), *(np.array(part[step], np.float32) for part in (probabilities, drawn))
        )
        for step in range(steps)
    ]
