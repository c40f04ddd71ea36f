"""Interventions inside the graph: at each place that can be changed, `value * scale + added`.

`interventions` says what a person wants; here it reaches the numbers. All of it is input, so nothing is compiled again,
and a scale of 1 with a vector of zeros changes no number.
"""

from typing import NamedTuple

from max.experimental import functional as F
from max.experimental.tensor import Tensor

from .inputs import PLACES, LayerInputs


class Change(NamedTuple):
    """What is changed at one place. Shapes: both broadcast to the value's."""

    scale: Tensor
    added: Tensor

    def apply(self, value: Tensor) -> Tensor:
        """The value as it goes on."""
        return value * self.scale + self.added


class Changes(NamedTuple):
    """What is changed in one block, place by place, in the order of the forward pass.

    Shapes: of the stream's, scale [seq, 1] and added [seq, d_model]; of z, [seq, head, 1] and [seq, head, d_head].
    """

    resid_pre: Change
    z: Change
    mlp_out: Change
    resid_post: Change

    @classmethod
    def of(cls, inputs: LayerInputs) -> "Changes":
        """The changes that these inputs of a graph describe."""
        n_head = inputs.head_scale.shape[-1]
        scale = F.unsqueeze(inputs.stream_scale, -1)  # [place, seq, 1]
        added = F.gather(inputs.vectors, inputs.added, axis=0)  # [place, seq, d_model]
        place = {name: index for index, name in enumerate(PLACES)}
        stream = [
            Change(scale[place[name]], added[place[name]])
            for name in ("hook_resid_pre", "hook_mlp_out", "hook_resid_post")
        ]
        by_head = added[place["attn.hook_z"]].reshape([-1, n_head, inputs.vectors.shape[-1] // n_head])
        z = Change(F.unsqueeze(inputs.head_scale, -1), by_head)  # [seq, head, d_head]
        return cls(resid_pre=stream[0], z=z, mlp_out=stream[1], resid_post=stream[2])
