"""Lesson 6, position embeddings: its blanks, the mistakes that people make, and what it is tried on."""

from gpt2.learn import on_stage
from gpt2.learn.lesson import Blank, Case, Lesson, Mistake, random

from .questions import ASKING

LOOK_UP, SUM = "F.gather(self.wpe.weight, positions, axis=0)", "token + position"
NUMBERS = "F.cast(F.unsqueeze(positions, 1), token.dtype)"
EVEN = "F.arange(0, int(token.shape[1]), 2, dtype=token.dtype, device=token.device)"
ANGLES = f"({NUMBERS} * F.exp({EVEN} * (-9.210340371976184 / int(token.shape[1]))))"  # -log 10000
WAVES = f"F.stack([F.sin({ANGLES}), F.cos({ANGLES})], axis=-1).reshape(token.shape)"
HALVES = f"F.concat([F.sin({ANGLES}), F.cos({ANGLES})], axis=-1)"
LEARNED = "The positions were computed from sines and cosines. GPT-2 learns its positions: they are a table."


def cases() -> tuple[Case, ...]:
    """Positions from 0 on, from later on, in any order, and the last one; one token stands there twice."""
    import numpy as np

    from gpt2.learn.trial import of_module
    from gpt2.model.config import GPT2Config

    def case(n_vocab: int, n_positions: int, width: int, ids: list[int], positions: list[int], label: str) -> Case:
        config = GPT2Config(n_vocab, n_positions, width, 2, 2, 4 * width)
        tables = {"wte.weight": random(n_vocab, n_vocab, width), "wpe.weight": random(1, n_positions, width)}
        return Case(label, of_module("Embeddings", (config,), tables, np.array(ids), np.array(positions)))

    return (
        case(11, 17, 6, [3, 9, 4, 3, 10], [0, 1, 2, 3, 4], "5 tokens from position 0 on"),
        case(10, 19, 8, [7, 2, 2, 0], [3, 0, 2, 1], "4 tokens of width 8 at the positions 3, 0, 2 and 1"),
        case(13, 14, 10, [5, 1, 6], [9, 10, 11], "3 tokens from position 9 on"),
        case(9, 15, 4, [4, 8], [13, 14], "2 tokens at the end of a table of 15 positions"),
    )


LESSON = Lesson(
    number=6,
    name="position_embeddings",
    title="Position embeddings",
    question="How does the model know in which order the words stand?",
    component="embeddings",
    defines="Embeddings",
    blanks=(
        Blank(
            "Embedding(config.n_positions, dim=config.n_embd)",
            "The table of the positions: one row for each place a token can have, as wide as the model.",
            {
                "Embedding(config.vocab_size, dim=config.n_embd)": "The table of the positions has a row for each "
                "token. Positions index the length; tokens index the vocabulary.",
                "Embedding(config.n_positions + 1, dim=config.n_embd)": "The table has a row too many: positions 0 to "
                "1023 make 1024 rows.",
                "Embedding(config.n_embd, dim=config.n_positions)": "The table lies on its side: it needs one row for "
                "each position, not one column.",
            },
        ),
        Blank(
            LOOK_UP,
            "The row of each position.",
            {
                "F.gather(self.wpe.weight, positions + 1, axis=0)": "The positions were counted from 1. The first "
                "token is at position 0.",
                "F.gather(self.wpe.weight, ids, axis=0)": "The rows were looked up by token. Ask where it stands, not "
                "which it is.",
                "self.wpe.weight[: ids.shape[0]]": "The first rows were taken, whatever the positions are. Look up the "
                "rows that are asked for: a text that goes on does not begin at 0.",
                WAVES: LEARNED,
            },
        ),
        Blank(
            SUM,
            "The vector that goes into the first block: what the token is, and where it stands.",
            {
                "token": "The positions are missing, so the model cannot tell one order of the words from another.",
                "F.concat([token, position], axis=-1)": "The vectors were put side by side, which makes them twice as "
                "wide. Add them: the width stays.",
                "token * position": "They were multiplied; add them.",
                "token - position": "The position was taken off; add it.",
            },
        ),
    ),
    mistakes=(
        Mistake({LOOK_UP: HALVES}, LEARNED),
        Mistake(
            {SUM: "token * (int(token.shape[1]) ** 0.5) + position"},
            "The token's vector was multiplied by the root of the width. The paper of 2017 does so; GPT-2 does not.",
        ),
        Mistake({SUM: "(token + position) / 2"}, "The mean was taken. GPT-2 takes the sum of both vectors."),
        Mistake(
            {LOOK_UP: "F.gather(self.wte.weight, positions, axis=0)"},
            "The position was looked up among the tokens. It has a table of its own, wpe.",
        ),
    ),
    hints=(
        "This is a table like the one of the tokens; only what its rows stand for is another thing.",
        "Nothing in a position's row depends on the word that stands there.",
        "Both vectors are as wide as the model, and so is the result.",
    ),
    cases=cases,
    on_stage=on_stage.embeddings,
    asking=ASKING,
)
