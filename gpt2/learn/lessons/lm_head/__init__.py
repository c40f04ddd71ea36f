"""Lesson 11, the LM head: its blanks, the mistakes that people make, and what it is tried on."""

from gpt2.learn import on_stage
from gpt2.learn.lesson import Blank, Case, Lesson, Mistake, random

from .questions import ASKING

TABLE = "Tensor.zeros([config.vocab_size, config.n_embd])"
SCORES = "x @ self.weight.T"
ONE_ROW = "if x.shape[0] == 1:"
NO_ROW = "if x.shape[0] == 0:"  # so that the last line computes every length
IMPORT = "from max.experimental.nn import Module"
WITH_F = f"from max.experimental import functional as F\n{IMPORT}"

ROWS = "The head is the table of the token embeddings, used a second time: a row of the model's width for each token."
SOFTMAX = (
    "Softmax was applied inside the model: the rows sum to 1. Return the scores as they are; softmax belongs to "
    "sampling, where the temperature comes first."
)
LAST = "Only the last position was scored. Score every position here; generation picks the last one later."
TURNED = "Rows and columns are swapped. A row belongs to a position, a column to a token."


def cases() -> tuple[Case, ...]:
    """Several positions and a single one, all sizes different."""
    from gpt2.learn.trial import of_module
    from gpt2.model.config import GPT2Config

    made = []
    for seq, width, vocab in ((7, 8, 13), (4, 6, 19), (1, 8, 11)):
        config = GPT2Config(vocab, 17, width, 2, 2, 4 * width)
        weights = {"weight": random(vocab, vocab, width, scale=0.3, around=0.1)}
        compute = of_module("LMHead", (config,), weights, random(seq, seq, width, scale=3))
        label = f"{seq} position{'s' * (seq > 1)} of width {width} and {vocab} tokens"
        made.append(Case(label, compute))
    return tuple(made)


LESSON = Lesson(
    number=11,
    name="lm_head",
    title="The LM head",
    question="How does the last vector become a score for every token?",
    component="lm_head",
    defines="LMHead",
    blanks=(
        Blank(
            TABLE,
            "The table that scores: as many rows and columns as the table of the token embeddings has.",
            {
                "Tensor.zeros([config.n_embd, config.vocab_size])": ROWS,
                "Tensor.zeros([config.n_embd, config.n_embd])": ROWS,
                "Tensor.zeros([config.n_positions, config.n_embd])": "The table has a row for each position. It needs "
                "one for each token of the vocabulary.",
            },
        ),
        Blank(
            "(self.weight @ x.reshape([d_model, 1])).reshape([1, vocab])",
            "The same for a single position: the table times x as a column, then laid flat as one row.",
            {
                "self.weight @ x.reshape([d_model, 1])": "The scores of a single position were left standing as a "
                "column. Every position is a row.",
                "(self.weight @ x.reshape([d_model, 1])).reshape([vocab])": "The axis of the positions is lost. Keep "
                "it, even if there is only one.",
            },
        ),
        Blank(
            SCORES,
            "The score of every token at every position: the products of its row of the table with x, added up.",
            {
                "x @ self.weight": "The table was not turned. Each token has a row in it, and a product of matrices "
                "goes along columns.",
                "self.weight @ x.T": TURNED,
                f"({SCORES})[-1:]": LAST,
            },
        ),
    ),
    mistakes=(
        Mistake({IMPORT: WITH_F, SCORES: f"F.softmax({SCORES})"}, SOFTMAX),
        Mistake({IMPORT: WITH_F, ONE_ROW: NO_ROW, SCORES: f"F.softmax({SCORES})"}, SOFTMAX),
        Mistake(
            {IMPORT: WITH_F, ONE_ROW: NO_ROW, SCORES: f"F.logsoftmax({SCORES})"},
            "These are logarithms of probabilities. Return the scores themselves: softmax belongs to sampling.",
        ),
        Mistake({ONE_ROW: NO_ROW, SCORES: "self.weight @ x.T"}, TURNED),
        Mistake({ONE_ROW: NO_ROW, SCORES: f"({SCORES})[-1]"}, LAST),
        Mistake(
            {TABLE: f"{TABLE}\n        self.bias = Tensor.zeros([config.vocab_size])", SCORES: f"{SCORES} + self.bias"},
            "A bias was added. GPT-2's head has none: the table alone scores.",
        ),
    ),
    hints=(
        "The table that turns a token into a vector also scores vectors: the more alike two are, the higher the score.",
        "A vector and a row of the table have the same width. Their product, added up, is one score.",
        "Each row of the table must meet each row of x, so one of the two is turned before they are multiplied.",
    ),
    cases=cases,
    on_stage=on_stage.lm_head,
    asking=ASKING,
)
