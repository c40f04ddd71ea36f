"""The cores of this machine, which the workers of a test run share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_core() -> Iterator[None]:
    """In a worker beside others, what this thread starts meanwhile has one core, each worker's another; else all.

    MAX starts a thread for each core that it sees first, and lets them wait spinning: those of two workers would take
    the cores from each other, and each would need twice the time.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if not worker or not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[int(worker) % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
