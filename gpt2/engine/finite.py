"""Overflow: noticed right after the forward pass, before a token is drawn from numbers that are not finite."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import EngineError
from gpt2.model.hooks import BLOCK_HOOKS, hook_axes
from gpt2.model.interventions import Interventions

Array = NDArray[np.float32]
TOP, SCORES, STREAM = "hook_resid_post", "hook_attn_scores", ("hook_resid_pre", "hook_resid_mid", "hook_resid_post")


def check_model(captures: Mapping[str, Array], n_layer: int, interventions: Interventions) -> None:
    """Refuse a forward pass that overflowed; `interventions` decide what the sentence advises.

    Whatever overflows in a block shows in the stream after it, or in the logits. All other captures are read only to
    name the first, as far as a long prompt has not dropped them: `check_block` has seen those.

    Raises:
        EngineError: if it did; the message names the first hook, in the order of the forward pass, that shows it.
    """
    tops = (f"blocks.{layer}.{TOP}" for layer in range(n_layer))
    if all(_is_sound(name, captures[name]) for name in (*tops, "logits")):
        return
    names = [name for name in (*hook_axes(n_layer), "logits") if name in captures]
    raise overflow(captures, names, interventions)


def check_block(captures: Mapping[str, Array], layer: int, interventions: Interventions) -> None:
    """The same for one block's captures, by their names within the block.

    Raises:
        EngineError: if the block overflowed.
    """
    if not _is_sound(TOP, captures[TOP]):
        raise overflow(captures, BLOCK_HOOKS, interventions, f"blocks.{layer}.")


def overflow(
    captures: Mapping[str, Array], names: Iterable[str], interventions: Interventions, prefix: str = ""
) -> EngineError:
    """The error that names the first of these captures that is not sound, with `prefix` before its name."""
    name = prefix + next(name for name in names if not _is_sound(name, captures[name]))
    layer = f" (layer {name.split('.')[1]})" if name.startswith("blocks.") else ""
    advice = "use weaker interventions" if interventions else "its weights are too large; choose another model"
    return EngineError(
        f"The model gave a number that is not finite, or too large to be normalised, first at {name}{layer}; {advice}."
    )


def _is_sound(name: str, values: Array) -> bool:
    """Whether all is finite: in scores but for the mask, and in the stream the squares that a layer norm adds up."""
    if name.endswith(SCORES):
        return not (np.isnan(values).any() or np.isposinf(values).any())
    if name.endswith(STREAM):
        with np.errstate(all="ignore"):
            return bool(np.isfinite(np.vdot(values, values)))
    return bool(np.isfinite(values).all())
