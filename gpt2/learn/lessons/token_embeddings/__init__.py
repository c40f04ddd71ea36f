"""Lesson 5, token embeddings: its blanks, the mistakes that people make, and what it is tried on."""

from gpt2.learn import on_stage
from gpt2.learn.lesson import Blank, Case, Lesson, Mistake, random

from .questions import ASKING

TOKEN_TABLE, POSITION_TABLE = (f"Embedding(config.{rows}, dim=config.n_embd)" for rows in ("vocab_size", "n_positions"))
LOOK_UP = "F.gather(self.wte.weight, ids, axis=0)"
SCALED = f"{LOOK_UP} * (int(self.wte.weight.shape[1]) ** 0.5)"
WITH_TYPES = "from max.dtype import DType"
NARROW = "F.gather(self.wte.weight, F.cast(ids, DType.int16), axis=0)"


def cases() -> tuple[Case, ...]:
    """Texts that hold the first and the last token, one twice, with fewer and with more tokens than positions."""
    import numpy as np

    from gpt2.learn.trial import of_module
    from gpt2.model.config import GPT2Config

    def case(n_vocab: int, n_positions: int, width: int, ids: list[int], start: int, label: str) -> Case:
        config = GPT2Config(n_vocab, n_positions, width, 2, 2, 4 * width)
        tables = {"wte.weight": random(n_vocab, n_vocab, width), "wpe.weight": random(1, n_positions, width)}
        positions = np.arange(start, start + len(ids))
        return Case(label, of_module("Embeddings", (config,), tables, np.array(ids), positions))

    return (
        case(11, 17, 6, [3, 0, 9, 3, 7], 0, "5 tokens of a vocabulary of 11"),
        case(23, 14, 8, [13, 22, 2, 0], 6, "4 tokens from position 6 on, with the first and the last of 23"),
        case(40_001, 9, 4, [40_000, 0, 32_768], 2, "3 tokens of a vocabulary of 40001, with the last one"),
        case(13, 12, 10, [5], 7, "1 token at position 7"),
    )


LESSON = Lesson(
    number=5,
    name="token_embeddings",
    title="Token embeddings",
    question="How does a word become numbers that can be computed with?",
    component="embeddings",
    defines="Embeddings",
    blanks=(
        Blank(
            TOKEN_TABLE,
            "The table of the tokens: one row for each token of the vocabulary, as wide as the model.",
            {
                POSITION_TABLE: "The table of the tokens has a row for each position. Tokens index the vocabulary; "
                "positions index the length.",
                "Embedding(config.n_embd, dim=config.vocab_size)": "The table lies on its side: it needs one row for "
                "each token, not one column.",
                "Embedding(config.vocab_size + 1, dim=config.n_embd)": "The table has a row too many. With V tokens "
                "the ids are 0 to V - 1.",
            },
        ),
        Blank(
            LOOK_UP,
            "The row of each token.",
            {
                "F.gather(self.wte.weight, ids, axis=1)": "The table was read by columns. Each token has a row: the "
                "first axis.",
                "F.gather(self.wte.weight, positions, axis=0)": "The rows were looked up by position. Ask which token "
                "it is, not where it stands.",
                SCALED: "The rows were multiplied by the root of the width. The paper of 2017 does so; GPT-2 does not.",
                "F.gather(self.wte.weight, ids + 1, axis=0)": "The rows were counted from 1. The token with the id 0 "
                "has the first row, and that is row 0.",
            },
        ),
    ),
    mistakes=(
        Mistake(
            {TOKEN_TABLE: "TOKENS", POSITION_TABLE: TOKEN_TABLE, "TOKENS": POSITION_TABLE},
            "The sizes of both tables are swapped: tokens index the vocabulary, positions index the length.",
        ),
        Mistake(
            {
                LOOK_UP: NARROW,
                "from max.experimental import": "from max.dtype import DType\nfrom max.experimental import",
            },
            "The ids do not fit into 16 bits: GPT-2 has 50257 tokens, and above 32767 such a number turns negative.",
        ),
        Mistake(
            {LOOK_UP: "F.gather(self.wte.weight, F.cast(ids, self.wte.weight.dtype), axis=0)"},
            "The ids were turned into fractions. An id is the number of a row: a whole number.",
        ),
        Mistake(
            {"token + position": "position"},
            "The token is missing from the sum: what it is and where it stands are added.",
        ),
    ),
    hints=(
        "An embedding is a table and nothing else: no product and no norm, only a row for each id.",
        "The table has as many rows as the vocabulary has tokens, and each row is as wide as the model.",
        "F.gather takes a table, the numbers of the rows, and the axis along which the rows are counted.",
    ),
    cases=cases,
    on_stage=on_stage.embeddings,
    asking=ASKING,
)
