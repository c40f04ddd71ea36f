"""A visit's tree of branches: runs that part from the run on the stage by a chosen token, kept with all their numbers.

One of them is on the stage, where the player has it; all others are kept here. It never calls Streamlit.
"""

from typing import TYPE_CHECKING

from gpt2.engine.fork import fork_trace
from gpt2.engine.settings import trace_budget
from gpt2.errors import GPT2Error
from gpt2.model.sampling import softmax
from gpt2.trace.trace import Trace
from pages.server.caches import with_recomputer
from pages.server.limits import limits
from pages.server.traces import TRACES, Traces
from pages.stage.snapshot import Elsewhere

from .controls import Controls
from .generation import Generation, redrawn, stop_reason_of
from .measurement import NOT_LOADED
from .player import Player
from .states import Branch, Live, Settled, evicted

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

MOST, MOST_NAME = 12, 40
FULL = "The context of {} tokens is full at this step, so a branch could not go on; choose an earlier step."
NO_STEP = "There is no step to branch at; type a prompt and press Run."
SAME = "The run has this token there already; choose another."
HAS = "{} has this token there already; put it on the stage instead."
ALL_NAMED = f"All {MOST} branches have names; let one go to make room for another."
TOO_LARGE = (
    "The named branches fill the {:.0f} MB that a visit's branches may take; let one go to make room for another."
)
LET_GO = "{} was let go to make room: the oldest branch without a name goes first."
FREED = "The numbers of {} were freed to make room; put it on the stage and press Play to make them again."
ON_STAGE = "This branch is on the stage; put another there first, then let it go."


