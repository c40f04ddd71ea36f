"""The run that a visit's address names, until it is on the stage; then what the address says of the run there."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from gpt2.errors import GPT2Error
from gpt2.experiments.plan_text import NamedChange
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from pages.server import host
from pages.server.job import ModelJob
from pages.server.limits import limits
from pages.server.models import ALWAYS
from pages.stage import snapshot
from pages.stage.actions import Action, Branch, ByStage, CancelModel, Play, RunPrompt, ShowBranch, StepOn
from pages.stage.snapshot import Arrival, Status

from .address import MOST_COMPOSED, Address, check_of, compose, read_address
from .controls import Controls
from .draft import TypedPrompt
from .examples import FIRST_RUN, RECORDED, recorded_run
from .model_choice import ModelChoice, label
from .player import Player
from .recipe import Recipe

MAKING = "Making the run of this link again."
CHOOSE = "{} made the run of this link, and is not loaded here: choose it in the settings to make the run again."
DIFFERS = "This text is not the link's: other weights, or another kind of machine, made that one."
TOO_LONG = "The prompt is too long for a link; save the run instead."
LONG_CHANGE = "The texts of the change on Experiments are too long for a link; shorten them, or save the run instead."
TOO_MANY = "The settings changed too often for a link; save the run instead."
FROM_FILE = "A run from a file has no link; send the file, or press Play to make the run again here."
CHOSEN = "A token of this run was chosen by hand, so it has no link; save it instead."
CHANGED = "A run with interventions has no link; save it instead."
UNLIKE = "The text of this prompt gives other tokens than this run began with, so it has no link; save the run instead."


class Visit(Protocol):
    """What a link needs of its visit."""

    player: Player
    choice: ModelChoice
    sampling: Sampling
    max_new_tokens: int
    speed: float
    ignore_eos: bool
    cursor: int
    head: tuple[int, int] | None
    watched: int | None
    change: NamedChange | None
    draft: TypedPrompt

    @property
    def job(self) -> ModelJob:
        """The model that Run uses."""

    @property
    def model_of_run(self) -> ModelJob | None:
        """The model that made the run on the stage, if it is loaded."""

    @property
    def most_new_tokens(self) -> int:
        """How many tokens one press of Run or Play may generate."""


class Link:
    """What a visit does about the run that its address names.

    Attributes:
        address: what the address said; of one that cannot be read, the default.
        note: one sentence on it, until the visitor asks for something.
    """

    def __init__(self, query: str = "") -> None:
        """Read the query of an address."""
        self.address, self.note = Address(), ""
        try:
            self.address = read_address(query)
        except GPT2Error as error:
            self.note = str(error)
        self._is_waiting, self._is_making = self.address.prompt is not None, False
        self._is_new, self._id = self.address != Address(), secrets.token_hex(4)
        self._arrival: Arrival | None = None
        self._encoded = "", True  # whether the prompt's text gives the run's tokens, by the run's id

    @property
    def is_pending(self) -> bool:
        """Whether the run of the address is still to be on the stage."""
        return self._is_waiting or self._is_making

    @property
    def recorded(self) -> tuple[Trace, str]:
        """The recorded run that the visit begins with, and its prompt.

        Raises:
            TraceError: if its file is missing or damaged.
        """
        trace = recorded_run(self.address.recorded or FIRST_RUN)
        return trace, trace.vocabulary.text(trace.prompt_ids)

    def tend(self, visit: Visit) -> None:
        """Begin the run as soon as its model is ready; once it is made, show the step of the address."""
        if self._is_new:
            self._is_new = False
            self._take_up(visit)
        if self._is_waiting and visit.choice.model == self._model and not limits().problem:
            self._begin(visit)
        if self._is_making and not visit.player.is_running:
            self._is_making = False
            if not (visit.player.is_recorded or visit.player.is_starting):
                self._arrive(visit)

    def heed(self, action: Action) -> None:
        """Note what the visitor has asked for: a run of his own takes the place of the address's."""
        if isinstance(action, RunPrompt | Play | StepOn | Branch | ShowBranch):
            self.drop()
        if not isinstance(action, ByStage | CancelModel) and not self._is_waiting:
            self.note = ""

    def drop(self) -> None:
        """Forget the run of the address: something else is on the stage, or about to be."""
        self._is_waiting = self._is_making = False
        self.note, self._arrival = "", None

    def status(self, status: Status, visit: Visit) -> Status:
        """What is said of the run of the address, or else `status`."""
        if status.kind == "error":
            return status
        if self._is_making:
            return status if status.kind == "running" and status.is_news else Status("running", MAKING, is_news=True)
        if self._is_waiting and visit.choice.shown == self._model:
            return Status("loading", MAKING)
        if self.note and status.kind in ("recorded", "paused", "ended", "full"):
            return replace(status, text=self.note, is_news=True)
        return status

    def prompt(self, visit: Visit) -> str:
        """The text in the prompt box: that of the address while its run is pending."""
        own = self.address.prompt
        return own if self.is_pending and own is not None else visit.player.prompt

    def told(self, visit: Visit, trace: Trace, recipe: Recipe | None) -> snapshot.Link:
        """What the browser's address is to say, with `trace` on the stage; `recipe` as the player has it."""
        if self.is_pending:
            return snapshot.Link(self._id, compose(self.address), is_pending=True)
        controls = Controls(visit.sampling, visit.max_new_tokens, visit.speed, visit.ignore_eos)
        arrival = self._arrival if self._arrival is not None and self._arrival.run == trace.run_id else None
        address, problem = Address(controls=controls), self._problem(visit, trace, recipe)
        if visit.player.is_recorded:
            model = None if visit.choice.shown == host.default_model() else visit.choice.shown
            name = shipped_name(trace)
            address = replace(address, model=model, recorded=None if name == FIRST_RUN else name)
        elif not problem:
            whole = replace(address_of(trace, recipe, visit.player.prompt), controls=controls)
            if len(compose(whole)) <= MOST_COMPOSED:
                address = whole
            else:
                problem = TOO_LONG if len(compose(replace(whole, samplings=()))) > MOST_COMPOSED else TOO_MANY
        changed = replace(address, change=visit.change)
        if len(compose(changed)) > MOST_COMPOSED:
            return snapshot.Link(self._id, compose(address), problem or LONG_CHANGE, arrival=arrival)
        return snapshot.Link(self._id, compose(changed), problem, arrival=arrival)

    @property
    def _model(self) -> str:
        return self.address.model or ALWAYS

    def _take_up(self, visit: Visit) -> None:
        """Take the settings of the address, and its model; show its step of a recorded run."""
        now, trace = self.address.controls, visit.player.trace
        visit.sampling, visit.max_new_tokens, visit.speed = now.sampling, now.max_new_tokens, now.speed
        visit.ignore_eos, visit.change = now.ignore_eos, self.address.change
        self._choose(visit)
        if not self.is_pending:
            self._show(visit, trace)

    def _choose(self, visit: Visit) -> None:
        """Choose the model of the address, if that needs no download and no compile; else leave it to the visitor."""
        if self.address.prompt is None and self.address.model is None:
            return
        try:
            if visit.choice.is_at_hand(self._model):
                visit.choice.take(self._model)
            elif self._is_waiting:
                self.note = CHOOSE.format(label(self._model))
        except GPT2Error as refusal:
            self._is_waiting, self.note = False, str(refusal)

    def _begin(self, visit: Visit) -> None:
        engine, address = visit.job.engine, self.address
        if visit.job.name != self._model or engine is None or address.prompt is None:
            return
        self._is_waiting, self.note = False, ""
        try:
            if address.samplings:
                visit.draft.tokens = visit.player.again(engine, address.prompt, address.samplings)
            else:
                now = address.controls
                tokens = min(now.max_new_tokens, visit.most_new_tokens)
                visit.draft.tokens = visit.player.new(engine, address.prompt, now.sampling, tokens, 0.0, now.ignore_eos)
            self._is_making = True
        except GPT2Error as error:
            self.note, visit.sampling = str(error), Address().controls.sampling

    def _arrive(self, visit: Visit) -> None:
        trace, address = visit.player.trace, self.address
        last = len(trace.steps) - 1
        if last + 1 == len(address.samplings) and address.check not in ("", check_of(trace.ids)):
            self.note = DIFFERS
        self._show(visit, trace)

    def _show(self, visit: Visit, trace: Trace) -> None:
        """Put the cursor on the step of the address, or the last one; lock its head and look at its position if any."""
        last, step = len(trace.steps) - 1, self.address.step
        visit.cursor, visit.head = last if step is None else min(step, last), self.address.head
        if visit.head is not None and not has_head(trace, visit.head):
            visit.head = None
            self.note = self.note or "This model has no head {}.{}, so none is locked.".format(*self.address.head or ())
        visit.watched = self.address.watched
        if visit.watched is not None and visit.watched >= len(trace.prompt_ids):
            self.note = self.note or f"This prompt has no position {visit.watched}, so none is looked at."
            visit.watched = None
        if step is not None and step > last:
            self.note = self.note or f"This run has no step {step}; its last one is shown."
        self._arrival = Arrival(trace.run_id, visit.cursor, visit.head, visit.watched)

    def _problem(self, visit: Visit, trace: Trace, recipe: Recipe | None) -> str:
        """Why the run on the stage cannot be named by an address; empty if it can."""
        if visit.player.is_recorded:
            return FROM_FILE if shipped_name(trace) is None else ""
        if recipe is not None and not recipe.is_made_here:
            return FROM_FILE
        by_hand = any(step.draw is not None and step.draw.is_chosen for step in trace.steps)
        if by_hand or (recipe is not None and recipe.chosen):
            return CHOSEN
        changes = recipe.interventions if recipe else trace.steps[0].interventions if trace.steps else Interventions()
        if changes != Interventions():
            return CHANGED
        return "" if self._reads_as(visit, trace) and None not in samplings_of(trace, recipe) else UNLIKE

    def _reads_as(self, visit: Visit, trace: Trace) -> bool:
        """Whether the prompt's text gives the tokens that the run began with; looked up once for each run."""
        if self._encoded[0] != trace.run_id and trace.steps:
            job = visit.model_of_run
            if job is None or job.checkpoint is None:
                return True
            try:
                ids = tuple(job.checkpoint.tokenizer.encode(visit.player.prompt))
            except GPT2Error:
                ids = ()
            self._encoded = trace.run_id, ids == trace.prompt_ids
        return self._encoded[1]


def address_of(trace: Trace, recipe: Recipe | None, prompt: str) -> Address:
    """The address of a run that was made here, evicted (then its recipe tells all) or not."""
    return Address(
        prompt=prompt,
        model=None if trace.model == ALWAYS else trace.model,
        samplings=tuple(sampling for sampling in samplings_of(trace, recipe) if sampling is not None),
        check=check_of(trace.ids if recipe is None else recipe.ids),
    )


def samplings_of(trace: Trace, recipe: Recipe | None) -> Sequence[Sampling | None]:
    """The settings of each token of a run; None where nothing was drawn."""
    if recipe is not None:
        return recipe.samplings
    return [None if step.draw is None else step.draw.sampling for step in trace.steps]


def shipped_name(trace: Trace) -> str | None:
    """The name of a recorded run that ships with the program; None if this is another."""
    return next((name for name in RECORDED if recorded_run(name).run_id == trace.run_id), None)


def has_head(trace: Trace, head: tuple[int, int]) -> bool:
    """Whether the model of a run has this (layer, head)."""
    return head[0] in range(trace.config.n_layer) and head[1] in range(trace.config.n_head)
