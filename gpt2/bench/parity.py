"""The comparison with Hugging Face transformers: the same checkpoint, the same tokens, number by number.

Differences are relative to the reference's largest magnitude. transformers and PyTorch are imported only for a
comparison; running the model does not need them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2.engine.engine import Engine
from gpt2.errors import EngineError, SettingsError
from gpt2.model.config import GPT2Config
from gpt2.model.interventions import Interventions
from gpt2.reading.checks import ROW_TOLERANCE, TOLERANCE, relative

from .forced_run import forced_run

Array = NDArray[np.float32]

SEED = 20
# The opening of Lewis Carroll, Alice's Adventures in Wonderland (1865).
TEXT = (
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or "
    "twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it, 'and "
    "what is the use of a book,' thought Alice 'without pictures or conversations?' "
)


@dataclass(frozen=True)
class Pass:
    """The outputs of one way to run a prompt.

    Shapes: logits [seq, vocab]; hidden_states n_layer + 1 times [seq, d_model], the last after the final norm;
    patterns n_layer times [head, query, key].
    """

    logits: Array
    hidden_states: list[Array]
    patterns: list[Array]


@dataclass(frozen=True)
class Differences:
    """Largest differences between two passes, each relative to the reference's largest magnitude."""

    logits: float
    hidden_states: float
    patterns: float

    @classmethod
    def between(cls, ours: Pass, reference: Pass) -> "Differences":
        """Compare all positions; of all layers, the worst counts."""
        return cls(
            relative(ours.logits, reference.logits),
            max(relative(*pair) for pair in zip(ours.hidden_states, reference.hidden_states, strict=True)),
            max(relative(*pair) for pair in zip(ours.patterns, reference.patterns, strict=True)),
        )

    @property
    def largest(self) -> float:
        """The worst of the three."""
        return max(self.logits, self.hidden_states, self.patterns)


@dataclass(frozen=True)
class PromptParity:
    """One prompt compared.

    Attributes:
        whole: a full pass against transformers.
        cached: half the prompt at once and the rest token by token through the KV cache, against transformers.
        cached_to_whole: the cached pass against the full pass.
        row_error: the largest distance from 1 of the sum of an attention row.
        future: the largest attention that any position pays to a later one.
        same_choice: the share of positions at which both programs have the same most likely token.
    """

    prompt: str
    length: int
    whole: Differences
    cached: Differences
    cached_to_whole: Differences
    row_error: float
    future: float
    same_choice: float

    @property
    def passed(self) -> bool:
        """Whether every difference is within the tolerance and attention is causal."""
        differences = (self.whole, self.cached, self.cached_to_whole)
        within = all(found.largest <= TOLERANCE for found in differences)
        return within and self.row_error <= ROW_TOLERANCE and self.future == 0


@dataclass(frozen=True)
class ParityReport:
    """The comparisons of all prompts, and the versions compared."""

    model: str
    versions: dict[str, str]
    prompts: tuple[PromptParity, ...]

    @property
    def passed(self) -> bool:
        """Whether every prompt passed."""
        return all(prompt.passed for prompt in self.prompts)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        return {
            "model": self.model,
            "reference": {"attention": "eager", "dtype": "float32", **self.versions},
            "tolerance": TOLERANCE,
            "row_tolerance": ROW_TOLERANCE,
            "prompts": [{**asdict(prompt), "passed": prompt.passed} for prompt in self.prompts],
            "passed": self.passed,
        }


