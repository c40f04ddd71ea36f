"""A norm's hooks computed from the stream that it reads: no weight is in them, so a trace can always tell them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2.model.config import GPT2Config

Array = NDArray[np.float32]
HOOKS = ("hook_scale", "hook_normalized")


def stream_read(name: str, n_layer: int) -> str:
    """The stream that the norm of this hook reads; empty if it is no hook of a norm."""
    norm, _, hook = name.rpartition(".")
    if hook not in HOOKS:
        return ""
    block, _, number = norm.rpartition(".")
    top = f"blocks.{n_layer - 1}.hook_resid_post"
    return {"ln1": f"{block}.hook_resid_pre", "ln2": f"{block}.hook_resid_mid"}.get(number, top)


def norm_hook(name: str, stream: Array, epsilon: float) -> Array:
    """A norm's `hook_scale` [seq] or `hook_normalized` [seq, d_model] from the stream [seq, d_model]."""
    scale, normalized = normalize(stream, epsilon)
    return scale if name.endswith("hook_scale") else normalized


def normalize(stream: Array, epsilon: float) -> tuple[Array, Array]:
    """Each row's scale, the root of its variance and epsilon; and the row centred and divided by it.

    Shapes: [seq, d_model] -> [seq], [seq, d_model].
    """
    centred = stream - stream.mean(axis=1, keepdims=True)
    scale = np.sqrt(np.square(centred).mean(axis=1) + np.float32(epsilon))  # [seq]
    return scale, centred / scale[:, None]


class NormsOfStream(Mapping[str, NDArray[Any]]):
    """The arrays of a file from before version 6, with today's names.

    There `hook_normalized` was a norm's output, after gain and bias, and there was no `hook_scale`.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], config: GPT2Config) -> None:
        """Compute nothing yet."""
        self._arrays, self._config = arrays, config

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One array."""
        if not (stream := stream_read(name, self._config.n_layer)):
            return self._arrays[name]
        return norm_hook(name, self._arrays[stream].astype(np.float32), self._config.layer_norm_epsilon)

    def __iter__(self) -> Iterator[str]:
        """The names in the file."""
        return iter(self._arrays)

    def __contains__(self, name: object) -> bool:
        """Whether the file has this array; it is not unpacked."""
        return name in self._arrays

    def __len__(self) -> int:
        """Number of arrays in the file."""
        return len(self._arrays)
