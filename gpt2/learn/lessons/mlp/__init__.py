"""Lesson 4, the MLP: its blanks, the mistakes that people make, and what it is tried on."""

from gpt2.learn import on_stage
from gpt2.learn.lesson import Array, Blank, Case, Lesson, Mistake, random

from .questions import ASKING

GELU = 'F.gelu(pre, approximate="tanh")'
BY_HAND = "0.5 * pre * (1.0 + F.tanh({factor} * {bracket}))"
ROOT = "0.7978845608028654"  # sqrt(2 / pi)

CUBIC = (
    "There is a slip in the formula of GELU. The root of 2/pi multiplies the whole bracket, and the bracket is "
    "x + 0.044715 x³."
)
DO_NOT_FIT = (
    "A matrix does not fit what it multiplies. The first map reads `n_embd` numbers and writes `n_inner`, and the "
    "second goes back. A Linear keeps its matrix as [out, in], so it multiplies by the transpose."
)
COMPUTED_WIDTH = (
    "The width of the middle was computed from the width of the stream. It is 4 times as wide in GPT-2's own models; "
    "the configuration says it for all: `n_inner`."
)


def weights(seed: int, d_model: int, d_mlp: int) -> dict[str, Array]:
    """Random matrices and biases, such that the middle lies between about -4 and 4, where GELU bends."""
    return {
        "c_fc.weight": random(seed, d_mlp, d_model, scale=1.5 / d_model**0.5),
        "c_fc.bias": random(seed + 1, d_mlp, scale=0.5),
        "c_proj.weight": random(seed + 2, d_model, d_mlp, scale=1 / d_mlp**0.5),
        "c_proj.bias": random(seed + 3, d_model),
    }


def cases() -> tuple[Case, ...]:
    """Two lengths and widths, with a middle that is 4 times as wide and one that is not."""
    from gpt2.learn.trial import of_module
    from gpt2.model.config import GPT2Config

    made = []
    for seq, d_model, d_mlp in ((7, 12, 48), (5, 8, 20), (1, 10, 30)):
        config = GPT2Config(11, 13, d_model, 2, 2, d_mlp)
        made_with = (config, "blocks.0.mlp")
        compute = of_module("MLP", made_with, weights(10 * seq, d_model, d_mlp), random(seq, seq, d_model))
        made.append(Case(f"{seq} positions of width {d_model} and a middle of width {d_mlp}", compute))
    return tuple(made)


LESSON = Lesson(
    number=4,
    name="mlp",
    title="The MLP",
    question="What does each token make of what it has read?",
    component="mlp",
    defines="MLP",
    blanks=(
        Blank(
            "Linear(config.n_embd, config.n_inner)",
            "The map into the wider middle.",
            {
                "Linear(config.n_embd, config.n_embd)": DO_NOT_FIT,
                "Linear(config.n_embd, 4 * config.n_embd)": COMPUTED_WIDTH,
                "Linear(n_in=config.n_inner, n_out=config.n_embd)": DO_NOT_FIT,
            },
        ),
        Blank(
            "self.c_fc(x)",
            "Each position's vector in the middle, before the bend.",
            {
                "x": DO_NOT_FIT,
                "x @ self.c_fc.weight.T": "The first map's bias is missing.",
                "x @ self.c_fc.weight + self.c_fc.bias": DO_NOT_FIT,
            },
        ),
        Blank(
            GELU,
            "How far each neuron fires: GELU, in the form that GPT-2 was trained with.",
            {
                "F.gelu(pre)": "This is the exact GELU. GPT-2 was trained with its approximation by a tanh, which "
                "differs by up to 0.0005.",
                "F.relu(pre)": "This is ReLU, which cuts off everything below 0. GELU bends softly and lets small "
                "negative numbers through.",
                "pre": "There is no activation. Two linear maps in a row are one linear map, so the wider middle would "
                "add nothing.",
                'F.gelu(pre, approximate="quick")': "This is the quick GELU, x · sigmoid(1.702 x): a cousin, and not "
                "the one that GPT-2 uses.",
            },
        ),
        Blank(
            "self.c_proj(post)",
            "The result in the stream's width.",
            {
                "post": "The second map is missing: the result still has the width of the middle.",
                "post @ self.c_proj.weight.T": "The second map's bias is missing.",
                "x + self.c_proj(post)": "The input was added here. The MLP gives only its own part; the block adds it "
                "to the stream.",
                'F.gelu(self.c_proj(post), approximate="tanh")': "The result went through GELU once more. What is "
                "written to the stream may be any number, so the second map comes last.",
            },
        ),
    ),
    mistakes=(
        Mistake({GELU: BY_HAND.format(factor=ROOT, bracket="(pre + 0.044715 * pre * pre)")}, CUBIC),
        Mistake({GELU: BY_HAND.format(factor="1.0", bracket=f"({ROOT} * pre + 0.044715 * pre**3)")}, CUBIC),
        Mistake({GELU: BY_HAND.format(factor="0.6366197723675814", bracket="(pre + 0.044715 * pre**3)")}, CUBIC),
        Mistake({GELU: BY_HAND.format(factor=ROOT, bracket="(pre + 0.44715 * pre**3)")}, CUBIC),
        Mistake(
            {GELU: BY_HAND.format(factor=ROOT, bracket="(pre + 0.044715 * pre**3)").removeprefix("0.5 * ")},
            "The half in front is missing: all that comes out of GELU is twice as large as it should be.",
        ),
        Mistake(
            {GELU: "F.silu(pre)"},
            "This is SiLU, x · sigmoid(x), which newer models use. GPT-2 was trained with GELU.",
        ),
        Mistake(
            {"self.c_fc(x)": 'self.c_fc(F.gelu(x, approximate="tanh"))', GELU: "pre"},
            "GELU came before the first map. Widen first, then bend: each of the many neurons decides for itself.",
        ),
        Mistake(
            {
                "self.c_fc(x)": "x @ self.c_proj.weight + self.c_fc.bias",
                "self.c_proj(post)": "post @ self.c_fc.weight + self.c_proj.bias",
            },
            "The matrices are the other way round. Hugging Face's files hold them as [in, out]; a Linear keeps them as "
            "[out, in], the turned form, and multiplies by the transpose.",
        ),
    ),
    hints=(
        "Three steps: a map to the wider middle, one function of each number alone, and a map back.",
        "A Linear is made with two sizes, what it reads and what it writes. The configuration names both.",
        "MAX has GELU in three forms, and its argument `approximate` chooses; GPT-2's form has a tanh in it.",
    ),
    cases=cases,
    on_stage=on_stage.mlp,
    has_layers=True,
    asking=ASKING,
)
