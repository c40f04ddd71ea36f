"""The causal mask: no position may look at a later one."""

from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor


def causal_mask(positions: Tensor) -> Tensor:
    """What is added to the scores: 0 where the key is not after the query, minus infinity where it is.

    Shapes: positions [seq] -> [query, key].
    """
    query, key = F.unsqueeze(positions, 1), F.unsqueeze(positions, 0)
    allowed, forbidden = (F.constant(value, DType.float32, positions.device) for value in (0.0, float("-inf")))
    return F.where(query >= key, allowed, forbidden)  # [query, key]
