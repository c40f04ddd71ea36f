"""Models in memory: one job a model for all visitors, within a budget; the least recently used is evicted first."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from functools import cache
from typing import Protocol
from weakref import WeakSet

from streamlit import config

from gpt2.checkpoints.catalog import PROGRAM_BYTES, in_words, memory_needed, weight_bytes
from gpt2.checkpoints.hub import locate
from gpt2.errors import GPT2Error
from gpt2.model.config import GPT2Config

from . import host
from .job import ModelJob
from .memory import collect_garbage, trim_heap, tune_heap
from .traces import TRACES

ALWAYS = "bundled"  # the model that every visit begins with; small, part of the program, and never evicted
MAX_MODELS = 3


class User(Protocol):
    """An object whose models must stay in memory."""

    @property
    def uses(self) -> frozenset[str]:
        """The names of the models in use."""
        ...


class Pool:
    """The models that are loaded or being loaded, at most `MAX_MODELS` beside the bundled one."""

    def __init__(self) -> None:
        """Start empty."""
        self._jobs: OrderedDict[str, ModelJob] = OrderedDict()
        self._users: WeakSet[User] = WeakSet()
        self._lock = threading.RLock()

    def register(self, user: User) -> None:
        """Keep the models of this user in memory while it lives and uses them."""
        with self._lock:
            self._users.add(user)

    def get(self, name: str) -> ModelJob | None:
        """The job of a model, if there is one; this starts none."""
        with self._lock:
            return self._jobs.get(name)

    def touch(self, names: Iterable[str]) -> None:
        """Note that these models are in use now: the others are unloaded before them."""
        with self._lock:
            for name in names:
                if name in self._jobs:
                    self._jobs.move_to_end(name)

    def request(self, name: str) -> ModelJob:
        """The one job of this model, started if there is none, or if it failed or was cancelled.

        This returns at once; only the bundled model's checkpoint is read first.

        Raises:
            CheckpointError: if the bundled model cannot be read.
        """
        with self._lock:
            job = self.get(name)
            if job is None or job.has_failed:
                self._forget_failures()
                job = ModelJob(name, self._reserve, host.may_be_folder(name))
                job.start(locate(name) if name == ALWAYS else None)
                self._jobs[name] = job
            self._jobs.move_to_end(name)
            return job

    def release(self, name: str) -> None:
        """Cancel the loading of a model if nobody waits for it any more."""
        with self._lock:
            job = self._jobs.get(name)
            if job is not None and job.is_loading and name != ALWAYS and name not in self._in_use():
                self._drop(name)

    def _in_use(self) -> set[str]:
        return {ALWAYS, *(name for user in self._users for name in user.uses)}

    def _forget_failures(self) -> None:
        """Delete failed jobs that nobody uses; the bundled model's stays, as its checkpoint serves recorded runs."""
        in_use = self._in_use()
        for job in list(self._jobs.values()):
            if job.has_failed and job.name not in in_use:
                del self._jobs[job.name]

    def _drop(self, name: str) -> None:
        self._jobs.pop(name).cancel()
        TRACES.evict_runs_of(name)
        collect_garbage()
        trim_heap()

    def _reserve(self, job: ModelJob, config: GPT2Config) -> None:
        """Count a model's memory from now on, and evict unused models to make room for it.

        Raises:
            GPT2Error: if the model does not fit the budget, alone or beside the models that are in use.
        """
        if job.name == ALWAYS:
            job.config = config
            return
        budget, needed = host.memory_budget(), memory_needed(config)
        if needed > budget:
            raise GPT2Error(
                f"{job.name} needs {in_words(needed)} of memory, and the program may take {in_words(budget)} here; "
                "choose a smaller model."
            )
        with self._lock:
            has_collected = False
            while True:
                others = {  # by name: a list of jobs would hold their weights while they are dropped
                    one.name: weight_bytes(one.config)
                    for one in self._jobs.values()
                    if one.config and one is not job and one.name != ALWAYS
                }
                taken = sum(others.values())
                if len(others) < MAX_MODELS and needed + taken <= budget:
                    job.config = config
                    return
                in_use = self._in_use()
                free = [name for name in others if name not in in_use]
                if free:
                    self._drop(free[0])
                elif not has_collected:  # an ended visit uses its models until it is collected
                    collect_garbage()
                    has_collected = True
                else:
                    raise GPT2Error(
                        f"{job.name} does not fit in memory beside the models that are in use now "
                        f"({in_words(PROGRAM_BYTES + taken)} of {in_words(budget)}); try again later, or choose a "
                        "smaller one."
                    )


@cache
def pool() -> Pool:
    """The one pool of this process."""
    tune_heap()
    config.set_option("server.maxUploadSize", host.upload_mb())
    return Pool()
