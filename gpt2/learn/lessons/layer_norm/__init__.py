"""Lesson 3, layer normalization: its blanks, the mistakes that people make, and what it is tried on."""

from gpt2.learn import on_stage
from gpt2.learn.lesson import Blank, Case, Lesson, Mistake, random

from .questions import ASKING

SAMPLE = "F.squeeze(F.sum(centred * centred, axis=-1) / (int(x.shape[-1]) - 1), -1)"


def cases() -> tuple[Case, ...]:
    """Rows of very small, of usual and of large spread, at two lengths and widths."""
    from gpt2.learn.trial import gains_and_shifts, of_module
    from gpt2.model.config import GPT2Config

    made = []
    for seq, width, epsilon in ((7, 12, 1e-5), (5, 8, 1e-3), (1, 10, 1e-5)):
        config = GPT2Config(11, 13, width, 2, 2, 4 * width, layer_norm_epsilon=epsilon)
        x = random(seq, seq, width)
        x[: max(1, seq // 3)] *= 3e-3  # a spread at which the epsilon is felt
        x[-(seq // 3) :] = 10 * x[-(seq // 3) :] + 3
        gain, shift = gains_and_shifts(seq, width)
        compute = of_module("LayerNorm", (config, "blocks.0.ln1"), {"weight": gain, "bias": shift}, x)
        made.append(Case(f"{seq} positions of width {width}, epsilon {epsilon:g}", compute))
    return tuple(made)


LESSON = Lesson(
    number=3,
    name="layer_norm",
    title="Layer normalization",
    question="How does every layer get numbers of the same size?",
    component="layer_norm",
    defines="LayerNorm",
    blanks=(
        Blank(
            "x - F.mean(x, axis=-1)",
            "Each position's vector with its own mean taken off.",
            {
                "x - F.mean(x, axis=0)": "The mean was taken over the positions. Each token is normalised on its own, "
                "over its features: the last axis.",
                "x": "The mean was not taken off, so the rows are not centred on 0.",
            },
        ),
        Blank(
            "F.squeeze(F.mean(centred * centred, axis=-1), -1)",
            "The variance of each position: the mean of the squares.",
            {
                SAMPLE: "The squares were divided by n - 1. Layer norm divides by n: it describes this vector, and "
                "does not estimate a population.",
                "F.squeeze(F.sum(centred * centred, axis=-1), -1)": "The squares were added up, and not divided by n.",
            },
        ),
        Blank(
            "F.sqrt(variance + self.epsilon)",
            "What to divide by: the standard deviation, kept away from 0 by epsilon.",
            {
                "F.sqrt(variance) + self.epsilon": "Epsilon was added after the root. Add it to the variance, then "
                "take the root.",
                "F.sqrt(variance)": "Epsilon is missing: it is there for rows with no spread.",
                "variance + self.epsilon": "It was divided by the variance. Divide by the standard deviation, the root "
                "of the variance.",
            },
        ),
        Blank(
            "normalized * self.weight + self.bias",
            "The normalised vector with its learned gain and shift.",
            {
                "normalized": "Gain and shift are missing. Both are learned: the gain begins at 1, the shift at 0.",
                "normalized * self.weight": "The shift is missing.",
                "normalized + self.bias": "The gain is missing.",
                "normalized * self.bias + self.weight": "Gain and shift are swapped: the weight multiplies, the bias "
                "is added.",
            },
        ),
    ),
    mistakes=(
        Mistake(
            {"variance + self.epsilon": "variance + 1e-6"},
            "Another epsilon than the model's was used. GPT-2 was trained with 1e-5, and epsilon is part of the model.",
        ),
    ),
    hints=(
        "There is one mean and one variance for each position, over its features. MAX's `F.mean` says `axis=`, and "
        "keeps that axis, with size 1; `F.squeeze` takes it away where a shape has none.",
        "The variance is the mean of the squares of what is left when the mean has been taken off.",
        "Epsilon belongs under the root, so that a row of equal numbers is not divided by 0.",
    ),
    cases=cases,
    on_stage=on_stage.layer_norm,
    has_layers=True,
    asking=ASKING,
)
