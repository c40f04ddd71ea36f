"""The comparison with TransformerLens: every hook by its name, with and without interventions.

TransformerLens is imported only for a comparison. It brings much else along, so it is best installed in an environment
of its own; the tests hold numbers that it gave.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import EngineError
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import hook_axes
from gpt2.model.inputs import PLACES, Z
from gpt2.model.interventions import Addition, Interventions, Scale
from gpt2.reading.checks import relative
from gpt2.trace.trace import Trace

from .forced_run import forced_run
from .parity import prompts_of

Array = NDArray[np.float32]
TOLERANCE = 1e-5
SEED = 21


class TransformerLens:
    """The reference: TransformerLens's bridge (3 or 4), in float64, with raw weights and no token before the prompt."""

    def __init__(self, folder: Path) -> None:
        """Load the checkpoint, without a network.

        Raises:
            EngineError: if TransformerLens is not installed.
        """
        try:
            import torch
            from transformer_lens.model_bridge import TransformerBridge
        except ImportError as error:
            raise EngineError(
                f"Comparing with TransformerLens needs {error.name}; run pip install transformer_lens==4.3.0, best in "
                "an environment of its own."
            ) from None
        self.version = version("transformer_lens")
        self.model = TransformerBridge.boot_transformers(str(folder), dtype=torch.float64, device="cpu")

    def run(self, ids: Sequence[int], interventions: Interventions, config: GPT2Config) -> dict[str, Array]:
        """Every hook, and `logits` of all positions; interventions as hooks of TransformerLens's own.

        Shapes: as `hooks.hook_axes`, and logits [seq, vocab].
        """
        import torch

        hooks = [
            (f"blocks.{layer}.{place}", partial(_changed, *change))
            for (layer, place), change in _arrays(interventions, config, len(ids)).items()
        ]
        with torch.inference_mode(), self.model.hooks(fwd_hooks=hooks):
            logits, cache = self.model.run_with_cache(torch.tensor([list(ids)]))
        found = {name: cache[name][0].numpy() for name in hook_axes(config.n_layer)}
        return {
            "logits": logits[0].numpy(),
            **{name: array[:, 0] if name.endswith("hook_scale") else array for name, array in found.items()},
        }


def _changed(scale: Array, added: Array, value: Any, hook: Any) -> Any:
    """What a hook of TransformerLens gives back."""
    import torch

    return value * torch.from_numpy(scale).double() + torch.from_numpy(added).double()


def _arrays(interventions: Interventions, config: GPT2Config, seq: int) -> dict[tuple[int, str], tuple[Array, Array]]:
    """Scale and addition at each place that is changed, as arrays that broadcast to its value's shape."""
    inputs, arrays = interventions.inputs(config, 0, seq), {}
    for layer in range(config.n_layer):
        now = inputs.layer(layer)
        for index, place in enumerate(PLACES):
            added = now.vectors[now.added[index]]  # [seq, d_model]
            if place == Z:
                arrays[layer, place] = now.head_scale[:, :, None], added.reshape(seq, config.n_head, config.d_head)
            else:
                arrays[layer, place] = now.stream_scale[index][:, None], added
    return {at: (scale, added) for at, (scale, added) in arrays.items() if np.any(scale != 1) or np.any(added)}


def some_interventions(config: GPT2Config, seq: int) -> Interventions:
    """A change at each place, at some positions, the same every time."""
    rng = np.random.default_rng(SEED)
    last, vector = config.n_layer - 1, tuple(rng.normal(size=config.n_embd).tolist())
    some = tuple(range(0, seq, 3))
    changes = Interventions(
        (
            *(Scale(0, 0, 0.0), Scale(last, -1, 2.0, some), Scale(last, None, 0.5, some)),
            *(Scale(0, None, 0.5, some, place) for place in PLACES[:3]),
        ),
        (
            *(Addition(layer, vector, some, place) for layer in (0, last) for place in PLACES),
            Addition(last, tuple(rng.normal(size=config.d_head).tolist()), head=0),
        ),
    )
    return changes.resolved(config, seq, seq)


def differences(ours: Trace, reference: Mapping[str, Array]) -> dict[str, float]:
    """The largest difference at each hook, relative to the reference's largest magnitude; of all layers the worst.

    Masked scores are compared by where they are: minus infinity in both.
    """
    found: dict[str, float] = {}
    for name in (*ours.axes,):
        mine, other = ours[name], reference[name]
        if name == "logits":
            other = other[[step.stop - 1 for step in ours.steps]]
        hidden = np.isneginf(other) | (other < np.finfo(np.float32).min / 2)
        if name.endswith("attn_scores") and not np.array_equal(hidden, np.isneginf(mine)):
            worst = float("inf")
        else:
            worst = relative(np.where(hidden, 0, mine), np.where(hidden, 0, other)) if np.any(other) else 0.0
        block, _, hook = name.partition(".")
        short = hook.partition(".")[2] if block == "blocks" else name
        found[short] = max(found.get(short, 0.0), worst)
    return found


def report(model_folder: Path, name: str, lengths: Sequence[int], device: str = "cpu") -> dict[str, Any]:
    """Load a checkpoint, compile its graphs if they are missing, and compare prompts of these lengths hook by hook.

    Raises:
        CheckpointError: if the folder is not a checkpoint.
        EngineError: if MAX or TransformerLens is missing.
        SettingsError: if a length is below 2 or beyond the context.
    """
    from gpt2 import bind
    from gpt2.checkpoints.weights import load_checkpoint

    engine = bind(load_checkpoint(model_folder, name), device=device)
    prompts = prompts_of(engine, lengths)
    reference = TransformerLens(model_folder)
    rows, worst = [], 0.0
    for prompt, ids in prompts.items():
        for changed in (False, True):
            changes = some_interventions(engine.config, len(ids)) if changed else Interventions()
            expected = reference.run(ids, changes, engine.config)
            ways: dict[str, Callable[[], Trace]] = {
                "whole": partial(forced_run, engine, ids, len(ids), changes),
                "cached": partial(forced_run, engine, ids, len(ids) // 2, changes),
            }
            hooks = {way: differences(run(), expected) for way, run in ways.items()}
            rows.append({"prompt": prompt, "interventions": changed, **hooks})
            worst = max(worst, *(value for found in hooks.values() for value in found.values()))
    return {
        "model": name,
        "reference": {"transformer_lens": reference.version},
        "tolerance": TOLERANCE,
        "prompts": rows,
        "largest": worst,
        "passed": worst <= TOLERANCE,
    }


def table(found: dict[str, Any]) -> str:
    """The result of `report` as text: for each hook the worst of all prompts."""
    columns = [(changed, way) for changed in (False, True) for way in ("whole", "cached")]
    lines = [
        f"{found['model']} against TransformerLens {found['reference']['transformer_lens']}, worst of all layers",
        f"{'hook':26}{'whole':>10}{'cached':>10}{'changed':>10}{'cached':>10}",
    ]
    for hook in found["prompts"][0]["whole"]:
        cells = [
            max(row[way][hook] for row in found["prompts"] if row["interventions"] == changed)
            for changed, way in columns
        ]
        lines.append(f"{hook:26}" + "".join(f"{cell:10.1e}" for cell in cells))
    verdict = "passed" if found["passed"] else "FAILED"
    return "\n".join([*lines, f"{verdict} (differences at most {found['tolerance']:.0e} of the largest number)"])
