"""A run: one prompt being continued, with its cache and its trace; it can be stepped, cut back and branched."""

import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import GPT2Error, SettingsError
from gpt2.model.hooks import stream_below
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Draw, Sampling
from gpt2.trace.budget import squeeze_to_fit
from gpt2.trace.captures import Captures
from gpt2.trace.step import Step, Summary, choice_bits
from gpt2.trace.timing import Clock, timed
from gpt2.trace.trace import Trace

from .finite import check_model
from .long_prompt import Norms, least_bytes, read_prompt
from .readout import ForwardOutput, lens_rows
from .settings import trace_budget
from .shutdown import CALLS_IN_FLIGHT
from .turns import Turn

if TYPE_CHECKING:
    from .cache import KVCache
    from .passes import ForwardPasses

Array = NDArray[np.float32]


class Run:
    """The one thing about a run that changes. Every public method holds its lock; traces handed out never change.

    Attributes: `prompt_ids` are the tokens of the prompt; `budget` is how many bytes the trace may hold, which
    `squeeze` changes.
    """

    def __init__(
        self,
        engine: "ForwardPasses",
        prompt_ids: tuple[int, ...],
        interventions: Interventions,
        budget: int | None = None,
    ) -> None:
        """Prepare; nothing is computed before `advance`. Without a `budget`, `trace_budget` gives it."""
        self.engine, self.interventions = engine, interventions
        self.budget = self._most = trace_budget() if budget is None else budget
        self.prompt_ids = prompt_ids
        self._cache = engine.new_cache()
        self._lock = threading.Lock()
        self.turn = Turn(engine.turns)  # the newest that was asked for
        self._trace = Trace(engine.checkpoint.name, engine.config, engine.tokenizer.vocabulary)

    @property
    def trace(self) -> Trace:
        """The record so far."""
        return self._trace

    @property
    def nbytes(self) -> int:
        """Bytes that the captures and the KV cache hold."""
        return self._trace.nbytes + self._cache.nbytes

    @property
    def least_nbytes(self) -> int:
        """About the fewest bytes that the run can be squeezed to, its next step included."""
        return least_bytes(self.engine.config, max(self._trace.seq, len(self.prompt_ids)) + 1) + self._cache.nbytes

    @property
    def waiting(self) -> int:
        """How many other runs' passes come before the one that this run waits for; 0 if it waits for none."""
        return self.turn.waiting

    @property
    def is_full(self) -> bool:
        """Whether no further token can be drawn; the last one was drawn at the last position, and cannot be read."""
        return bool(self.why_full)

    @property
    def has_ended(self) -> bool:
        """Whether the newest token drawn is one that ends a text; the run can still be continued."""
        newest = self._trace.steps[-1].draw if self._trace.steps else None
        return newest is not None and newest.token in self.engine.checkpoint.end_of_text

    @property
    def why_full(self) -> str:
        """Why no further token can be drawn, in one sentence; empty if one can."""
        if self._trace.seq >= self.engine.config.n_positions:
            return f"The context of {self.engine.config.n_positions} tokens is full."
        if self._trace.nbytes > self.budget:
            return (
                f"This run fills its {self.budget / 1e6:.0f} MB of memory with captures that cannot be recomputed; "
                "a host gives more with GPT2_TRACE_MB."
            )
        return ""

    def advance(self, sampling: Sampling | None, stop: threading.Event | None = None) -> Step:
        """Run the next forward pass, and draw a token from its logits unless `sampling` is None.

        The engine does one pass at a time; the wait for it ends at once if `stop` is withdrawn from `engine.turns`.

        Raises:
            Withdrawn: if it was; the run is as it was before.
            EngineError: if the forward pass overflowed; the run is as it was before.
            GPT2Error: if the context is full, or nothing was drawn at the newest step.
            SettingsError: if a setting does not fit the model.
        """
        with CALLS_IN_FLIGHT, self._lock, Clock() as clock:
            return self._advance(sampling, stop, clock)

    def _advance(self, sampling: Sampling | None, stop: threading.Event | None, clock: Clock) -> Step:
        """A function of its own, so that MAX's memory in its variables is freed while the call is still in flight."""
        self._cache.cut(self._trace.seq)  # a step that failed halfway may have left its positions there
        ids, start = self._next_ids(sampling), self._trace.seq
        self.turn = Turn(self.engine.turns, stop)
        with self.turn:
            (captures, stream_logits), norms = self._forward(ids)
        drawn = self._draw(captures, sampling, start + len(ids))
        lens = lens_rows(stream_logits, None if drawn is None else drawn.token)
        summary = Summary(*norms, *choice_bits(captures["logits"][-1], drawn)) if norms else None
        step = Step(ids, start, captures, drawn, clock.timing.forward, lens, self.interventions, summary)
        squeezed = squeeze_to_fit(self._trace.append(step), self.budget)
        timing = clock.timing  # complete only now, as storing is part of it
        self._trace = squeezed.timed(timing)
        return step.timed(timing)

    def squeeze(self, nbytes: int) -> None:
        """Let the run hold no more than `nbytes` with its cache, now and later, or as few more as it can."""
        with self._lock:
            least = self.least_nbytes - self._cache.nbytes
            self.budget = min(self._most, max(nbytes - self._cache.nbytes, least))
            self._trace = squeeze_to_fit(self._trace, self.budget)

    def resample(self, sampling: Sampling) -> Step:
        """Redraw the newest step's token with other settings; the model does not run.

        Raises:
            GPT2Error: if nothing has been computed yet.
            SettingsError: if a setting does not fit the model.
        """
        with CALLS_IN_FLIGHT, self._lock:
            newest = self._newest(sampling)
            return self._redraw(newest, self.engine.draw(newest.logits, sampling, newest.stop))

    def choose(self, token: int, sampling: Sampling) -> Step:
        """Put a token of one's own choice in place of the newest step's; the model does not run.

        Args:
            token: of the vocabulary.
            sampling: the settings with which the run goes on; nothing is drawn with them here.

        Raises:
            GPT2Error: if nothing has been computed yet.
            SettingsError: if the vocabulary has no such token, or a setting does not fit the model.
        """
        with CALLS_IN_FLIGHT, self._lock:
            most = self.engine.config.vocab_size - 1
            if not 0 <= token <= most:
                raise SettingsError(f"There is no token {token}; this model's run from 0 to {most}.")
            return self._redraw(self._newest(sampling), Draw(token, None, sampling))

    def _newest(self, sampling: Sampling) -> Step:
        """The newest step with its logits."""
        if not self._trace.steps:
            raise GPT2Error("Nothing has been computed yet, so nothing can be drawn.")
        sampling.check_vocabulary(self.engine.config.vocab_size)
        newest = self._trace.steps[-1]
        if "logits" in newest.captures:
            return newest
        # The run was cut back to a step whose logits were dropped.
        top = f"blocks.{self.engine.config.n_layer - 1}.hook_resid_post"
        return newest.with_logits(self.engine.lens(newest.captures[top][-1:])[0])

    def _redraw(self, newest: Step, drawn: Draw) -> Step:
        step = newest.resampled(drawn, lens_rows(self._read_lens(newest.captures), drawn.token))
        self._trace = self._trace.cut(len(self._trace.steps) - 1).append(step)
        return step

    def fork(self, n_steps: int) -> "Run":
        """Another run that shares the first `n_steps` steps and goes on from there; this one stays as it is.

        Its keys and values are copied, so nothing before it is recomputed.

        Raises:
            TraceError: if the run has fewer steps.
        """
        with CALLS_IN_FLIGHT, self._lock:
            trace = self._trace.branch(n_steps)
            return Run.resumed(self.engine, trace, self._cache.copied(trace.seq), self.interventions, self._most)

    @classmethod
    def resumed(
        cls,
        engine: "ForwardPasses",
        trace: Trace,
        cache: "KVCache",
        interventions: Interventions,
        budget: int | None = None,
    ) -> "Run":
        """A run that goes on from the end of `trace`, whose keys and values are in `cache`."""
        run = cls(engine, trace.prompt_ids, interventions, budget)
        run._trace, run._cache = trace, cache
        return run

    def cut(self, n_steps: int) -> Trace:
        """Step back to the first `n_steps` steps; continuing from there recomputes none of them."""
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

    def _next_ids(self, sampling: Sampling | None) -> tuple[int, ...]:
        """The input tokens of the next pass: the prompt, or the token drawn at the newest step.

        Raises:
            GPT2Error: if the context is full, or nothing was drawn at the newest step.
            SettingsError: if a setting does not fit the model.
        """
        config = self.engine.config
        if sampling is not None:
            sampling.check_vocabulary(config.vocab_size)
        if self._trace.seq >= config.n_positions or (sampling is not None and self.is_full):
            raise GPT2Error(self.why_full)
        if not self._trace.steps:
            ids = self.prompt_ids
        elif (newest := self._trace.steps[-1].draw) is not None:
            ids = (newest.token,)
        else:
            raise GPT2Error("No token was drawn at the newest step; draw one there before continuing.")
        return ids

    @timed("capture")
    def _forward(self, ids: tuple[int, ...]) -> tuple[ForwardOutput, Norms | None]:
        """The newest token after the cached positions, or the whole prompt; norms if it was squeezed at once."""
        norms = None
        if self._cache.length:
            output = self.engine.decode(ids[0], self.interventions, self._cache)
        else:
            output, norms = read_prompt(self.engine, ids, self.interventions, self._cache, self.budget)
        check_model(output.captures, self.engine.config.n_layer, self.interventions)
        return output, norms

    @timed("lens")
    def _read_lens(self, captures: Captures) -> Array:
        """Logits of the newest position, read anew from the stream. Shapes: [layer + 1, vocab]."""
        n_layer = self.engine.config.n_layer
        names = (*stream_below(n_layer), f"blocks.{n_layer - 1}.hook_resid_post")
        return self.engine.lens(np.stack([captures[name][-1] for name in names]))

    @timed("sampling")
    def _draw(self, captures: Captures, sampling: Sampling | None, position: int) -> Draw | None:
        """The next token, or None if the run only looks."""
        return None if sampling is None else self.engine.draw(captures["logits"][-1], sampling, position)
