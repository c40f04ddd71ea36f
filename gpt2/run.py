"""A run: one prompt being continued, with its cache and its trace; it can be stepped, cut back and branched."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .budget import fit, trace_budget
from .errors import GPT2Error
from .interventions import Interventions
from .long_prompt import Norms, read_prompt
from .sampling import Sampling, draw, most_likely
from .step import LensRows, Step, Summary, choice_bits
from .timing import Clock
from .trace import Trace
from .turns import WORK, Turn

if TYPE_CHECKING:
    from .engine import Engine

Array = NDArray[np.float32]
LENS_TOKENS = 8


class Run:
    """The one thing about a run that changes. Every public method holds its lock; traces handed out never change.

    Attributes: `budget` is how many bytes the trace may hold; it may be changed at any time, and holds from the next
    step on.
    """

    def __init__(
        self,
        engine: "Engine",
        prompt_ids: tuple[int, ...],
        interventions: Interventions,
        budget: int | None = None,
    ) -> None:
        """Prepare; nothing is computed before `advance`. Without a `budget`, `trace_budget` gives it."""
        self.engine, self.interventions = engine, interventions
        self.budget = trace_budget() if budget is None else budget
        self._prompt_ids = prompt_ids
        self._cache = engine.new_cache()
        self._lock = threading.Lock()
        self.turn = Turn(engine.turns)  # the newest that was asked for
        self._trace = Trace(engine.checkpoint.name, engine.config, engine.tokenizer.vocabulary)

    @property
    def trace(self) -> Trace:
        """What has been recorded so far."""
        return self._trace

    @property
    def nbytes(self) -> int:
        """Bytes that the captures and the KV cache hold."""
        return self._trace.nbytes + self._cache.nbytes

    @property
    def waiting(self) -> int:
        """How many other runs' passes come before the one that this run waits for; 0 if it waits for none."""
        return self.turn.waiting

    @property
    def is_full(self) -> bool:
        """Whether no further token can be drawn."""
        return bool(self.why_full)

    @property
    def why_full(self) -> str:
        """Why no further token can be drawn, in one sentence; empty where one can."""
        trace = self._trace
        drawn = trace.seq + (trace.steps[-1].draw is not None) if trace.steps else 0
        if max(len(self._prompt_ids), drawn) >= self.engine.config.n_positions:
            return f"The context of {self.engine.config.n_positions} tokens is full."
        if trace.nbytes > self.budget:
            return (
                f"This run fills its {self.budget / 1e6:.0f} MB of memory with what cannot be computed again; "
                "a host gives more with GPT2_TRACE_MB."
            )
        return ""

    def advance(self, sampling: Sampling | None, stop: threading.Event | None = None) -> Step:
        """Run the forward pass that is next, and draw a token from its logits unless `sampling` is None.

        The engine does one pass at a time; the wait for it ends at once if `stop` is withdrawn from `engine.turns`.

        Raises:
            Withdrawn: if it was; the run is as it was before.
            GPT2Error: if the context is full, or nothing was drawn at the newest step.
            SettingsError: if a setting does not fit the model.
        """
        with WORK, self._lock:
            self._cache.cut(self._trace.seq)  # a step that failed halfway may have left its positions there
            if sampling is not None:
                sampling.check_vocabulary(self.engine.config.vocab_size)
                if self.is_full:
                    raise GPT2Error(self.why_full)
            start = self._cache.length
            newest = self._trace.steps[-1].draw if start else None
            if start and newest is None:
                raise GPT2Error("No token was drawn at the newest step; draw one there before going on.")
            ids = self._prompt_ids if newest is None else (newest.token,)
            if start + len(ids) > self.engine.config.n_positions:
                raise GPT2Error(f"The context of {self.engine.config.n_positions} tokens is full.")
            self.turn = Turn(self.engine.turns, stop)
            clock = Clock()
            with self.turn:
                clock.spent("waiting")
                captures, norms = self._pass(ids, clock)
                clock.spent("capture")
                readings = self._read_lens(captures)
                clock.spent("lens")
            drawn = None if sampling is None else draw(captures["logits"][-1], sampling, start + len(ids))
            clock.spent("sampling")
            lens = self._lens(readings, None if drawn is None else drawn.token)
            clock.spent("lens")
            known = Summary(*norms, *choice_bits(captures["logits"][-1], drawn)) if norms else None
            clock.spent("sampling")
            step = Step(ids, start, captures, drawn, clock.timing.forward, lens, self.interventions, known)
            kept = fit(self._trace.append(step), self.budget)
            clock.spent("keeping")
            self._trace = replace(kept, steps=(*kept.steps[:-1], kept.steps[-1].timed(clock.timing)))
            return step.timed(clock.timing)

    def redraw(self, sampling: Sampling) -> Step:
        """Draw the newest step's token again with other settings; the model does not run.

        Raises:
            GPT2Error: if nothing has been computed yet.
            SettingsError: if a setting does not fit the model.
        """
        with WORK, self._lock:
            if not self._trace.steps:
                raise GPT2Error("Nothing has been computed yet, so nothing can be drawn.")
            sampling.check_vocabulary(self.engine.config.vocab_size)
            newest = self._trace.steps[-1]
            if "logits" not in newest.captures:  # a step stepped back to, whose logits had been let go
                top = f"blocks.{self.engine.config.n_layer - 1}.hook_resid_post"
                newest = newest.with_logits(self.engine.lens(newest.captures[top][-1:])[0])
            drawn = draw(newest.logits, sampling, newest.stop)
            lens = self._lens(self._read_lens(newest.captures), drawn.token)
            step = newest.drawn_again(drawn, lens)
            self._trace = self._trace.cut(len(self._trace.steps) - 1).append(step)
            return step

    def cut(self, n_steps: int) -> Trace:
        """Step back to the first `n_steps` steps; going on from there recomputes nothing that was kept."""
        with self._lock:
            self._trace = self._trace.cut(n_steps)
            self._cache.cut(self._trace.seq)
            return self._trace

    def branch(self, n_steps: int) -> Trace:
        """Step back and go on as a new run that remembers its parent."""
        with self._lock:
            self._trace = self._trace.branch(n_steps)
            self._cache.cut(self._trace.seq)
            return self._trace

    def _pass(self, ids: tuple[int, ...], clock: Clock) -> tuple[Mapping[str, Array], Norms | None]:
        """The newest token after the cached positions, or the whole prompt; norms where it was squeezed."""
        if self._cache.length:
            return self.engine.decode(ids[0], self.interventions, self._cache, clock), None
        return read_prompt(self.engine, ids, self.interventions, self._cache, self.budget, clock)

    def _read_lens(self, captures: Mapping[str, Array]) -> Array:
        below = [f"blocks.{layer}.hook_resid_post" for layer in range(self.engine.config.n_layer - 1)]
        rows = np.stack([captures[name][-1] for name in ("blocks.0.hook_resid_pre", *below)])  # [layer, d_model]
        # What the last block gives has been read already: it is what was drawn from.
        return np.concatenate([self.engine.lens(rows), captures["logits"]])  # [layer + 1, vocab]

    def _lens(self, logits: Array, drawn: int | None) -> LensRows:
        tokens = most_likely(logits, min(LENS_TOKENS, logits.shape[1]))
        highest = logits.max(axis=1, keepdims=True)
        total = np.exp(logits - highest).sum(axis=1, keepdims=True, dtype=np.float64)

        def probability(chosen: NDArray[np.integer]) -> Array:
            """Shapes: [layer + 1, n] tokens -> [layer + 1, n]."""
            return (np.exp(np.take_along_axis(logits, chosen, 1) - highest) / total).astype(np.float32)

        watched = np.full((len(logits), 1), 0 if drawn is None else drawn)
        return LensRows(tokens.astype(np.int32), probability(tokens), probability(watched)[:, 0])
