"""Claims about lesson 6: the sum written in other ways passes, and a mistake is named in them too."""

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lessons import lesson_of
from tests.embedding_spellings import LAYERS, SPELLINGS, TENSORS, forward, source

pytestmark = pytest.mark.slow

COUNTED = "F.arange(0, int(ids.shape[0]), dtype=DType.int64)"
SINES = (
    "e = int(self.words.shape[1])",
    "power = F.constant([10000 ** (-2 * i / e) for i in range(e // 2)], DType.float32)",
    "angle = F.unsqueeze(F.cast(positions, DType.float32), 1) * power",
    "waves = F.stack([F.sin(angle), F.cos(angle)], axis=2).reshape([-1, e])",
    "return F.gather(self.words, ids, axis=0) + waves",
)
IN_OTHER_WORDS = {
    "The positions were counted from 1": LAYERS + forward("return self.wte(ids) + self.wpe(1 + positions)"),
    "The rows were looked up by token": LAYERS + forward("return self.wte(ids) + self.wpe(ids)"),
    "The first rows were taken": LAYERS + forward(f"return self.wte(ids) + self.wpe({COUNTED})"),
    "The positions were computed": TENSORS + forward(*SINES),
    "The positions are missing": LAYERS + forward("return self.wte(ids)"),
    "The vectors were put side by side": LAYERS
    + forward("return F.concat([self.wte(ids), self.wpe(positions)], axis=1)"),
    "The token's vector was multiplied": LAYERS
    + forward("token = self.wte(ids)", "return token * int(token.shape[1]) ** 0.5 + self.wpe(positions)"),
    "The mean was taken": LAYERS + forward("return self.wte(ids) * 0.5 + self.wpe(positions) * 0.5"),
}


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(lesson_of(6))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_of_the_solution_passes(examiner: Examiner, spelling: str) -> None:
    told = examiner.verdict(source(SPELLINGS[spelling]), "own.py")
    assert told.passed, told


@pytest.mark.parametrize("mistake", IN_OTHER_WORDS)
def test_a_mistake_is_named_in_another_spelling_too(examiner: Examiner, mistake: str) -> None:
    told = examiner.verdict(source(IN_OTHER_WORDS[mistake]), "own.py")
    assert not told.passed and told.why.startswith(mistake), told


def test_positions_in_any_order_are_tried(examiner: Examiner) -> None:
    told = examiner.verdict(source(LAYERS + forward(f"return self.wte(ids) + self.wpe({COUNTED})")), "own.py")
    assert (
        "at the positions 3, 0, 2 and 1" in told.says and "It is right for 5 tokens from position 0 on." in told.details
    )
