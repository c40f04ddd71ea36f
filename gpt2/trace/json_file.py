"""A trace as JSON, for programs that read no `.npz`: the text, and every capture by name, as lists of numbers."""

import json
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import TraceError
from gpt2.model.hooks import ACTIVATIONS

from .captures import Storage
from .data import TraceData
from .whole_file import whole_file

FORMAT = "gpt2-under-glass trace as JSON"
MAX_BYTES = 400_000_000
NUMBER_BYTES = 14  # about: nine digits, which bring back every float32, a point, a sign, a comma and a blank


def stored(trace: TraceData) -> list[str]:
    """The captures that are stored at every step."""
    return [name for name in trace.axes if trace.storage_of(name) != Storage.DROPPED]


def json_bytes(trace: TraceData) -> int:
    """About how many bytes the file takes."""
    config = trace.config
    sizes = {"seq": trace.seq, "query": trace.seq, "key": trace.seq, "step": len(trace.steps)}
    sizes |= {"head": config.n_head, "d_head": config.d_head, "d_model": config.n_embd}
    sizes |= {"d_mlp": config.n_inner, "vocab": config.vocab_size}
    return NUMBER_BYTES * sum(math.prod(sizes[axis] for axis in trace.axes[name]) for name in stored(trace))


def save_json(trace: TraceData, file: Path | BinaryIO, max_bytes: int = MAX_BYTES) -> None:
    """Write a trace as one JSON object, one capture after the other; what has no value, such as a mask, is null.

    Its keys: `model`, `config`, `text`, `tokens`, `steps`, `dropped` (captures that are not stored any more) and
    `captures`, each with its `axes` and its nested `values`.

    Raises:
        OSError: if the file cannot be written; one that was there stays as it was.
        TraceError: if the trace has no steps, or the file would take more than `max_bytes`.
    """
    if not trace.steps:
        raise TraceError("This run has no steps yet, so there is nothing to save.")
    if (size := json_bytes(trace)) > max_bytes:
        raise TraceError(
            f"As JSON this run takes about {size / 1e6:,.0f} MB, more than the {max_bytes / 1e6:,.0f} MB that are "
            "written here; save it as .npz."
        )
    with whole_file(file) if isinstance(file, Path) else nullcontext(file) as opened:
        for part in _parts(trace):
            opened.write(part.encode())


def _parts(trace: TraceData) -> Iterator[str]:
    there, drawn = stored(trace), len(trace.prompt_ids)
    head = {
        "format": FORMAT,
        "activations": ACTIVATIONS,
        "model": trace.model,
        "run_id": trace.run_id,
        "config": trace.config.to_dict(),
        "text": trace.text,
        "tokens": [
            {"id": token, "label": trace.vocabulary.label(token), "drawn": at >= drawn}
            for at, token in enumerate(trace.ids)
        ],
        "steps": [
            {"start": step.start, "stop": step.stop, "draw": None if step.draw is None else asdict(step.draw)}
            for step in trace.steps
        ],
        "dropped": [name for name in trace.axes if name not in there],
    }
    yield json.dumps(head, allow_nan=False)[:-1] + ', "captures": {'
    for at, name in enumerate(there):
        axes = json.dumps(trace.axes[name])
        yield f'{", " if at else ""}{json.dumps(name)}: {{"axes": {axes}, "values": {_nested(trace[name])}}}'
    yield "}}\n"


def _nested(values: NDArray[np.float32]) -> str:
    if values.ndim > 1:
        return f"[{', '.join(map(_nested, values))}]"
    if np.isfinite(values).all():
        return f"[{', '.join(['%.9g'] * len(values)) % tuple(values.tolist())}]"
    return f"[{', '.join(f'{value:.9g}' if math.isfinite(value) else 'null' for value in values.tolist())}]"
