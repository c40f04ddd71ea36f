"""Claims about lesson 9: every right way to write the block passes, and each wrong path of the stream is named."""

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lessons.block import FROM_INPUT, LESSON, MLP_FIRST, ONE_NORM, TWO_SUMS
from gpt2.learn.lessons.residual import AFTER_NORM, POST_NORM
from tests.blocks import SPELLINGS, with_body

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(LESSON)


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_right_spelling_passes(examiner: Examiner, name: str) -> None:
    told = examiner.verdict(SPELLINGS[name], "own.py")
    assert told.passed, told


def attn(read: str) -> str:
    return f"self.attn({read}, mask, past, changes.z)"


WRONG = {
    "from the input": (f"a = x + {attn('self.ln_1(x)')}", "x + self.mlp(self.ln_2(a))", FROM_INPUT),
    "no second sum": (f"x = x + {attn('self.ln_1(x)')}", "self.mlp(self.ln_2(x))", TWO_SUMS),
    "no sums": (f"x = {attn('self.ln_1(x)')}", "self.mlp(self.ln_2(x))", TWO_SUMS),
    "one norm": (f"x = x + {attn('self.ln_1(x)')}", "x + self.mlp(self.ln_1(x))", ONE_NORM),
    "side by side": (
        f"n = {attn('self.ln_1(x)')}",
        "x + n + self.mlp(self.ln_2(x))",
        LESSON.blanks[2].wrong["self.ln_2(resid_pre)"],
    ),
    "the MLP first": ("x = x + self.mlp(self.ln_2(x))", f"x + {attn('self.ln_1(x)')}", MLP_FIRST),
    "norms after the sums": (f"x = self.ln_1(x + {attn('x')})", "self.ln_2(x + self.mlp(x))", POST_NORM),
    "overwritten": (
        f"n = self.ln_1(x); x = n + {attn('n')}; x = self.ln_2(x)",
        "x + self.mlp(x)",
        AFTER_NORM,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_path_is_named_though_it_is_spelled_in_another_way(examiner: Examiner, name: str) -> None:
    first, second, why = WRONG[name]
    told = examiner.verdict(with_body(first, f"return {second}"), "own.py")
    assert not told.passed and told.why == why, told
