"""An experiment on the run on the stage: passes of the changed model, in a thread. It never calls Streamlit."""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from gpt2.engine.long_prompt import whole_bytes
from gpt2.engine.settings import trace_budget
from gpt2.engine.turns import Withdrawn
from gpt2.errors import GPT2Error
from gpt2.experiments.ablation import Kind
from gpt2.experiments.passes import observe
from gpt2.experiments.patching import Pair
from gpt2.experiments.plan import Patch, Planned, looking
from gpt2.experiments.plan_text import MOST_NAME
from gpt2.experiments.sweep import Sweep, sweep_ablation, sweep_patching
from gpt2.experiments.twin import Twin, twin
from gpt2.text.one_token import one_token
from gpt2.trace.trace import Trace
from pages.server.limits import limits
from pages.server.traces import NO_ROOM, TRACES, Traces

from .generation import GONE_SECONDS
from .measurement import NO_RUN, NOT_LOADED
from .on_stage import OnStage

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine


class Holding(Protocol):
    """What an experiment finds: it takes memory."""

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""


Found = TypeVar("Found", bound=Holding)
# The token that is watched, and the one that its logit is compared with, as they are typed; empty for the likeliest.
Tokens = tuple[str, str]
FREED = (
    "The numbers of this experiment were freed to make room for other visitors; press its button to make them again."
)
MOST_KEPT = 8
ALL_KEPT = f"{MOST_KEPT} changes are kept already; let one go to keep another."
SAME_NAME = "Another change is kept under this name; give this one another."
LEFT = "The run on the stage has changed, so this experiment ended."


class Experiment(Generic[Found]):
    """Passes of a changed model, each in its turn at the engine; the run on the stage is never touched.

    It holds what is found and nothing of the passes, and counts as a visitor's memory.

    Attributes:
        run_id: the run on which it is made.
        says: what is changed, in words; more precise once the model has read the prompts.
        found: what is found so far; None before the first pass, or if it was freed.
        error: why it ended before its time, in one sentence; empty if it did not.
    """

    def __init__(
        self,
        player: OnStage,
        trace: Trace,
        engine: "Engine | None",
        says: str,
        work: "Callable[[Experiment[Found], Engine, threading.Event], Iterator[Found]]",
        traces: Traces = TRACES,
    ) -> None:
        """Begin, and return at once; without an engine, or a run, say why nothing is computed."""
        self.run_id, self.says, self.model = trace.run_id, says, trace.model
        self.found: Found | None = None
        self.error = limits().problem or (NO_RUN if not trace.steps else NOT_LOADED if engine is None else "")
        self._player, self._traces = weakref.ref(player), traces
        config = trace.config if engine is None else engine.config
        self._needed = min(whole_bytes(config, max(1, trace.seq)), trace_budget())
        # The thread alone holds engine and work: an experiment that is over must keep no model and no run in memory.
        self._turns, self._stop = (None if engine is None else engine.turns), threading.Event()
        self._thread = threading.Thread(target=self._try, args=(engine, work), name="experiment", daemon=True)
        traces.add(self)
        if not self.error:
            self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether passes are still made."""
        return self._thread.is_alive() and not self._stop.is_set()

    @property
    def last_seen(self) -> float:
        """When its visitor was last seen."""
        player = self._player()
        return 0.0 if player is None else player.last_seen

    @property
    def nbytes(self) -> int:
        """Bytes of what is found."""
        return 0 if self.found is None else self.found.nbytes

    def stop(self) -> None:
        """Leave the line before the engine at once; a pass that is under way is the last, and is not kept."""
        if self._turns is not None:
            self._turns.withdraw(self._stop)

    def wait(self, seconds: float) -> None:
        """Return once it has ended, or after so many seconds."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def squeeze(self) -> int:
        """Nothing of it can be recomputed without the engine."""
        return 0

    def evict(self) -> int:
        """Free what was found, if it is over; return the bytes freed."""
        held = self.nbytes
        if self.is_running or not held:
            return 0
        self.found, self.error = None, FREED
        return held

    def evict_if_made_by(self, model: str) -> int:
        """The same, but only if this model made it."""
        return self.evict() if model == self.model else 0

    def _try(
        self, engine: "Engine", work: "Callable[[Experiment[Found], Engine, threading.Event], Iterator[Found]]"
    ) -> None:
        try:
            finding = work(self, engine, self._stop)
            while not (reason := self._stop_reason()):  # before the first pass too: it needs room
                found = next(finding, None)
                if found is None or self._stop.is_set():
                    return
                self.found = found
            self.error = reason
        except Withdrawn:
            pass
        except GPT2Error as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"The experiment stopped ({type(error).__name__}: {error}); press its button to start anew."

    def _stop_reason(self) -> str:
        """Why not to go on, in one sentence; empty if nothing speaks against it."""
        player = self._player()
        if player is None or time.monotonic() - player.last_seen > GONE_SECONDS:
            return f"Stopped after {GONE_SECONDS} s without a viewer; press the button to start anew."
        if player.trace.run_id != self.run_id:
            return LEFT
        needed = max(0, self._needed - self.nbytes)
        return NO_ROOM if self._traces.make_room(keep=player, needed=needed) else ""


