"""Lesson 1, the configuration: its blanks, the mistakes that people make, and what it is tried on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gpt2.learn.lesson import Array, Blank, Case, Lesson, Mistake

from .questions import ASKING

SIZES = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
# As `config.json` has them: GPT-2 small, medium, large and XL, then two small ones that name all their values.
FILES: tuple[dict[str, Any], ...] = (
    *(
        dict(zip(SIZES, (50257, 1024, *sizes), strict=True))
        for sizes in ((768, 12, 12), (1024, 24, 16), (1280, 36, 20), (1600, 48, 25))
    ),
    dict(zip(SIZES, (101, 33, 12, 5, 3), strict=True)) | {"n_inner": 20, "layer_norm_epsilon": 1e-3},
    dict(zip(SIZES, (257, 64, 24, 2, 4), strict=True)) | {"n_inner": None, "tie_word_embeddings": False},
)
REFUSED = (
    {"n_head": 7},
    {"n_embd": 6},  # fewer features than heads
    {"n_layer": 0},
    {"n_layer": 2.5},
    {"activation_function": "relu"},
    {"layer_norm_epsilon": 0.0},
)

FILE_SIZES = "{name: values.get(name) for name in cls.SIZES}"
BLOCK = "4 * self.n_embd**2 + 2 * self.n_embd * self.n_inner + 9 * self.n_embd + self.n_inner"
TABLES = "self.vocab_size * (1 if self.tie_word_embeddings else 2) + self.n_positions"
EPSILON = 'values.get("layer_norm_epsilon", 1e-5)'
OTHER_EPSILON = "Another epsilon than GPT-2's was used. It was trained with 1e-5, and epsilon is part of the model."


def shown(value: Any, name: str) -> Any:
    """A field that must be a number.

    Raises:
        WrongKind: if it is none.
    """
    from gpt2.learn.trial import WrongKind

    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise WrongKind(f"{name} is {value!r}, where a number is due.")
    return value


def field(name: str) -> Callable[[Mapping[str, Any]], Sequence[Array]]:
    """One field or property of the configuration of every file."""

    def compute(names: Mapping[str, Any]) -> list[Array]:
        from gpt2.learn.trial import defined

        made = [defined(names, "GPT2Config").from_hugging_face(dict(file)) for file in FILES]
        return [np.array([shown(getattr(config, name), name) for config in made])]

    return compute


def made_by_hand(names: Mapping[str, Any]) -> list[Array]:
    """A configuration that is made from numbers, without a file."""
    from gpt2.learn.trial import defined

    config = defined(names, "GPT2Config")(101, 33, 12, 5, 3, n_inner=20)
    return [np.array([shown(getattr(config, name), name) for name in (*SIZES, "n_inner", "d_head", "n_params")])]


def standard_epsilon(names: Mapping[str, Any]) -> list[Array]:
    """The epsilon of a configuration that is made without one."""
    from gpt2.learn.trial import defined

    config = defined(names, "GPT2Config")(101, 33, 12, 5, 3, 20)
    return [np.array([shown(config.layer_norm_epsilon, "layer_norm_epsilon")])]


def refusals(names: Mapping[str, Any]) -> list[Array]:
    """Which of the files that no GPT-2 can have are refused: 1 for each."""
    from gpt2.learn.trial import defined

    make, told = defined(names, "GPT2Config").from_hugging_face, []
    for wrong in REFUSED:
        try:
            make({**FILES[0], **wrong})
            told.append(0)
        except Exception:  # whichever kind a reader raises
            told.append(1)
    return [np.array(told)]


def is_frozen(names: Mapping[str, Any]) -> list[Array]:
    """Whether a configuration refuses to be changed: 1 if it does."""
    from gpt2.learn.trial import defined

    config = defined(names, "GPT2Config")(101, 33, 12, 5, 3, 20)
    try:
        config.n_embd = 13
    except Exception:  # whichever kind a reader raises
        return [np.array([1])]
    return [np.array([0])]


def cases() -> tuple[Case, ...]:
    """Every field of six configurations, what is refused, and what cannot be changed."""
    names = (*SIZES, "n_inner", "d_head", "n_params", "layer_norm_epsilon")
    return (
        *(Case(f"{name} of six config.json files", field(name)) for name in names),
        Case("a configuration made by hand", made_by_hand),
        Case("the layer_norm_epsilon that is used if none is given", standard_epsilon),
        Case("files that must be refused (1 is refused)", refusals),
        Case("a field that is changed later (1 is refused)", is_frozen),
    )


LESSON = Lesson(
    number=1,
    name="configuration",
    title="The configuration",
    question="Which few numbers say what a GPT-2 looks like?",
    component="config",
    defines="GPT2Config",
    blanks=(
        Blank(
            "self.n_embd % self.n_head",
            "What is not 0 when the width cannot be shared out evenly among the heads.",
            {
                "self.n_head % self.n_embd": "It asked whether the width divides the heads. The heads share out the "
                "width, so it must be a multiple of their number.",
                "self.n_embd < self.n_head": "Being wide enough is not enough: the width must be a multiple of the "
                "number of heads.",
            },
        ),
        Blank(
            "self.n_embd // self.n_head",
            "The width of one head, a whole number.",
            {
                "self.n_embd / self.n_head": "A size must be a whole number, and `/` gives a float. Use `//`.",
                "self.n_embd": "Every head was given the whole width. The heads share it out.",
                "self.n_embd * self.n_head": "The width was multiplied by the heads. The heads share it out.",
            },
        ),
        Blank(
            BLOCK,
            "The parameters of one block: four square matrices' worth in the attention, two matrices in the MLP, "
            "and all biases and norms.",
            {
                "4 * self.n_embd**2 + 2 * self.n_embd * self.n_inner": "The biases and the norms were not counted. "
                "They are few, but they are learned too.",
                "4 * self.n_embd**2 + 8 * self.n_embd**2 + 9 * self.n_embd + 4 * self.n_embd": "The MLP was counted "
                "as four times the width. A configuration may say another n_inner.",
                "3 * self.n_embd**2 + 2 * self.n_embd * self.n_inner + 8 * self.n_embd + self.n_inner": "The output "
                "projection of the attention was not counted: it is the fourth square matrix.",
            },
        ),
        Blank(
            TABLES,
            "The rows of all tables: tokens, positions, and the head's own if it is not the tokens' table again.",
            {
                "self.vocab_size * 2 + self.n_positions": "The head was counted as a table of its own. If it is tied, "
                "it is the token table used a second time.",
                "self.vocab_size * (1 if self.tie_word_embeddings else 2)": "The table of the positions was not "
                "counted.",
                "self.vocab_size + self.n_positions": "A head that is not tied has a table of its own, and it was not "
                "counted.",
            },
        ),
        Blank(
            '4 * sizes["n_embd"]',
            "The width inside the MLP that GPT-2 has if the file names none.",
            {
                'sizes["n_embd"]': "The MLP is as narrow as the stream. It widens to four times the width, then "
                "narrows back.",
                "3072": "3072 is right for GPT-2 small alone. It is four times the width, whatever that is.",
                "None": "The MLP needs a number: four times the width.",
            },
        ),
        Blank(
            EPSILON,
            "The epsilon of the file, or the one that GPT-2 was trained with.",
            {
                'values.get("layer_norm_epsilon", 1e-12)': OTHER_EPSILON,
                'values.get("layer_norm_epsilon", 1e-6)': OTHER_EPSILON,
                "1e-5": "The epsilon of the file was not read. It is part of the model, so the file's goes first.",
            },
        ),
    ),
    mistakes=(
        Mistake(
            {FILE_SIZES: f'{FILE_SIZES}\n        sizes["vocab_size"] = -(-sizes["vocab_size"] // 64) * 64'},
            "The vocabulary was padded to a multiple of 64. That is a trick for speed in training; the tokenizer has "
            "50257 ids, and the table has as many rows.",
        ),
        Mistake(
            {FILE_SIZES: f'{FILE_SIZES}\n        sizes["n_positions"] += 1'},
            "There is a position too many. The positions 0 to 1023 make 1024 rows.",
        ),
        Mistake(
            {FILE_SIZES: f'{FILE_SIZES}\n        sizes["n_positions"] -= 1'},
            "There is a position too few. The positions 0 to 1023 make 1024 rows.",
        ),
        Mistake({"layer_norm_epsilon: float = 1e-5": "layer_norm_epsilon: float = 1e-6"}, OTHER_EPSILON),
        Mistake({"layer_norm_epsilon: float = 1e-5": "layer_norm_epsilon: float = 1e-12"}, OTHER_EPSILON),
        Mistake(
            {"@dataclass(frozen=True)\n": ""},
            "The decorator @dataclass is missing: it writes the constructor that takes the fields.",
        ),
        Mistake(
            {"@dataclass(frozen=True)": "@dataclass"},
            "The configuration can be changed after it was checked. With frozen=True it cannot.",
        ),
    ),
    hints=(
        "The heads share out the width evenly, so one size must be a multiple of another.",
        "A matrix from m to n numbers has m times n parameters, and a bias has n more. A norm has a gain and a shift.",
        "What the file names goes first. GPT-2's own value is used only where it names none.",
    ),
    cases=cases,
    asking=ASKING,
)
