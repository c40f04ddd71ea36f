"""Lesson 9, the transformer block: its blanks and the mistakes that people make; it is tried on lesson 8's cases."""

from gpt2.learn import on_stage
from gpt2.learn.lesson import Blank, Lesson, Mistake
from gpt2.learn.lessons.residual import AFTER_NORM, ATTENTION, FIRST_SUM, MLP, POST_NORM, SECOND_SUM, cases

from .questions import ASKING

ONE_NORM = (
    "One norm was used in both places. Each part has a norm of its own, with its own gain and shift: attention reads "
    "through `ln_1`, the MLP through `ln_2`."
)
SWAPPED_NORMS = "The norms are swapped: attention reads through `ln_1`, and the MLP through `ln_2`."
FROM_INPUT = (
    "The second sum starts from the block's input, so what attention wrote is lost. It starts from the first sum."
)
TWO_SUMS = "A sum is missing: the block has two parts, and the stream goes on past each of them."
MLP_FIRST = "The MLP came before attention. A token looks around first, and then thinks about what it has read."

ONCE_MORE = "self.attn(self.ln_1(resid_mid), mask, past, changes.z)"


LESSON = Lesson(
    number=9,
    name="block",
    title="The transformer block",
    question="How do attention and the MLP make one layer?",
    component="block",
    defines="Block",
    blanks=(
        Blank(
            "self.ln_1(resid_pre)",
            "What attention reads.",
            {
                "resid_pre": "Attention reads the stream as it is. It must read it through `ln_1`.",
                "self.ln_2(resid_pre)": ONE_NORM,
            },
        ),
        Blank(
            FIRST_SUM,
            "The stream after attention.",
            {
                "attn_out": TWO_SUMS,
                "self.ln_1(resid_pre) + attn_out": AFTER_NORM,
            },
        ),
        Blank(
            "self.ln_2(resid_mid)",
            "What the MLP reads.",
            {
                "resid_mid": "The MLP reads the stream as it is. It must read it through `ln_2`.",
                "self.ln_1(resid_mid)": ONE_NORM,
                "self.ln_2(resid_pre)": "The MLP reads the same as attention: the two parts work side by side, as in "
                "GPT-J. In GPT-2 the MLP reads what attention has written.",
                "self.ln_2(attn_out)": "The MLP reads only what attention found. It must read the whole stream, with "
                "what attention added to it.",
            },
        ),
        Blank(
            SECOND_SUM,
            "The stream after the MLP.",
            {
                "resid_pre + mlp_out": FROM_INPUT,
                "mlp_out": TWO_SUMS,
                "attn_out + mlp_out": "The stream itself is missing: the block gives what its parts wrote, and "
                "leaves out what came in.",
                "self.ln_2(resid_mid) + mlp_out": AFTER_NORM,
            },
        ),
    ),
    mistakes=(
        Mistake({FIRST_SUM: "attn_out", SECOND_SUM: "mlp_out"}, TWO_SUMS),
        Mistake(
            {FIRST_SUM: "self.ln_1(resid_pre) + attn_out", SECOND_SUM: "self.ln_2(resid_mid) + mlp_out"}, AFTER_NORM
        ),
        Mistake({"self.ln_2(resid_mid)": "self.ln_2(attn_out)", SECOND_SUM: "resid_pre + mlp_out"}, FROM_INPUT),
        Mistake({"self.ln_1(resid_pre)": "self.ln_2(resid_pre)", MLP: "self.mlp(self.ln_1(resid_mid))"}, SWAPPED_NORMS),
        Mistake({ATTENTION: "self.mlp(self.ln_2(resid_pre))", MLP: ONCE_MORE}, MLP_FIRST),
        Mistake(
            {ATTENTION: "self.mlp(self.ln_1(resid_pre))", MLP: ONCE_MORE.replace("ln_1", "ln_2")},
            MLP_FIRST,
        ),
        Mistake(
            {
                "self.ln_1(resid_pre)": "resid_pre",
                FIRST_SUM: f"self.ln_1({FIRST_SUM})",
                "self.ln_2(resid_mid)": "resid_mid",
                SECOND_SUM: f"self.ln_2({SECOND_SUM})",
            },
            POST_NORM,
        ),
        Mistake(
            {ATTENTION: ATTENTION.replace("mask", "None")},
            "The mask was not handed on to attention, so every token reads the later ones.",
        ),
    ),
    hints=(
        "Two steps of the same form: a part reads a normalised copy of the stream, and its result is added to it.",
        "After each sum, forget the vector from before it: the next step uses the new one in both of its places.",
        "There are two norms, and each is used once. What comes first: looking around, or thinking?",
    ),
    cases=cases,
    on_stage=on_stage.block,
    has_layers=True,
    asking=ASKING,
)
