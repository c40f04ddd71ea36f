"""Write TransformerLens 4's ablations, steering and patching into tests/runs: `python -m tests.hold_experiments`.

Each is made by hooks of TransformerLens, as its guides make them: a value is set to zero, to its mean, or to that of
another prompt's cache, or a vector is added. The logits of some tokens after the prompt are held.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gpt2.bench.hook_parity import TransformerLens
from gpt2.experiments.part import Part, head, mlp, stream
from gpt2.model.config import GPT2Config
from tests.hold_transformer_lens import MODELS, TOKENS, folder_of, prompt_of

FILE = Path(__file__).parent / "runs" / "transformer_lens_experiments.npz"
STEERED, DOSES, PLACES = 7, (0.5, -1.5), (1, 3)  # the token steered towards, and the positions of "in places"
Positions = tuple[int, ...] | None


def source_of(config: GPT2Config) -> list[int]:
    """The ids of the prompt that is patched from."""
    return np.random.default_rng(config.vocab_size + 1).integers(config.vocab_size, size=TOKENS).tolist()


def watched(config: GPT2Config) -> list[int]:
    """The tokens whose logits are held, the same every time."""
    return np.random.default_rng(3).choice(config.vocab_size, size=32, replace=False).tolist()


def muted_parts(config: GPT2Config) -> list[Part]:
    """Heads and MLPs of the first layer and of the last."""
    layers = (0, config.n_layer - 1)
    return [part for layer in layers for part in (head(layer, 0), head(layer, config.n_head - 1), mlp(layer))]


def patched_parts(config: GPT2Config) -> list[Part]:
    """The same, and the stream before every block."""
    return [*muted_parts(config), *(stream(layer) for layer in range(config.n_layer))]


def logits_of(
    model: Any, tokens: Any, shown: list[int], part: Part, change: Callable[[Any], Any], positions: Positions
) -> np.ndarray:
    """Some tokens' logits after the prompt, where `change` makes the value of a part anew at some positions."""
    at = slice(None) if positions is None else list(positions)
    place = (0, at) if part.head is None else (0, at, part.head)

    def hook(value: Any, hook: Any) -> Any:
        changed = value.clone()
        changed[place] = change(value)[place]
        return changed

    found = model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{part.layer}.{part.hook}", hook)])
    return found[0, -1, shown].numpy(force=True)


def main() -> None:
    """Make every experiment on every model."""
    import torch

    held: dict[str, np.ndarray] = {}
    for model in MODELS:
        with folder_of(model) as folder:
            config, lens = GPT2Config.from_file(folder / "config.json"), TransformerLens(folder)
            tokens = torch.tensor([prompt_of(config)])
            _, own = lens.model.run_with_cache(tokens)
            _, other = lens.model.run_with_cache(torch.tensor([source_of(config)]))

            logits = partial(logits_of, lens.model, tokens, watched(config))
            for positions in (None, PLACES):
                for part in muted_parts(config):
                    name = f"{model}/{part.name}/{positions}"
                    held[f"{name}/zero"] = logits(part, torch.zeros_like, positions)
                    mean = own[f"blocks.{part.layer}.{part.hook}"].mean(dim=1, keepdim=True)
                    held[f"{name}/mean"] = logits(part, mean.expand_as, positions)
                for part in patched_parts(config):
                    there = other[f"blocks.{part.layer}.{part.hook}"]
                    name = f"{model}/{part.name}/{positions}/patched"
                    held[name] = logits(part, lambda _, there=there: there, positions)
            row = lens.model.W_U[:, STEERED]
            for layer in range(config.n_layer):
                length = own[f"blocks.{layer}.hook_resid_pre"][0, 1:].norm(dim=-1).mean()
                for dose in DOSES:
                    added = dose * length * row / row.norm()
                    name = f"{model}/{layer}/steered {dose}"
                    held[name] = logits(stream(layer), lambda value, added=added: value + added, None)
    np.savez_compressed(FILE, version=np.array(lens.version), **held)
    print(f"{len(held)} experiments of TransformerLens {lens.version} in {FILE}.")


if __name__ == "__main__":
    main()
