"""Lesson 8, the residual stream: its blanks, the mistakes that people make, and what it is tried on."""

import numpy as np

from gpt2.learn import on_stage
from gpt2.learn.lesson import Array, Blank, Case, Lesson, Mistake, random

from .questions import ASKING

ATTENTION = "self.attn(self.ln_1(resid_pre), mask, past, changes.z)"
FIRST_SUM = "resid_pre + attn_out"
MLP = "self.mlp(self.ln_2(resid_mid))"
SECOND_SUM = "resid_mid + mlp_out"

FORGOTTEN = "The stream is missing from the sum. The block adds to the stream; it does not replace it."
POST_NORM = (
    "The norm comes after the sum, as in the Transformer of 2017. GPT-2 moved it to the entrance of each part, so that "
    "nothing stands in the way of the stream."
)
AFTER_NORM = (
    "The normalised copy was added to, and not the stream itself, so the stream's mean and size are lost. Keep the "
    "vector as it was before the norm, and add to that."
)
UNUSED = "The norm is made and never used: the part must read a normalised copy of the stream."


def weights(seed: int, d_model: int, d_mlp: int) -> dict[str, Array]:
    """Random numbers for all parts of a block, such that each writes about as much as the stream holds."""
    from gpt2.learn.trial import gains_and_shifts

    made: dict[str, Array] = {}
    for norm in ("ln_1", "ln_2"):
        seed += 1
        made[f"{norm}.weight"], made[f"{norm}.bias"] = gains_and_shifts(seed, d_model)
    for name, n_in, n_out in (
        ("attn.c_attn", d_model, 3 * d_model),
        ("attn.c_proj", d_model, d_model),
        ("mlp.c_fc", d_model, d_mlp),
        ("mlp.c_proj", d_mlp, d_model),
    ):
        seed += 2
        made[f"{name}.weight"] = random(seed, n_out, n_in, scale=1.5 / n_in**0.5)
        made[f"{name}.bias"] = random(seed + 1, n_out, scale=0.5)
    return made


def cases() -> tuple[Case, ...]:
    """Two blocks of different sizes, and a stream whose rows differ in mean and spread; no intervention changes it."""
    from gpt2.learn.trial import of_module
    from gpt2.model.changes import Change, Changes
    from gpt2.model.config import GPT2Config

    made = []
    for seq, d_model, n_head, d_mlp, layer in ((7, 12, 3, 40, 0), (5, 8, 2, 20, 1)):
        config = GPT2Config(11, 13, d_model, 2, n_head, d_mlp)
        x = random(seq, seq, d_model, around=0.7) * np.linspace(0.5, 3, seq, dtype=np.float32)[:, None]
        mask = np.triu(np.full((seq, seq), -np.inf, np.float32), 1)
        nothing: list[Array] = [np.ones((seq, 1), np.float32), np.zeros((seq, d_model), np.float32)]
        no_z: list[Array] = [np.ones((seq, n_head, 1), np.float32), np.zeros((seq, n_head, config.d_head), np.float32)]
        changes = Changes(Change(*nothing), Change(*no_z), Change(*nothing), Change(*nothing))
        compute = of_module("Block", (config, layer), weights(100 * seq, d_model, d_mlp), x, mask, None, changes)
        made.append(Case(f"{seq} positions of width {d_model} and {n_head} heads", compute))
    return tuple(made)


LESSON = Lesson(
    number=8,
    name="residual",
    title="Residual connections and layer norm",
    question="How does attention add to the stream without spoiling it?",
    component="block",
    defines="Block",
    blanks=(
        Blank(
            ATTENTION,
            "What attention finds when it reads the normalised stream; it also takes the mask, the past and changes.z.",
            {
                "self.attn(resid_pre, mask, past, changes.z)": UNUSED,
                "self.attn(self.ln_2(resid_pre), mask, past, changes.z)": "The other part's norm was used. Each part "
                "has a norm of its own, with its own gain and shift: attention reads through `ln_1`.",
                "self.ln_1(self.attn(resid_pre, mask, past, changes.z))": "The norm is at the exit: it was applied to "
                "what attention gives. Normalise what goes in, and leave what comes out as it is.",
                "self.attn(self.ln_1(resid_pre), None, past, changes.z)": "The mask was not handed on, so every token "
                "reads the later ones.",
            },
        ),
        Blank(
            FIRST_SUM,
            "The stream as it goes on.",
            {
                "attn_out": FORGOTTEN,
                "self.ln_1(resid_pre) + attn_out": AFTER_NORM,
                "self.ln_1(resid_pre + attn_out)": "The stream was normalised once more after the sum. The norm "
                "stands only at the entrance of each part, and the stream goes on as it is.",
                "resid_pre * attn_out": "The stream was multiplied by what attention found. A residual connection is "
                "a sum.",
            },
        ),
    ),
    mistakes=(
        Mistake(
            {ATTENTION: "self.attn(resid_pre, mask, past, changes.z)", FIRST_SUM: f"self.ln_1({FIRST_SUM})"}, POST_NORM
        ),
        Mistake(
            {
                ATTENTION: "self.attn(resid_pre, mask, past, changes.z)",
                FIRST_SUM: f"self.ln_1({FIRST_SUM})",
                MLP: "self.mlp(resid_mid)",
                SECOND_SUM: f"self.ln_2({SECOND_SUM})",
            },
            POST_NORM,
        ),
        Mistake({FIRST_SUM: "attn_out", SECOND_SUM: "mlp_out"}, FORGOTTEN),
        Mistake(
            {FIRST_SUM: "self.ln_1(resid_pre) + attn_out", SECOND_SUM: "self.ln_2(resid_mid) + mlp_out"}, AFTER_NORM
        ),
        Mistake({ATTENTION: "self.attn(resid_pre, mask, past, changes.z)", MLP: "self.mlp(resid_mid)"}, UNUSED),
        Mistake(
            {FIRST_SUM: "resid_pre - attn_out"},
            "What attention found was taken off the stream. A residual connection is a sum.",
        ),
    ),
    hints=(
        "Two vectors are at hand: the stream itself and a normalised copy of it. Attention reads only one of them.",
        "The norm must not touch what goes on. Give its result to attention, and to nothing else.",
        "The stream that goes on is the stream that came in, with something added to it.",
    ),
    cases=cases,
    on_stage=on_stage.block,
    has_layers=True,
    asking=ASKING,
)
