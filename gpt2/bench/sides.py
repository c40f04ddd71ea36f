"""The two programs that are compared, behind one interface: this one, and Hugging Face transformers.

PyTorch and transformers are imported only when there is something to compare with.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt2.engine.run import Run
from gpt2.model.interventions import Interventions
from gpt2.model.sampling import Sampling
from gpt2.trace.captures import Captures

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

    from .parity import HuggingFace

Array = NDArray[np.float32]


class Side(Protocol):
    """A model that reads prompts and steps through them, whatever it keeps of that."""

    def ready(self) -> None:
        """Go back to the positions held; not timed."""

    def prefill(self, ids: Sequence[int]) -> Any:
        """Read a whole prompt into a new cache; gives all that the program tells about it."""

    def hold(self, ids: Sequence[int]) -> None:
        """Read a prompt and keep its cache for `decode`."""

    def decode(self, token: int) -> Any:
        """One token after the positions held; gives all that the program tells about it."""

    def logits(self, told: Any) -> Array:
        """The last position's logits in what `prefill` or `decode` gave. Shape: [vocab]."""

    def generate(self, ids: Sequence[int], count: int) -> Any:
        """Continue a prompt by `count` tokens, one after the other."""


class Ours:
    """This program, with everything captured."""

    def __init__(self, engine: "Engine") -> None:
        """Hold nothing yet."""
        self.engine = engine
        self._cache, self._held = engine.new_cache(), 0
        self.model_ms: list[float] = []
        self.rest_ms: list[float] = []

    def ready(self) -> None:
        """Cut the cache back."""
        self._cache.cut(self._held)

    def prefill(self, ids: Sequence[int]) -> Captures:
        """Every hook's array."""
        return self.engine.prefill(ids, Interventions(), self.engine.new_cache())

    def hold(self, ids: Sequence[int]) -> None:
        """Fill the cache with a prompt."""
        self._cache, self._held = self.engine.new_cache(), len(ids)
        self.engine.prefill(ids, Interventions(), self._cache)

    def decode(self, token: int) -> Captures:
        """Every hook's array."""
        return self.engine.decode(token, Interventions(), self._cache)

    def logits(self, told: Captures) -> Array:
        """The last row."""
        return told["logits"][-1]

    def generate(self, ids: Sequence[int], count: int) -> Run:
        """A run as the app makes it; notes how long each decoded token took in the model, and in all else."""
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
    """transformers' GPT-2 in inference mode, with attentions and hidden states returned or without.

    Attentions are returned by its eager attention alone; without them it uses PyTorch's fused one (sdpa).
    """

    def __init__(self, reference: "HuggingFace", outputs: bool) -> None:
        """Two sides may share one model; each has a cache of its own."""
        self._model = reference.model
        self._attention = "eager" if outputs else "sdpa"
        self._asked = {"output_attentions": outputs, "output_hidden_states": outputs, "use_cache": True}
        self._cache: Any = None
        self._held = 0

    def ready(self) -> None:
        """Crop the cache back, and choose the attention."""
        if self._model.config._attn_implementation != self._attention:
            self._model.set_attn_implementation(self._attention)
        if self._cache is not None:
            self._cache.crop(self._held)

    def prefill(self, ids: Sequence[int]) -> Any:
        """Logits of the last position alone, as ours gives."""
        from transformers import DynamicCache

        return self._forward(ids, DynamicCache())

    def hold(self, ids: Sequence[int]) -> None:
        """Fill the cache with a prompt."""
        self._cache = None
        self.ready()
        self._cache, self._held = self.prefill(ids).past_key_values, len(ids)

    def decode(self, token: int) -> Any:
        """Everything asked for, of one token."""
        return self._forward([token], self._cache)

    def logits(self, told: Any) -> Array:
        """The last row."""
        return told.logits[0, -1].numpy()

    def generate(self, ids: Sequence[int], count: int) -> list[Any]:
        """Always the likeliest token, which costs less than a draw; keeps what every step told, as a run does."""
        told = [self.prefill(ids)]
        while len(told) < count:
            told.append(self._forward([int(told[-1].logits[0, -1].argmax())], told[-1].past_key_values))
        return told

    def _forward(self, ids: Sequence[int], cache: Any) -> Any:
        import torch

        with torch.inference_mode():
            return self._model(torch.tensor([list(ids)]), past_key_values=cache, logits_to_keep=1, **self._asked)


def load_reference(folder: Path) -> tuple["HuggingFace", float]:
    """The model in transformers, on a thread a core, and the milliseconds that loading it took, imports aside.

    Raises:
        EngineError: if transformers or PyTorch is not installed, or cannot read the checkpoint.
    """
    with suppress(ImportError):  # the next line says it in a sentence
        import torch
        from transformers import GPT2LMHeadModel  # noqa: F401  imported before the clock starts

        torch.set_num_threads(os.cpu_count() or 1)
    from .parity import HuggingFace

    since = time.perf_counter()
    return HuggingFace(folder), (time.perf_counter() - since) * 1000
