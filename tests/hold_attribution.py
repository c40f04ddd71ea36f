"""Write TransformerLens 4's own attribution into tests/runs: `python -m tests.hold_attribution`, where it is installed.

What it takes apart, and what its final norm makes of each part, is its own; the gain and the unembedding of two tokens
are multiplied in here, since it leaves the gain of raw weights out.
"""

from pathlib import Path

import numpy as np

from gpt2.bench.hook_parity import TransformerLens
from gpt2.model.config import GPT2Config
from tests.hold_transformer_lens import MODELS, TOKENS, folder_of, prompt_of
from tests.reference import Reference

FILE = Path(__file__).parent / "runs" / "transformer_lens_attribution.npz"
TOKEN, AGAINST = 5, 9


def main() -> None:
    """Run every model, and write what heads, embeddings, attention and MLPs add at every position."""
    import torch

    held: dict[str, np.ndarray] = {}
    for model in MODELS:
        with folder_of(model) as folder:
            config, lens, reference = (
                GPT2Config.from_file(folder / "config.json"),
                TransformerLens(folder),
                Reference(folder),
            )
            _, cache = lens.model.run_with_cache(torch.tensor([prompt_of(config)]))
            apart = reference.unembedding[TOKEN] - reference.unembedding[AGAINST]
            direction = torch.from_numpy(reference.weights["ln_f.weight"] * apart)
            for at in range(TOKENS):
                stacks = {
                    "heads": cache.stack_head_results(layer=-1, pos_slice=at),
                    "stream": cache.decompose_resid(layer=-1, mode="all", pos_slice=at),
                }
                for name, stack in stacks.items():
                    normed = cache.apply_ln_to_stack(stack.reshape(len(stack), 1, -1), layer=-1, pos_slice=at)
                    held[f"{model}/{at}/{name}"] = (normed.reshape(len(stack), -1) @ direction).numpy(force=True)
    np.savez_compressed(FILE, version=np.array(lens.version), **held)
    print(f"{len(held)} arrays of TransformerLens {lens.version} in {FILE}.")


if __name__ == "__main__":
    main()
