"""The two programs that are compared, behind one interface: this one, and Hugging Face transformers.

PyTorch and transformers are imported only for a comparison.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt2.engine.run import Run
from gpt2.engine.settings import cores
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.trace.captures import Captures
from gpt2.trace.step import Step

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

    from .parity import HuggingFace

Array = NDArray[np.float32]


class Side(Protocol):
    """A program that reads prompts and decodes tokens."""

    def ready(self) -> None:
        """Cut the cache back to the prompt of `hold`; not timed."""

    def prefill(self, ids: Sequence[int]) -> Any:
        """Read a whole prompt into a new cache; returns all the program's outputs."""

    def hold(self, ids: Sequence[int]) -> None:
        """Read a prompt and keep its cache for `decode`."""

    def decode(self, token: int) -> Any:
        """Read one token after the prompt of `hold`; returns all the program's outputs."""

    def hold_run(self, ids: Sequence[int]) -> None:
        """Read a prompt and keep its cache for `step`."""

    def ready_to_step(self) -> None:
        """Step back to the prompt of `hold_run`; not timed."""

    def step(self) -> Any:
        """Continue by one token, as a person gets it."""

    def logits(self, outputs: Any) -> Array:
        """The last position's logits, from the outputs of `prefill` or `decode`. Shape: [vocab]."""

    def generate(self, ids: Sequence[int], count: int) -> Any:
        """Continue a prompt by `count` tokens, one after the other."""


class Ours:
    """This program, with everything captured."""

    def __init__(self, engine: "Engine") -> None:
        """Start with an empty cache."""
        self.engine = engine
        self._cache, self._held = engine.new_cache(), 0
        self.model_ms: list[float] = []
        self.rest_ms: list[float] = []

    def ready(self) -> None:
        """Cut the cache back."""
        self._cache.cut(self._held)

    def prefill(self, ids: Sequence[int]) -> Captures:
        """Every hook's array."""
        return self.engine.prefill(ids, Interventions(), self.engine.new_cache()).captures

    def hold(self, ids: Sequence[int]) -> None:
        """Fill the cache with a prompt."""
        self._cache, self._held = self.engine.new_cache(), len(ids)
        self.engine.prefill(ids, Interventions(), self._cache)

    def decode(self, token: int) -> Captures:
        """Every hook's array."""
        return self.engine.decode(token, Interventions(), self._cache).captures

    def logits(self, outputs: Captures) -> Array:
        """The last row."""
        return outputs["logits"][-1]

    def hold_run(self, ids: Sequence[int]) -> None:
        """Begin a run with this prompt."""
        self._run = Run(self.engine, tuple(ids), Interventions())
        self._run.advance(Sampling())

    def ready_to_step(self) -> None:
        """Step back to the prompt."""
        self._run.cut(1)

    def step(self) -> Step:
        """The next token with its lens and its draw, stored in the trace."""
        return self._run.advance(Sampling())

    def generate(self, ids: Sequence[int], count: int) -> Run:
        """A run as the app makes it; notes the time of each decoded token in the model and outside it."""
        run = Run(self.engine, tuple(ids), Interventions())
        for _ in range(count):
            since = time.perf_counter()
            step = run.advance(Sampling())
            ms = (time.perf_counter() - since) * 1000
            if step.start:  # the first step is the prompt's
                self.model_ms.append(step.ms)
                self.rest_ms.append(ms - step.ms)
        return run


class Theirs:
    """transformers' GPT-2 in inference mode, with or without attentions and hidden states.

    Only its eager attention returns attentions; without them it uses PyTorch's fused attention (sdpa).
    """

    def __init__(self, reference: "HuggingFace", outputs: bool) -> None:
        """Two sides may share one model; each has a cache of its own."""
        self._model = reference.model
        self._attention = "eager" if outputs else "sdpa"
        self._options = {"output_attentions": outputs, "output_hidden_states": outputs, "use_cache": True}
        self._cache: Any = None
        self._held = 0

    def ready(self) -> None:
        """Crop the cache back, and choose the attention."""
        if self._model.config._attn_implementation != self._attention:
            self._model.set_attn_implementation(self._attention)
        if self._cache is not None:
            self._cache.crop(self._held)

    def prefill(self, ids: Sequence[int]) -> Any:
        """Everything asked for, with logits of the last position only, as in ours."""
        from transformers import DynamicCache

        return self._forward(ids, DynamicCache())

    def hold(self, ids: Sequence[int]) -> None:
        """Fill the cache with a prompt."""
        self._cache = None
        self.ready()
        self._cache, self._held = self.prefill(ids).past_key_values, len(ids)

    def decode(self, token: int) -> Any:
        """All outputs for one token."""
        return self._forward([token], self._cache)

    def logits(self, outputs: Any) -> Array:
        """The last row."""
        return outputs.logits[0, -1].numpy()

    def hold_run(self, ids: Sequence[int]) -> None:
        """Fill the cache with a prompt."""
        self.hold(ids)

    def ready_to_step(self) -> None:
        """Crop the cache back."""
        self.ready()

    def step(self) -> Any:
        """The next token: the likeliest one, which costs less than a draw."""
        outputs = self._forward([1], self._cache)
        return outputs, int(outputs.logits[0, -1].argmax())

    def generate(self, ids: Sequence[int], count: int) -> list[Any]:
        """Always the likeliest token, which costs less than a draw; keeps the outputs of every step, as a run does."""
        steps = [self.prefill(ids)]
        while len(steps) < count:
            steps.append(self._forward([int(steps[-1].logits[0, -1].argmax())], steps[-1].past_key_values))
        return steps

    def _forward(self, ids: Sequence[int], cache: Any) -> Any:
        import torch

        with torch.inference_mode():
            return self._model(torch.tensor([list(ids)]), past_key_values=cache, logits_to_keep=1, **self._options)


def load_reference(folder: Path) -> tuple["HuggingFace", float]:
    """The model in transformers, with one thread a core, and its loading time in milliseconds without imports.

    Raises:
        EngineError: if transformers or PyTorch is not installed, or cannot read the checkpoint.
    """
    with suppress(ImportError):  # `HuggingFace` below reports what is missing
        import torch
        from transformers import GPT2LMHeadModel  # noqa: F401  imported before the clock starts

        torch.set_num_threads(cores())
    from .parity import HuggingFace

    since = time.perf_counter()
    return HuggingFace(folder), (time.perf_counter() - since) * 1000
