"""The neurons of one MLP at one position: how far each fires, what it writes, and which tokens that promotes.

A neuron reads with a row of `c_fc` and writes with a column of `c_proj`, times its activation. Its direct effect on a
logit is what that vector alone adds to it, through the final norm with its scale as it is and the unembedding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.trace.trace import Trace

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Neurons:
    """All neurons of one layer's MLP at one position.

    Attributes: `scale` is what the final norm divides by at this position.
    Shapes: pre, post [d_mlp], before and after GELU.
    """

    layer: int
    position: int
    pre: Array
    post: Array
    scale: float

    @classmethod
    def of(cls, trace: Trace, layer: int, position: int) -> "Neurons":
        """Read them from a run.

        Raises:
            TraceError: if the run dropped them and cannot recompute them.
        """
        pre, post = (trace.row(f"blocks.{layer}.mlp.hook_{name}", position) for name in ("pre", "post"))
        return cls(layer, position, pre, post, float(trace.row("ln_final.hook_scale", position)))


def gelu(pre: NDArray[np.floating]) -> NDArray[np.floating]:
    """GELU in the tanh form (Hendrycks & Gimpel, 2016) that GPT-2 was trained with. Shapes: any, the same out."""
    return 0.5 * pre * (1 + np.tanh(np.sqrt(2 / np.pi) * (pre + 0.044715 * pre**3)))


def written_norms(checkpoint: Checkpoint, neurons: Neurons) -> Array:
    """How long a vector each neuron adds to the stream. Shapes: [d_mlp]."""
    weight = _writing(checkpoint, neurons.layer)
    return np.abs(neurons.post) * np.sqrt(np.einsum("dn,dn->n", weight, weight))


def direct_effects(checkpoint: Checkpoint, neurons: Neurons, token: int) -> Array:
    """What each neuron's vector adds to one token's logit, not centred over the vocabulary. Shapes: [d_mlp]."""
    read = checkpoint.weights["ln_f.weight"] * checkpoint.weights["lm_head.weight"][token]  # [d_model]
    read -= read.mean()  # the final norm takes the mean from the vector; it may as well be taken from what reads it
    return neurons.post * (read @ _writing(checkpoint, neurons.layer)) / np.float32(neurons.scale)


def promoted(checkpoint: Checkpoint, neurons: Neurons, neuron: int) -> Array:
    """What an activation of 1 would add to every token's logit, compared with the mean of all tokens.

    Shapes: [vocab].
    """
    vector = _writing(checkpoint, neurons.layer)[:, neuron]
    vector = (vector - vector.mean()) * checkpoint.weights["ln_f.weight"] / np.float32(neurons.scale)  # [d_model]
    logits = checkpoint.weights["lm_head.weight"] @ vector  # [vocab]
    return logits - logits.mean()


def _writing(checkpoint: Checkpoint, layer: int) -> Array:
    """The vectors with which a layer's neurons write, as columns. Shapes: [d_model, d_mlp]."""
    return checkpoint.weights[f"h.{layer}.mlp.c_proj.weight"]
