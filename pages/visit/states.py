"""What can be on a visitor's stage: a run that is recorded, live, evicted, replayed, or about to be replaced."""

from dataclasses import dataclass

from gpt2.engine.run import Run
from gpt2.trace.trace import Trace

from .generation import Generation
from .recipe import Recipe


@dataclass(frozen=True)
class Recorded:
    """A run that this visitor did not make: one that ships with the program, or one from a file.

    Attributes: `is_own` says that no other visitor shares it, so that it counts as this visitor's memory.
    """

    trace: Trace
    is_own: bool = False

    generation = None
    run = None
    recipe = None
    is_recorded = True

    @property
    def nbytes(self) -> int:
        """Bytes that are this visitor's own."""
        return self.trace.nbytes if self.is_own else 0


@dataclass(frozen=True)
class Evicted:
    """A run whose captures were freed: `trace` has no steps, and `recipe` replays it."""

    trace: Trace
    recipe: Recipe

    generation = None
    run = None
    is_recorded = False
    nbytes = 0


@dataclass(frozen=True)
class Live:
    """A run that this visitor has made, or is making."""

    generation: Generation

    recipe = None
    is_recorded = False

    @property
    def run(self) -> Run:
        """The run on the stage."""
        return self.generation.run

    @property
    def trace(self) -> Trace:
        """The run as far as it is."""
        return self.run.trace

    @property
    def nbytes(self) -> int:
        """Bytes of the captures and the KV cache."""
        return self.run.nbytes


@dataclass(frozen=True)
class Replaying:
    """A run that is made again, token by token, from the recipe of what was on the stage `before`.

    A recorded run stays on the stage until the replay is complete. An evicted one has nothing to show: the replay takes
    its place from the first token on, unless it gives different tokens; then nothing of it is shown.
    """

    generation: Generation
    before: Recorded | Evicted

    @property
    def is_complete(self) -> bool:
        """Whether all tokens have been replayed, so that the run is a live one."""
        return self.generation.recipe is None

    @property
    def run(self) -> Run | None:
        """The run on the stage, if it is the replayed one."""
        shows_before = self.is_recorded or self.generation.has_diverged
        return None if shows_before else self.generation.run

    @property
    def trace(self) -> Trace:
        """What is on the stage."""
        run = self.run
        return self.before.trace if run is None else run.trace

    @property
    def recipe(self) -> Recipe | None:
        """What an evicted run is replayed from; None once it has been, and while a recorded run is on the stage."""
        return None if self.is_complete else self.before.recipe

    @property
    def is_recorded(self) -> bool:
        """Whether a recorded run is still on the stage."""
        return self.before.is_recorded and not self.is_complete

    @property
    def nbytes(self) -> int:
        """Bytes of the replayed run, and of this visitor's own before it."""
        return self.generation.run.nbytes + (0 if self.is_complete else self.before.nbytes)


Settled = Recorded | Evicted | Live | Replaying


@dataclass(frozen=True)
class Starting:
    """A new run without a step yet: what was on the stage `before` stays, and comes back if no step can be made.

    Attributes: `prompt_before` is the text that the run before began with.
    """

    generation: Generation
    before: Settled
    prompt_before: str

    @property
    def has_begun(self) -> bool:
        """Whether the new run has a step, so that it is the one on the stage."""
        return bool(self.generation.run.trace.steps)

    @property
    def run(self) -> Run | None:
        """The run on the stage, if a visitor made it."""
        return self.generation.run if self.has_begun else self.before.run

    @property
    def trace(self) -> Trace:
        """What is on the stage."""
        return self.generation.run.trace if self.has_begun else self.before.trace

    @property
    def recipe(self) -> Recipe | None:
        """That of the run before, until the new one takes its place."""
        return None if self.has_begun else self.before.recipe

    @property
    def is_recorded(self) -> bool:
        """Whether a recorded run is still on the stage."""
        return self.before.is_recorded and not self.has_begun

    @property
    def nbytes(self) -> int:
        """Bytes of both runs."""
        return self.generation.run.nbytes + self.before.nbytes


State = Settled | Starting


@dataclass(eq=False)
class Branch:
    """One run of the tree.

    Attributes:
        number: 0 for the run that the tree grew from, then as they were made.
        parent: the run that it leaves; None for the first.
        step: the step of the parent whose token it has another in place of.
        token, chance: that other token, and its probability by the model.
        instead, instead_chance: the parent's own token there, None if it had drawn none, and its probability.
        is_chosen: whether a person chose that token; else it was drawn with other settings, and may be the same.
        name: as the visitor calls it; empty if it has no name.
        kept: what the stage is to have when it is put there; None while it is there.
    """

    number: int
    parent: "Branch | None" = None
    step: int = 0
    token: int = 0
    chance: float = 1.0
    instead: int | None = None
    instead_chance: float = 0.0
    is_chosen: bool = True
    name: str = ""
    kept: Settled | None = None

    @property
    def title(self) -> str:
        """Its name, or its number if it has none."""
        return self.name or (f"Branch {self.number}" if self.number else "The first run")

    @property
    def title_inside(self) -> str:
        """The same inside a sentence."""
        return self.title if self.name or self.number else "the first run"


def evicted(state: Settled) -> Settled:
    """The same without its captures, if it holds any that no other visitor shares: the recipe stays."""
    if not (state.nbytes and state.trace.steps):
        return state
    return Evicted(state.trace.cut(0), state.recipe or Recipe.of(state.trace, state.run is not None))
