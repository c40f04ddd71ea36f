"""Overflow: noticed right after the forward pass, before a token is drawn from numbers that are not finite."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import EngineError
from gpt2.model.hooks import BLOCK_HOOKS, hook_axes
from gpt2.model.interventions import Interventions

Array = NDArray[np.float32]
SCORES, STREAM = "hook_attn_scores", ("hook_resid_pre", "hook_resid_mid", "hook_resid_post")


def check_model(captures: Mapping[str, Array], n_layer: int, interventions: Interventions) -> None:
    """Refuse a forward pass that overflowed; `interventions` decide what the sentence advises.

    Captures that a long prompt has dropped already are left out: `check_block` has seen them.

    Raises:
        EngineError: if it did; the message names the first hook, in the order of the forward pass, that shows it.
    """
    names = [name for name in (*hook_axes(n_layer), "logits") if name in captures]
    _check(captures, names, interventions, "")


def check_block(captures: Mapping[str, Array], layer: int, interventions: Interventions) -> None:
    """The same for one block's captures, by their names within the block.

    Raises:
        EngineError: if the block overflowed.
    """
    _check(captures, BLOCK_HOOKS, interventions, f"blocks.{layer}.")


def _check(captures: Mapping[str, Array], names: Iterable[str], interventions: Interventions, prefix: str) -> None:
    # Whatever overflows in a block shows in the stream after it, or in the logits: the rest is read only to name it.
    if all(_is_sound(name, captures[name]) for name in names if name.endswith(("hook_resid_post", "logits"))):
        return
    name = prefix + next(name for name in names if not _is_sound(name, captures[name]))
    layer = f" (layer {name.split('.')[1]})" if name.startswith("blocks.") else ""
    advice = (
        "use weaker interventions" if interventions else "its weights are too large for float32; choose another one"
    )
    raise EngineError(
        f"The model gave a number that is not finite, or too large to be normalised, first at {name}{layer}; {advice}."
    )


def _is_sound(name: str, values: Array) -> bool:
    """Whether all is finite: in scores but for the mask, and in the stream the squares that a layer norm adds up."""
    if name.endswith(SCORES):
        return not (np.isnan(values).any() or np.isposinf(values).any())
    if name.endswith(STREAM):
        values = np.einsum("si,si->s", values, values)
    return bool(np.isfinite(values).all())