def compare(folder: Path, engine: Engine, prompts: dict[str, Sequence[int]]) -> ParityReport:
    """Run every prompt, given as token ids, through both programs.

    Raises:
        EngineError: if transformers or PyTorch is not installed, or transformers finds a weight missing.
        SettingsError: if a prompt has fewer than 2 tokens or does not fit the context.
    """
    for ids in prompts.values():
        check_length(len(ids), engine.config)
    hugging_face = HuggingFace(folder)
    found = []
    for name, ids in prompts.items():
        reference = hugging_face.run(ids)
        whole, cached = (run_ours(engine, ids, n_prefill) for n_prefill in (len(ids), len(ids) // 2))
        patterns = np.stack(whole.patterns + cached.patterns)  # [layer, head, query, key]
        found.append(
            PromptParity(
                prompt=name,
                length=len(ids),
                whole=Differences.between(whole, reference),
                cached=Differences.between(cached, reference),
                cached_to_whole=Differences.between(cached, whole),
                row_error=float(np.abs(patterns.sum(-1, dtype=np.float64) - 1).max()),
                future=float(np.triu(patterns, 1).max()),
                same_choice=float((whole.logits.argmax(-1) == reference.logits.argmax(-1)).mean()),
            )
        )
    return ParityReport(engine.checkpoint.name, hugging_face.versions, tuple(found))


def check_length(length: int, config: GPT2Config) -> None:
    """Refuse a prompt that cannot be compared.

    Raises:
        SettingsError: if it has fewer than 2 tokens or does not fit the context.
    """
    if not 2 <= length <= config.n_positions:
        raise SettingsError(f"Parity needs prompts of 2 to {config.n_positions} tokens for this model, not {length}.")


class HuggingFace:
    """The reference: transformers' GPT-2 on PyTorch, float32, eager attention."""

    def __init__(self, folder: Path) -> None:
        """Load the checkpoint, without a network.

        Raises:
            EngineError: if transformers or PyTorch is not installed, or transformers finds a weight missing.
        """
        try:
            import torch
            from transformers import GPT2LMHeadModel
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            raise EngineError(
                f"Comparing with transformers needs {error.name}; run pip install -r tests/requirements.txt."
            ) from None
        disable_progress_bar()
        self.versions = {name: version(name) for name in ("transformers", "torch")}
        self.model, loading = GPT2LMHeadModel.from_pretrained(
            folder,
            dtype=torch.float32,
            attn_implementation="eager",
            local_files_only=True,
            output_loading_info=True,
        )
        if missing := sorted(loading["missing_keys"]):
            raise EngineError(f"transformers finds no {missing[0]} in {folder}, so there is nothing to compare with.")
        self.model.eval()

    def run(self, ids: Sequence[int]) -> Pass:
        """One full pass."""
        import torch

        with torch.inference_mode():
            outputs = self.model(torch.tensor([list(ids)]), output_attentions=True, output_hidden_states=True)
        return Pass(
            outputs.logits[0].numpy(),
            [hidden[0].numpy() for hidden in outputs.hidden_states],
            [pattern[0].numpy() for pattern in outputs.attentions],
        )


def run_ours(engine: Engine, ids: Sequence[int], n_prefill: int) -> Pass:
    """The first `n_prefill` tokens in one prefill, the rest one by one through the KV cache.

    Prefill returns only its last row of logits, so the lens graph reads the earlier rows from the last block's output.
    """
    trace, layers = forced_run(engine, ids, n_prefill, Interventions()), range(engine.config.n_layer)
    earlier = trace[f"blocks.{layers[-1]}.hook_resid_post"][: n_prefill - 1]
    read = [engine.lens(earlier)] if len(earlier) else []
    gain, shift = (engine.checkpoint.weights[f"ln_f.{part}"] for part in ("weight", "bias"))
    final = trace["ln_final.hook_normalized"] * gain + shift
    return Pass(
        np.concatenate([*read, trace["logits"]]),
        [*(trace[f"blocks.{layer}.hook_resid_pre"] for layer in layers), final],
        [trace[f"blocks.{layer}.attn.hook_pattern"] for layer in layers],
    )


def prompts_of(engine: Engine, lengths: Sequence[int]) -> dict[str, Sequence[int]]:
    """Two prompts of each length, the same every time: real text, and token ids drawn from a fixed seed.

    Raises:
        SettingsError: if a length is below 2 or beyond the context.
    """
    for length in lengths:  # before a prompt of a billion tokens is made
        check_length(length, engine.config)
    text = engine.tokenizer.encode(TEXT)
    rng = np.random.default_rng(SEED)
    prompts: dict[str, Sequence[int]] = {}
    for length in lengths:
        prompts[f"text, {length}"] = list(islice(cycle(text), length))
        prompts[f"random, {length}"] = rng.integers(engine.config.vocab_size, size=length).tolist()
    return prompts


def report(model_folder: Path, name: str, lengths: tuple[int, ...], device: str = "cpu") -> dict[str, Any]:
    """Load a checkpoint, compile its graphs if they are missing, and compare prompts of these lengths.

    Raises:
        CheckpointError: if the folder is not a checkpoint.
        EngineError: if MAX, transformers or PyTorch is missing.
        SettingsError: if a length is below 2 or beyond the context.
    """
    from gpt2 import bind
    from gpt2.checkpoints.weights import load_checkpoint

    engine = bind(load_checkpoint(model_folder, name), device=device)
    return compare(model_folder, engine, prompts_of(engine, lengths)).to_dict()


def table(found: dict[str, Any]) -> str:
    """The result of `report` as text: differences relative to the reference's largest magnitude."""
    versions = found["reference"]
    lines = [
        f"{found['model']} against transformers {versions['transformers']} (torch {versions['torch']}, float32, eager)",
        f"{'prompt':14}{'against':16}{'logits':>10}{'hidden':>10}{'attention':>11}{'row sums':>10}{'future':>8}",
    ]
    labels = {"whole": "transformers", "cached": "same, cached", "cached_to_whole": "own full pass"}
    for prompt in found["prompts"]:
        for against, label in labels.items():
            row = prompt[against]
            lines.append(
                f"{prompt['prompt']:14}{label:16}{row['logits']:10.1e}{row['hidden_states']:10.1e}"
                f"{row['patterns']:11.1e}{prompt['row_error']:10.1e}{prompt['future']:8.0e}"
            )
    verdict = "passed" if found["passed"] else "FAILED"
    asked = f"differences at most {found['tolerance']:.0e}, row sums at most {found['row_tolerance']:.0e} off, future 0"
    return "\n".join([*lines, f"{verdict} ({asked})"])
