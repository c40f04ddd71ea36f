"""Messages with arrays between two processes: a line of JSON that lists the arrays, then their bytes."""

import json
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np

from .lesson import Array


def send(stream: IO[bytes], told: Mapping[str, Any], arrays: Sequence[Array] = ()) -> None:
    """Write one message, whole.

    Raises:
        OSError: if nobody reads it any more.
    """
    kinds = [[array.dtype.str, array.shape] for array in arrays]
    line = json.dumps({**told, "arrays": kinds}).encode() + b"\n"
    stream.write(b"".join([line, *(np.ascontiguousarray(array).tobytes() for array in arrays)]))
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], list[Array]] | None:
    """Read one message: what it tells, and its arrays; None at the end, even in the middle of a message.

    Raises:
        ValueError: if it is no message.
    """
    if not (line := stream.readline()).endswith(b"\n"):
        return None
    told, arrays = json.loads(line), []
    for kind, shape in told.pop("arrays"):
        array = np.empty(shape, np.dtype(kind))
        data = stream.read(array.nbytes)
        if len(data) < array.nbytes:
            return None
        array = np.frombuffer(bytearray(data), array.dtype).reshape(shape)  # which may be written to
        arrays.append(array)
    return told, arrays
