"""The captures of a single token in two blocks, as the decode graph gives them.

A token has a hundred captures and more, most of a few kilobytes. To hand out each in a buffer of its own takes a fifth
as long as to compute them.
"""

from collections.abc import Mapping

from max.experimental import functional as F
from max.experimental.tensor import Tensor

from .hooks import SQUARE, hook_axes


def pack(captures: Mapping[str, Tensor], n_layer: int) -> dict[str, Tensor]:
    """Every capture of a token in two tensors.

    Shapes: `vectors` [number], all captures of a fixed size, one after the other; `squares` [capture * head, 1, key],
    attention scores and patterns.
    """
    return {
        "vectors": _joined(captures, n_layer, is_square=False),
        "squares": _joined(captures, n_layer, is_square=True),
    }


def _joined(captures: Mapping[str, Tensor], n_layer: int, is_square: bool) -> Tensor:
    """Block by block first: the code for joining a hundred tensors at once takes tens of megabytes."""
    axes = hook_axes(n_layer)
    blocks: dict[str, list[Tensor]] = {}
    for name in axes:
        if (axes[name] == SQUARE) == is_square:
            capture = captures[name] if is_square else captures[name].reshape([-1])
            blocks.setdefault(name.rpartition("blocks.")[2].partition(".")[0], []).append(capture)
    return F.concat([F.concat(block) if len(block) > 1 else block[0] for block in blocks.values()])
