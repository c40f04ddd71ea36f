"""The model that a visit runs on, and the one being loaded: Run uses the loaded one until the new one is ready."""

import time
from functools import lru_cache

from gpt2.checkpoints.catalog import MINE, SHIPPED
from gpt2.checkpoints.hub import locate
from gpt2.checkpoints.listing import listed
from gpt2.errors import GPT2Error, SettingsError
from pages.server import host
from pages.server.models import ALWAYS, pool
from pages.stage.snapshot import Coming, ModelOffer

SAID_SECONDS = 8.0  # how long it is said that a model is ready


class ModelChoice:
    """A visit's models.

    Attributes:
        model: what Run uses, loaded or (the bundled one alone) loading.
        wanted: the model that has been chosen and is not ready yet, or None.
        error: why the last choice failed, in one sentence, until something else is asked for.
        is_local: the visitor's browser is on the machine that the app runs on.
    """

    def __init__(self, is_local: bool = False) -> None:
        """Begin with the bundled model, while the host's own is loaded."""
        default = host.default_model()
        self.model, self.wanted = ALWAYS, None if default == ALWAYS else default
        self.error, self.is_local = "", is_local
        self._said_until = 0.0
        self._asked_for: str | None = None  # the model that it has begun to wait for

    @property
    def shown(self) -> str:
        """The model that the list shows as chosen."""
        return self.wanted or self.model

    @property
    def names(self) -> frozenset[str]:
        """The models that must stay in memory."""
        return frozenset(filter(None, [self.model, self.wanted]))

    def take(self, name: str) -> None:
        """Choose a model for the runs to come, loaded in the background; if it is refused, `error` says why."""
        try:
            name = self._allowed(name)
        except GPT2Error as refusal:
            self.error = str(refusal)
            return
        if name == self.shown:
            return
        self.cancel()
        self._said_until = 0.0
        if name == self.model:
            return
        self.wanted = name
        self.poll()

    def cancel(self) -> None:
        """Stay with the loaded model; loading the other one ends if nobody else waits for it."""
        self.error = ""
        if self.wanted is not None:
            name, self.wanted, self._asked_for = self.wanted, None, None
            pool().release(name)

    def poll(self) -> None:
        """Take a model that has become ready, and note one that has failed; one that failed earlier is tried again.

        A model that was unloaded while the visitor was away is loaded again.
        """
        if self.model != ALWAYS and pool().get(self.model) is None:
            self.model, self.wanted = ALWAYS, self.wanted or self.model
        if self.wanted is None:
            return
        job = pool().get(self.wanted) if self._asked_for == self.wanted else None
        if job is None:
            job, self._asked_for = pool().request(self.wanted), self.wanted
        if job.phase == "ready":
            self.model, self.wanted, self._asked_for = self.wanted, None, None
            self._said_until = time.monotonic() + SAID_SECONDS
        elif job.has_failed:
            self.wanted, self.error, self._asked_for = None, job.error, None

    def coming(self) -> Coming | None:
        """The progress of the model being loaded, or compiled while it is in use, or that one has just become ready."""
        if self.wanted is None:
            job = pool().get(self.model)
            if job is not None and job.unfused:
                return Coming(label(self.model), f"runs operation by operation. {job.unfused}", None, is_ready=True)
            if time.monotonic() > self._said_until:
                return None
            return Coming(label(self.model), "is ready for the next run", None, is_ready=True)
        job = pool().get(self.wanted)
        if job is None:
            return None
        return Coming(label(self.wanted), job.message, job.progress)

    def offered(self) -> tuple[ModelOffer, ...]:
        """What can be chosen here, each with size, memory and state; a model typed by hand is in it while chosen."""
        second = int(time.monotonic())
        return tuple(
            offer(name, is_loaded(name), second)
            for name in dict.fromkeys([*host.offered_models(), *self._own, self.model, self.shown])
        )

    def is_at_hand(self, name: str) -> bool:
        """Whether choosing a model begins no download and no compile: it is loaded or being loaded, or is all here.

        Raises:
            GPT2Error: if the host does not offer it, or no model can have this name.
        """
        name = self._allowed(name)
        job = pool().get(name)
        if name == self.shown or (job is not None and not job.has_failed):
            return True
        return name in SHIPPED and locate(name).state in ("bundled", "downloaded")

    @property
    def takes_others(self) -> str:
        """What a visitor may type beside the list: nothing, an id, or an id or folder."""
        if not host.takes_other_ids():
            return ""
        return "Hugging Face id or folder" if host.takes_folders(self.is_local) else "Hugging Face id"

    @property
    def _own(self) -> tuple[str, ...]:
        """The model that the visitor has built, if their own code may run here."""
        return (MINE,) if host.own_code(self.is_local) is not None else ()

    def _allowed(self, name: str) -> str:
        """The name under which a model is loaded.

        Raises:
            GPT2Error: if the host does not offer it, or no model can have this name.
        """
        if name == MINE and not self._own:
            raise SettingsError(host.NOT_AT_HOME)
        if name in (*host.offered_models(), *self._own, self.model, self.wanted):
            return name
        if not host.takes_other_ids():
            raise SettingsError(f"The model {name!r} is not offered here; choose one from the list.")
        folders = host.takes_folders(self.is_local)
        try:
            place = locate(name, folders)
        except GPT2Error as error:
            if folders:
                raise
            raise SettingsError(
                f"The model {name[:100]!r} is not offered here: choose one from the list, or give a Hugging Face id "
                "such as openai-community/gpt2."
            ) from error
        return str(place.folder.resolve()) if place.state == "folder" and place.folder else name


def is_loaded(name: str) -> bool:
    """Whether a model is in memory and ready."""
    job = pool().get(name)
    return job is not None and job.phase == "ready"


def label(name: str) -> str:
    """What a person calls a model."""
    try:
        return listed(name, host.may_be_folder(name)).label
    except GPT2Error:
        return name


@lru_cache(maxsize=64)
def offer(name: str, loaded: bool, second: int) -> ModelOffer:
    """A model in the list; looked up on the disk once in a `second`."""
    try:
        row = listed(name, host.may_be_folder(name))
    except GPT2Error:
        return ModelOffer(name, name, "no such model")
    return ModelOffer(name, row.label, " · ".join(filter(None, [row.memory, "loaded" if loaded else row.state])))
