"""Claims about lesson 5: a look-up written in other ways passes, and a mistake is named in them too."""

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lessons import lesson_of
from tests.embedding_spellings import LAYERS, SPELLINGS, TENSORS, forward, source

pytestmark = pytest.mark.slow

POSITION = " + F.gather(self.places, positions, axis=0)"
IN_OTHER_WORDS = {
    "The rows were multiplied by the root of the width": TENSORS
    + forward("return F.gather(self.words, ids, axis=0) * self.words.shape[1].dim ** 0.5" + POSITION),
    "The rows were counted from 1": LAYERS + forward("return self.wte(ids + 1) + self.wpe(positions)"),
    "The rows were looked up by position": LAYERS + forward("return self.wte(positions) + self.wpe(positions)"),
    "The table lies on its side": LAYERS.replace(
        "config.vocab_size, dim=config.n_embd", "config.n_embd, dim=config.vocab_size"
    )
    + forward("return self.wte(ids) + self.wpe(positions)"),
    "The sizes of both tables are swapped": LAYERS.replace("wte", "x")
    .replace("wpe", "wte")
    .replace("self.x", "self.wpe")
    + forward("return self.wte(ids) + self.wpe(positions)"),
    "The ids were turned into fractions": LAYERS
    + forward("return self.wte(F.cast(ids, DType.float32)) + self.wpe(positions)"),
    "The ids do not fit into 16 bits": LAYERS
    + forward("return self.wte(F.cast(F.cast(ids, DType.int16), DType.int64)) + self.wpe(positions)"),
    "The token is missing": TENSORS + forward("return F.gather(self.places, positions, axis=0)"),
}


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(lesson_of(5))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_of_the_solution_passes(examiner: Examiner, spelling: str) -> None:
    told = examiner.verdict(source(SPELLINGS[spelling]), "own.py")
    assert told.passed, told


@pytest.mark.parametrize("mistake", IN_OTHER_WORDS)
def test_a_mistake_is_named_in_another_spelling_too(examiner: Examiner, mistake: str) -> None:
    told = examiner.verdict(source(IN_OTHER_WORDS[mistake]), "own.py")
    assert not told.passed and told.why.startswith(mistake), told


def test_an_id_past_the_table_is_told_in_one_sentence(examiner: Examiner) -> None:
    told = examiner.verdict(source(LAYERS + forward("return self.wte(ids + 5) + self.wpe(positions)")), "own.py")
    assert told.says.endswith("index 12 was asked for where there are only 0 to 10") and not told.passed
    assert not told.why, "shifted by 5 is no known mistake"


def test_one_table_too_few_is_told_from_the_weights(examiner: Examiner) -> None:
    body = LAYERS.replace("config.n_positions", "7") + forward("return self.wte(ids) + self.wpe(positions)")
    told = examiner.verdict(source(body), "own.py")
    assert not told.passed and "wpe.weight has the shape [7, 6]" in told.says