class Branches:
    """The tree, and the memory that it takes beside the run on the stage; it is a `traces.Evictable`.

    Branches share the steps before they part, which are counted once. Squeezed one by one they would share nothing, so
    they are let go instead: the oldest without a name first. The first run and the named ones keep their recipe.

    Attributes:
        all: the runs in the order in which they were made; empty before the first branch.
        current: the one on the stage; None before the first branch.
        note: one sentence on what was let go last; empty if nothing was.
        error: why the last command was refused, in one sentence; empty if it was not.
    """

    def __init__(self, player: Player, traces: Traces = TRACES) -> None:
        """Begin without branches."""
        self._player, self._traces = player, traces
        self._texts, self._made = player.texts, 0
        self._sizes: dict[int, int] = {}  # bytes of each kept step, by the identity of its captures
        self.all: list[Branch] = []
        self.current: Branch | None = None
        self.note = self.error = ""
        traces.add(self)

    def tend(self) -> None:
        """Drop the tree if another text is on the stage."""
        if self._texts != self._player.texts:
            self._texts, self.all, self.current, self._sizes = self._player.texts, [], None, {}
            self.note = self.error = ""

    def start(self, engine: "Engine | None", step: int, token: int | None, controls: Controls) -> Branch:
        """Branch the run on the stage at a step, put the branch there in its place, and let it go on.

        Without a token one is drawn anew with the settings, unless a person chose the one that is there.

        Raises:
            GPT2Error: if it cannot be branched there; the run on the stage is kept.
            SettingsError: if a setting does not fit the model, or the vocabulary has no such token.
        """
        player = self._player
        with player.lock:
            player.pause()
            self.tend()
            trace = player.trace
            if not 0 <= step < len(trace.steps):
                raise GPT2Error(NO_STEP)
            if engine is None:
                raise GPT2Error(NOT_LOADED)
            at, drawn = trace.steps[step], trace.steps[step].draw
            if at.stop >= engine.config.n_positions:
                raise GPT2Error(FULL.format(engine.config.n_positions))
            if drawn is not None and drawn.token == token:
                raise GPT2Error(SAME)
            limits().check_prompt(len(trace.prompt_ids))
            controls.sampling.check_vocabulary(engine.config.vocab_size)
            live = player.run
            if live is not None and live.engine is engine:
                run = live.fork(step + 1)
            else:
                run = fork_trace(engine, with_recomputer(trace, engine), step + 1)
            is_drawn, newest = token is None, redrawn(run, token, controls.sampling)
            assert newest.draw is not None
            token, chances = newest.draw.token, softmax(newest.logits)
            ends = run.has_ended and not controls.ignore_eos
            generation = Generation(run, controls, stop_reason_of(player, self._traces))
            parent = self._parent_at(step)
            place = len(trace.prompt_ids) + step
            instead = next(iter(self.ids(parent)[place : place + 1]), None)
            if instead == token and not is_drawn:
                raise GPT2Error(HAS.format(parent.title))
            self.note = self.error = ""
            self._make_place()
            if self.current is None:
                self.current, self.all = parent, [parent]
            self._made += 1
            own = 0.0 if instead is None else float(chances[instead])
            branch = Branch(self._made, parent, step, token, float(chances[token]), instead, own, newest.draw.is_chosen)
            self.all.append(branch)
            self._exchange(branch, Live(generation))
            self._fit()
            if not ends:
                generation.start()
        return branch

    def show(self, branch: Branch) -> None:
        """Put a branch on the stage; the one that was there is kept."""
        with self._player.lock:
            if branch in self.all and branch.kept is not None:
                self._exchange(branch, branch.kept)
                self.error = ""

    def rename(self, branch: Branch, name: str) -> None:
        """Name a branch, so that it is kept longer than those without a name; an empty name takes it back."""
        wanted = " ".join(name.split())[:MOST_NAME]
        is_taken = any(one.title == wanted for one in self.all if one is not branch)
        branch.name = f"{wanted} ({branch.number})" if is_taken else wanted

    def let_go(self, branch: Branch) -> None:
        """Drop a branch and its numbers; the branches that left it leave its parent instead.

        Raises:
            GPT2Error: if it is on the stage, or the first run.
        """
        with self._player.lock:
            if branch is self.current or branch.parent is None:
                raise GPT2Error(ON_STAGE)
            self._remove(branch)

    def trace(self, branch: Branch) -> Trace:
        """Its run as far as it is; without steps if its numbers were freed."""
        return self._player.trace if branch.kept is None else branch.kept.trace

    def ids(self, branch: Branch) -> tuple[int, ...]:
        """All its tokens, which stay when its numbers are freed."""
        recipe = self._player.recipe if branch.kept is None else branch.kept.recipe
        return self.trace(branch).ids if recipe is None else recipe.ids

    def elsewhere(self) -> tuple[Elsewhere, ...]:
        """Where each other branch parts from the run on the stage, unless one of the two ends before."""
        if self.current is None:
            return ()
        found, n_prompt, own = [], len(self._player.prompt_ids), self.ids(self.current)
        for branch in tuple(self.all):
            ids = self.ids(branch)
            place = next((at for at, (one, other) in enumerate(zip(own, ids, strict=False)) if one != other), None)
            if place is not None:
                step = place - n_prompt
                is_parent = branch is self._parent_at(step)
                found.append(Elsewhere(step, ids[place], branch.number, branch.title, is_parent))
        return tuple(found)

    @property
    def is_running(self) -> bool:
        """No kept run is being generated: that of the stage is the player's."""
        return False

    @property
    def last_seen(self) -> float:
        """When the visitor was last seen."""
        return self._player.last_seen

    @property
    def nbytes(self) -> int:
        """Bytes of the kept runs that the run on the stage does not hold too."""
        kept, sizes = self._kept(), self._sizes
        if not kept:
            return 0
        shared = sum(sizes.get(id(step.captures), 0) for step in self._player.trace.steps)
        caches = sum(run.nbytes - run.trace.nbytes for state in kept if (run := state.run) is not None)
        return sum(sizes.values()) - shared + caches

    def squeeze(self) -> int:
        """Nothing: see the class."""
        return 0

    def evict(self) -> int:
        """Let the oldest branch without a name go, or free a named one's numbers; return the bytes that were freed."""
        if not self._player.lock.acquire(blocking=False):
            return 0
        try:
            held = self.nbytes
            while held and self.nbytes >= held and self._evict_next():
                pass
            return max(0, held - self.nbytes)
        finally:
            self._player.lock.release()

    def evict_if_made_by(self, model: str) -> int:
        """Free the numbers of all kept runs that this model made: each of them holds its engine."""
        if not self._player.lock.acquire(blocking=False):
            return 0
        try:
            held = self.nbytes
            for branch in self.all:
                if branch.kept is not None and branch.kept.trace.model == model:
                    branch.kept = evicted(branch.kept)
            self._count()
            return max(0, held - self.nbytes)
        finally:
            self._player.lock.release()

    def _kept(self) -> list[Settled]:
        return [branch.kept for branch in self.all if branch.kept is not None]

    def _parent_at(self, step: int) -> Branch:
        """The run that has the steps up to this one from nobody else."""
        parent = self.current or Branch(0)
        while parent.parent is not None and step <= parent.step:
            parent = parent.parent
        return parent

    def _exchange(self, branch: Branch, state: Settled) -> None:
        before = self._player.exchange(state)
        assert self.current is not None
        self.current.kept, branch.kept, self.current = before, None, branch
        self._count()

    def _count(self) -> None:
        self._sizes = {
            id(step.captures): step.nbytes for state in self._kept() if state.nbytes for step in state.trace.steps
        }

    def _make_place(self) -> None:
        """Let branches go until another may be made.

        Raises:
            GPT2Error: if all have names, too many or too large ones.
        """
        while len(self.all) > MOST:
            if not self._let_oldest_go():
                raise GPT2Error(ALL_NAMED)
        if self.nbytes > trace_budget() and len(self.all) > 1 and all(one.name for one in self.all[1:]):
            raise GPT2Error(TOO_LARGE.format(trace_budget() / 1e6))

    def _fit(self) -> None:
        """Let branches without a name go until the tree is within a visit's budget."""
        while self.nbytes > trace_budget() and self._let_oldest_go():
            pass

    def _unnamed(self) -> list[Branch]:
        return [one for one in self.all if one.parent is not None and not one.name and one is not self.current]

    def _let_oldest_go(self) -> bool:
        unnamed = self._unnamed()
        if unnamed:
            self._remove(unnamed[0])
            self.note = LET_GO.format(unnamed[0].title)
        return bool(unnamed)

    def _evict_next(self) -> bool:
        """Free what is missed least; False if nothing is left to free."""
        if self._let_oldest_go():
            return True
        branch = next((one for one in self.all if one.kept is not None and evicted(one.kept) is not one.kept), None)
        if branch is None or branch.kept is None:
            return False
        branch.kept, self.note = evicted(branch.kept), FREED.format(branch.title)
        self._count()
        return True

    def _remove(self, gone: Branch) -> None:
        for branch in self.all:
            if branch.parent is gone:
                branch.parent, branch.step = gone.parent, gone.step
                branch.token, branch.chance = gone.token, gone.chance
                branch.instead, branch.instead_chance = gone.instead, gone.instead_chance
                branch.is_chosen = gone.is_chosen
        self.all.remove(gone)
        gone.kept = None
        self._count()
