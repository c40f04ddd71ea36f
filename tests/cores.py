"""The cores of this machine, which the workers of a test run share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_core() -> Iterator[None]:
    """What this thread starts meanwhile sees one core of this machine, another one for each worker.

    MAX starts a thread for each core that it sees first, and lets them wait spinning: those of two workers would take
    the cores from each other.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    own = sorted(cores)[int(worker().removeprefix("gw") or 0) % len(cores)]
    os.sched_setaffinity(0, {own})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def worker() -> str:
    """The name of this worker, such as `gw1`; empty where the tests run in one process."""
    return os.environ.get("PYTEST_XDIST_WORKER", "")