def tokens_of(engine: "Engine", texts: Tokens) -> tuple[int | None, int | None]:
    """The tokens that are compared; None where none is typed.

    Raises:
        PromptError: if a text is not one token.
    """
    token, against = (one_token(text, engine.tokenizer) if text else None for text in texts)
    return token, against


@dataclass(eq=False)
class Experiments:
    """What one visitor has tried on the run on the stage: changed runs, of which one is shown, and one sweep.

    Attributes:
        plan: the change whose results are shown.
        made: the experiment of each kept change, and the newest.
        kept: the names of the changes that are kept, in the order in which they were.
        refusal: why the last name was not taken, in one sentence; empty if it was.
        swept: the name of the sweep.
    """

    plan: Planned | None = None
    made: dict[Planned, Experiment[Twin]] = field(default_factory=dict)
    kept: dict[Planned, str] = field(default_factory=dict)
    refusal: str = ""
    sweep: Experiment[Sweep] | None = None
    swept: str = ""
    has_begun: bool = False  # whether the change of the address has been taken up

    @property
    def changed(self) -> Experiment[Twin] | None:
        """The experiment that is shown."""
        return None if self.plan is None else self.made.get(self.plan)

    def keep(self, plan: Planned, name: str) -> None:
        """Keep a change under a name, with what came of it; an empty name lets it go."""
        self.refusal, wanted = "", " ".join(name.split())[:MOST_NAME]
        if not wanted:
            self.kept.pop(plan, None)
        elif any(wanted == other and one != plan for one, other in self.kept.items()):
            self.refusal = SAME_NAME
        elif plan not in self.kept and len(self.kept) == MOST_KEPT:
            self.refusal = ALL_KEPT
        else:
            self.kept[plan] = wanted

    def tend(self, trace: Trace) -> None:
        """Stop and drop what is of another run than the one on the stage, or of this one as it was before."""
        for plan, one in list(self.made.items()):
            if one.run_id != trace.run_id or (one.found is not None and not one.found.is_of(trace)):
                one.stop()
                del self.made[plan]
        if self.changed is None:
            self.plan = None
        sweep = self.sweep
        if sweep is not None and sweep.run_id != trace.run_id:
            sweep.stop()
            self.sweep = None

    @property
    def is_running(self) -> bool:
        """Whether any passes are still made."""
        return any(one is not None and one.is_running for one in (*self.made.values(), self.sweep))

    def try_change(self, player: OnStage, base: Trace, engine: "Engine | None", plan: Planned) -> None:
        """Run the model with a change beside the run on the stage; an experiment under way ends."""
        for one in self.made.values():
            one.stop()

        def work(own: Experiment[Twin], engine: "Engine", stop: threading.Event) -> Iterator[Twin]:
            look = looking(engine, stop, limits().check_prompt)
            changes, own.says = plan.make(engine, observe(engine, base.prompt_ids, stop), look)
            yield from twin(engine, base, changes, stop)

        self.plan = plan
        self.made = {one: made for one, made in self.made.items() if one in self.kept}
        self.made[plan] = Experiment(player, base, engine, plan.says, work)

    def try_ablations(self, player: OnStage, base: Trace, engine: "Engine | None", kind: Kind, tokens: Tokens) -> None:
        """Ablate every head and MLP, one at a time, and read the next token after the last step of `base`."""
        self._end_sweep()

        def work(own: Experiment[Sweep], engine: "Engine", stop: threading.Event) -> Iterator[Sweep]:
            token, against = tokens_of(engine, tokens)
            found = observe(engine, base.computed_ids, stop)
            yield from sweep_ablation(engine, found, kind, "logit difference", token, against, stop)

        over = "" if kind == "zero" else ", over the positions so far"
        says = f"{kind} ablation{over}, one part at a time, at all positions; read at step {len(base.steps) - 1}"

        self.sweep = Experiment(player, base, engine, says, work)

    def try_patches(
        self, player: OnStage, base: Trace, engine: "Engine | None", plan: Patch, over: str, tokens: Tokens, back: bool
    ) -> None:
        """Patch the prompt at every layer and position, or at every head and MLP, from the plan's other prompt.

        With `back`, the other prompt is changed, and the activations are the run's.
        """
        self._end_sweep()

        def work(own: Experiment[Sweep], engine: "Engine", stop: threading.Event) -> Iterator[Sweep]:
            source = looking(engine, stop, limits().check_prompt)(plan.source)
            runs = source, observe(engine, base.prompt_ids, stop)
            token, against = tokens_of(engine, tokens)
            pair = Pair.of(*(runs[::-1] if back else runs), plan.align_end, token, against)
            yield from sweep_patching(engine, pair, over, stop)

        way = f"from this prompt into {plan.source!r}" if back else f"from {plan.source!r} into this prompt"
        says = f"patched {way}, one part at a time; read after the prompt"
        self.sweep = Experiment(player, base, engine, says, work)

    def _end_sweep(self) -> None:
        if self.sweep is not None:
            self.sweep.stop()
