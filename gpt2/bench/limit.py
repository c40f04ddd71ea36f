"""The least that a token can take on this machine: every weight read from memory once."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
from numpy.typing import NDArray

from gpt2.engine.settings import cores

Array = NDArray[np.float32]
ROUNDS = 7


def read_ms(weights: Mapping[str, Array]) -> float:
    """Milliseconds to read all matrices that a token is multiplied with, a thread a core: the median of `ROUNDS`.

    Of `wte` and `wpe` a token needs one row each; the head is read whole, also where it is the same table as `wte`.
    """
    needed = [array for name, array in weights.items() if name not in ("wte.weight", "wpe.weight")]
    threads = cores()
    shares = list(zip(*(np.array_split(array.reshape(-1), threads) for array in needed), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        times = []
        for _ in range(ROUNDS):
            since = time.perf_counter()
            list(pool.map(_read, shares))
            times.append((time.perf_counter() - since) * 1000)
    return median(times)


def _read(arrays: Sequence[Array]) -> float:
    return float(sum(np.dot(array, array) for array in arrays))
