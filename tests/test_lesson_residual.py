"""Claims about lesson 8: every right way to write the sum and the norm passes, and each wrong place is named."""

from pathlib import Path

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lessons import lesson_of
from gpt2.learn.lessons.residual import AFTER_NORM, FORGOTTEN, LESSON, POST_NORM, UNUSED
from tests.blocks import SPELLINGS, with_body

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(LESSON)


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_right_spelling_passes(examiner: Examiner, name: str) -> None:
    told = examiner.verdict(SPELLINGS[name], "own.py")
    assert told.passed, told


ATTENTION = "self.attn({}, mask, past, changes.z)"
WRONG = {
    "forgotten": (ATTENTION.format("self.ln_1(x)"), "self.mlp(self.ln_2(x))", FORGOTTEN),
    "norm after the sum": (
        f"self.ln_1(x + {ATTENTION.format('x')})",
        "self.ln_2(x + self.mlp(x))",
        POST_NORM,
    ),
    "norm overwrites": (
        f"self.ln_1(x) + {ATTENTION.format('self.ln_1(x)')}",
        "self.ln_2(x) + self.mlp(self.ln_2(x))",
        AFTER_NORM,
    ),
    "norm unused": (f"x + {ATTENTION.format('x')}", "x + self.mlp(x)", UNUSED),
    "norm unused in one half": (f"x + {ATTENTION.format('x')}", "x + self.mlp(self.ln_2(x))", UNUSED),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_sum_is_named_though_it_is_spelled_in_another_way(examiner: Examiner, name: str) -> None:
    first, second, why = WRONG[name]
    told = examiner.verdict(with_body(f"x = {first}", f"return {second}"), "own.py")
    assert not told.passed and told.why == why, told


def test_a_reader_may_import_the_parts_of_earlier_lessons(examiner: Examiner, tmp_path: Path) -> None:
    source = LESSON.solution
    for number, module, name in ((3, "layer_norm", "LayerNorm"), (4, "mlp", "MLP")):
        lesson = lesson_of(number)
        (tmp_path / lesson.file_name).write_text(lesson.solution, encoding="utf-8")
        imported = f"from gpt2.model.{module} import {name}"
        assert imported in source
        source = source.replace(imported, f"from {lesson.file_name.removesuffix('.py')} import {name}")
    told = examiner.verdict(source, str(tmp_path / LESSON.file_name))
    assert told.passed, told
