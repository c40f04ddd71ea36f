"""Everything that the stage shows at one moment, as data: a trace, a status, and the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gpt2.model.sampling import Sampling
from gpt2.reading.checks import Check
from gpt2.reading.tables import Tables
from gpt2.reading.terms import Sum
from gpt2.trace.trace import Trace

from .rest import RestingHead


@dataclass(frozen=True)
class Status:
    """The status of a visit: one word for the program, one plain sentence for the visitor.

    Attributes:
        is_news: whether the sentence says more than the word does, and is to be read without asking for it.
    """

    kind: Literal["recorded", "loading", "running", "paused", "ended", "full", "error"]
    text: str
    is_news: bool = False


@dataclass(frozen=True)
class ModelOffer:
    """A model that can be chosen: its name for the program, its label for the visitor, and its memory and state."""

    name: str
    label: str
    detail: str


@dataclass(frozen=True)
class Coming:
    """A model being loaded, or just ready: its label, one sentence, and the share that is loaded (0 to 1)."""

    label: str
    text: str
    share: float | None
    is_ready: bool = False


@dataclass(frozen=True)
class Example:
    """A prompt to start from, and what it shows."""

    label: str
    prompt: str
    shows: str


@dataclass(frozen=True)
class Arrival:
    """The run of the address is on the stage: its id, the step to show, and what to lock and to look at, if anything.

    Attributes:
        head: the (layer, head) to lock.
        watched: the position of the prompt to look at.
    """

    run: str
    step: int
    head: tuple[int, int] | None
    watched: int | None


@dataclass(frozen=True)
class Link:
    """What the browser's address is to say of the run on the stage; the browser adds what is looked at there.

    Attributes:
        visit: names the visit, so that a browser can tell when the server has begun another for it.
        query: the address's query; the run is in it unless there is a `problem`.
        problem: why the run on the stage has no link, in one sentence; empty if it has one.
        is_pending: the run of the address is not on the stage yet, and `query` is the whole of it.
        arrival: where to go on the run that has become ready.
    """

    visit: str = ""
    query: str = ""
    problem: str = ""
    is_pending: bool = False
    arrival: Arrival | None = None


@dataclass(frozen=True)
class Elsewhere:
    """Another branch, where it parts from the run on the stage: the step, and the token that it has there.

    Attributes:
        number, title: the branch's.
        is_parent: whether the run on the stage would branch from it there, so that it cannot have this token too.
    """

    step: int
    token: int
    number: int
    title: str
    is_parent: bool


@dataclass(frozen=True)
class Opened:
    """A number that was opened: what the browser calls it, and its arithmetic, or why there is none."""

    name: str
    found: Sum | None = None
    error: str = ""


@dataclass(frozen=True)
class Inspected:
    """What was looked into of a run.

    Attributes:
        checks: while it rests.
        are_due: whether it rests, and they have not been asked for.
        can_read_whole: whether its whole text can be read at once, to check its steps.
        number: the one that was opened last, if any was.
    """

    checks: tuple[Check, ...] = ()
    are_due: bool = False
    can_read_whole: bool = False
    number: Opened | None = None


@dataclass(frozen=True)
class Snapshot:
    """Everything that one message to the browser is made from.

    Attributes:
        trace: the whole run, live or recorded; it may have no steps yet, or none any more.
        ids, prompt_tokens: the run's text as tokens, and how many of them are the prompt's; they stay when the trace
            has let its steps go.
        tables: the embedding tables, for the nearest tokens; None if the model is not loaded.
        prompt: the text that the run began with.
        next_prompt: that of the new run while it is starting; None if none is.
        draft_tokens, draft_error: of the text that was typed or tried last: its tokens once they are counted, and why
            it cannot run.
        context: how many positions the model can read, or fewer if the host allows fewer.
        most_new_tokens: the highest that `max_new_tokens` may be set to.
        model: what is chosen in the list of models; it may still be loading.
        next_model: the model that Run uses; another one may judge texts and settings otherwise.
        other_models: what may be typed instead, in words; empty if the host allows none.
        coming: the model being loaded, if there is one.
        model_error: why the model that was chosen last could not be loaded, in one sentence.
        speed: how many tokens or steps a second; 0 is as fast as they come.
        setting_errors: what is wrong with settings that were refused, by name; while there are any, none is taken.
        ignore_eos: whether a run goes on after a token that ends the text.
        is_starting: a new run is under way of which nothing is computed yet; the run before is still on the stage.
        tick_ms: how long the stage waits before it asks for the next message, while a run is under way.
        recorded: the run on the stage was not made by this visitor, whatever else the status has to say.
        inspected: what was looked into of the run on the stage.
        rest: the head to show large while none is locked; None if there is none to rest on.
        elsewhere: where other branches part from it; one for each.
        link: what the address says; while its run is pending, `prompt` is that run's.
    """

    trace: Trace
    ids: tuple[int, ...]
    prompt_tokens: int
    tables: Tables | None
    status: Status
    prompt: str
    draft_tokens: int | None
    draft_error: str | None
    context: int
    sampling: Sampling
    max_new_tokens: int
    most_new_tokens: int
    model: str
    models: tuple[ModelOffer, ...]
    examples: tuple[Example, ...]
    tick_ms: int
    ignore_eos: bool = False
    speed: float = 8.0
    setting_errors: Mapping[str, str] = field(default_factory=dict)
    next_prompt: str | None = None
    is_starting: bool = False
    recorded: bool = False
    next_model: str = ""
    other_models: str = ""
    coming: Coming | None = None
    model_error: str = ""
    rest: RestingHead | None = None
    elsewhere: tuple[Elsewhere, ...] = ()
    link: Link = Link()
    inspected: Inspected = Inspected()
