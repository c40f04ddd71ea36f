"""Muon: momentum whose matrix updates are orthogonalised (Keller Jordan, 2024), for the blocks' matrices."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

# The quintic iteration's coefficients, from https://kellerjordan.github.io/posts/muon/
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """Bring all singular values near 1 by Newton-Schulz steps, in float32.

    Shapes: [rows, columns] -> [rows, columns].
    """
    x = matrix / (matrix.norm() + 1e-7)
    if wide := matrix.shape[0] > matrix.shape[1]:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x.T if wide else x


class Muon(Optimizer):
    """Nesterov momentum, orthogonalised; update scaled by 0.2 sqrt(longer side) to match AdamW's (Moonshot, 2025).

    The fused query-key-value matrix is treated as the three matrices it is.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.05):
        """Take 2-D parameters [out, in]."""
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Apply one update to every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                buffer = self.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))
                buffer.mul_(group["momentum"]).add_(parameter.grad)
                direction = parameter.grad.add(buffer, alpha=group["momentum"])
                parts = 3 if parameter.shape[0] == 3 * parameter.shape[1] else 1
                update = torch.cat([orthogonalise(part) for part in direction.chunk(parts)])
                scale = 0.2 * math.sqrt(max(parameter.shape[0] // parts, parameter.shape[1]))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)
