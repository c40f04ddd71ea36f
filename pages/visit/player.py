"""One visitor's stage: the run on it, and the commands that change it. It never calls Streamlit."""

from typing import TYPE_CHECKING

from gpt2.engine.run import Run
from gpt2.errors import GPT2Error
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.text.prompt import encode_prompt
from gpt2.trace.trace import Trace
from pages.server.limits import limits
from pages.server.traces import TRACES, Traces

from .controls import Controls
from .generation import Generation, redraw_if_settings_changed, stop_reason_of
from .on_stage import OnStage
from .recipe import Recipe
from .states import Evicted, Live, Recorded, Replaying, Settled, Starting, State

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine


class Player(OnStage):
    """The commands of a visitor. They return at once; the trace grows in the background.

    A new generation ends the one before; one that is refused leaves the run as it was.
    """

    def __init__(self, recorded: Trace, prompt: str, traces: Traces = TRACES) -> None:
        """Begin with a recorded run on the stage, which all visitors share; `traces` is the memory of all runs."""
        super().__init__(recorded, prompt)
        self._traces = traces
        traces.add(self)

    def open(self, recorded: Trace, is_own: bool = False) -> None:
        """Put a recorded run on the stage; `is_own` if no other visitor shares it."""
        with self._lock:
            self.pause()
            self._set(Recorded(recorded, is_own))
            self.texts += 1
            self._prompt = recorded.vocabulary.text(recorded.prompt_ids)
        self._traces.make_room(keep=self)

    def new(
        self, engine: "Engine", prompt: str, sampling: Sampling, tokens: int, speed: float, ignore_eos: bool = False
    ) -> int:
        """Begin a run and generate `tokens` tokens, `speed` a second (0: as fast as possible).

        It ends early at a token that ends the text, unless `ignore_eos`. What is on the stage stays until the first
        step is made, and for good if none can be. An evicted run is replayed first if prompt, settings and model are
        the same.

        Returns:
            How many tokens the prompt has.

        Raises:
            PromptError: if the prompt cannot be run, or is longer than the host allows; the run on the stage is kept.
            SettingsError: if a setting does not fit the model.
        """
        with self._lock:
            sampling.check_vocabulary(engine.config.vocab_size)
            recipe = self.recipe
            if recipe is not None and prompt == self._prompt and recipe.is_of(engine, sampling):
                limits().check_prompt(len(recipe.prompt_ids))
                self.pause()
                run = self._state.run
                if run is None or run.engine is not engine:
                    run = recipe.start(engine)
                has_ended = not ignore_eos and recipe.ids[-1] in engine.checkpoint.end_of_text
                rest = 0 if has_ended else tokens - len(recipe.samplings)
                self._replay(run, recipe, Controls(sampling, rest, speed, ignore_eos))
                return len(recipe.prompt_ids)
            return self._new(engine, prompt, Controls(sampling, tokens, speed, ignore_eos))

    def again(self, engine: "Engine", prompt: str, samplings: tuple[Sampling, ...]) -> int:
        """Begin a run whose every token is drawn with settings of its own, as fast as it goes; it ends after the last.

        What is on the stage stays until the first step is made.

        Returns:
            How many tokens the prompt has.

        Raises:
            PromptError: if the prompt cannot be run, or is longer than the host allows; the run on the stage is kept.
            SettingsError: if a setting does not fit the model.
        """
        with self._lock:
            for sampling in set(samplings):
                sampling.check_vocabulary(engine.config.vocab_size)
            return self._new(engine, prompt, Controls(samplings[-1], max_new_tokens=0, speed=0.0), samplings)

    def _new(self, engine: "Engine", prompt: str, controls: Controls, first: tuple[Sampling, ...] = ()) -> int:
        ids = encode_prompt(prompt, engine.tokenizer, engine.config)
        limits().check_prompt(len(ids))
        self.pause()
        run = Run(engine, ids, Interventions())
        generation = Generation(run, controls, stop_reason_of(self, self._traces), first=first)
        assert not isinstance(self._state, Starting)  # paused, it has settled
        self._begin(generation, Starting(generation, self._state, self._prompt))
        self._prompt = prompt
        return len(ids)

    def play(self, engine: "Engine", sampling: Sampling, tokens: int, speed: float, ignore_eos: bool = False) -> None:
        """Generate from the end, whose token is drawn again if it was drawn with other settings.

        A recorded run and an evicted one are replayed first, with the run's own settings.

        Raises:
            SettingsError: if a setting does not fit the model.
            PromptError: if the run's prompt is longer than the host allows; an opened one's may be.
            EngineError: if a recorded run is of another model.
            GPT2Error: if the context is full.
        """
        with self._lock:
            sampling.check_vocabulary(engine.config.vocab_size)
            limits().check_prompt(len(self.prompt_ids))
            self.pause()
            run, recipe, controls = self._state.run, self.recipe, Controls(sampling, tokens, speed, ignore_eos)
            if run is None:
                recipe = recipe or Recipe.of(self.trace)
                self._replay(recipe.start(engine), recipe, controls)
            elif recipe is not None:
                self._replay(run, recipe, controls)
            else:
                redraw_if_settings_changed(run, sampling)
                if run.is_full:
                    raise GPT2Error(f"{run.why_full} Step back and change a setting, or start anew.")
                generation = Generation(run, controls, stop_reason_of(self, self._traces))
                self._begin(generation, Live(generation))

    def resample(self, sampling: Sampling) -> None:
        """Draw the newest token again with other settings, without running the model.

        Only a live run is resampled: a recorded one, one that is being replayed, and a token that a person chose stay.

        Raises:
            SettingsError: if a setting does not fit the model.
        """
        with self._lock:
            self._settle()
            if not isinstance(self._state, Live) or self.is_running or not self.trace.steps:
                return
            newest = self.trace.steps[-1].draw
            if newest is None or (newest.sampling != sampling and not newest.is_chosen):
                self._state.run.resample(sampling)

    def exchange(self, state: Settled) -> Settled:
        """Pause, put another run of the same prompt on the stage, and return what was there."""
        with self._lock:
            self.pause()
            before = self._state
            assert not isinstance(before, Starting)  # paused, it has settled
            self._set(state)
            self.touch()
            return before

    def pause(self) -> None:
        """Stop generating: leave the line before the engine at once, and wait only for a pass of this very run."""
        with self._lock:
            if self._state.generation is not None:
                self._state.generation.end()
                self._close_replay()

    def _replay(self, run: Run, recipe: Recipe, controls: Controls) -> None:
        """Replay a run to its end, then generate from there."""
        generation = Generation(run, controls, stop_reason_of(self, self._traces), recipe)
        before = self._state.before if isinstance(self._state, Replaying) else self._state
        assert isinstance(before, Recorded | Evicted)  # all others have no recipe
        self._begin(generation, Replaying(generation, before))

    def _begin(self, generation: Generation, state: State) -> None:
        self.touch()
        self._set(state)
        generation.start()
