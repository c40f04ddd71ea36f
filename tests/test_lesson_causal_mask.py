"""Claims about lesson 2: every right way to write the causal mask passes, and what only resembles it is told apart."""

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lessons.causal_mask import LESSON, NEARLY

pytestmark = pytest.mark.slow

IMPORTS = """
import math
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor

"""

SPELLINGS = {
    "a band that is left out": """
def causal_mask(positions):
    n = positions.shape[0]
    return F.band_part(Tensor.full([n, n], float("-inf")), -1, 0, exclude=True)
""",
    "a band that begins above the diagonal": """
def causal_mask(positions):
    n = int(positions.shape[0])
    future = Tensor.full([n, n], -math.inf)
    return F.where(F.band_part(Tensor.ones([n, n]), -1, 0) > 0.0, Tensor.zeros([n, n]), future)
""",
    "later first": """
def causal_mask(where):
    rows, columns = where.reshape([-1, 1]), where.reshape([1, -1])
    n = where.shape[0]
    return F.where(columns > rows, F.full([n, n], float("-inf")), F.zeros([n, n]))
""",
    "a logarithm": """
def causal_mask(positions):
    may_look = F.unsqueeze(positions, -1) >= F.unsqueeze(positions, 0)
    return F.log(may_look.cast(DType.float32))
""",
    "a difference": """
def causal_mask(positions):
    distance = F.unsqueeze(positions, 1) - F.unsqueeze(positions, 0)
    zero = F.constant(0.0, DType.float32, CPU())
    return F.where(distance < 0, F.constant(-math.inf, DType.float32, CPU()), zero)
""",
    "counted rows": """
def causal_mask(positions):
    steps = F.arange(0, int(positions.shape[0]), dtype=DType.int64)
    later = F.unsqueeze(steps, 0) > F.unsqueeze(steps, 1)
    return F.where(later, Tensor.full(later.shape, float("-inf")), Tensor.zeros(later.shape))
""",
    "a negation": """
def causal_mask(positions):
    allowed = F.unsqueeze(positions, 1) >= F.unsqueeze(positions, 0)
    zero, never = (F.constant(value, DType.float32, positions.device) for value in (0.0, float("-inf")))
    return F.where(~allowed, never, zero)
""",
    "row by row": """
def row(n, query):
    free = Tensor.zeros([1, query + 1])
    return free if query + 1 == n else F.concat([free, Tensor.full([1, n - query - 1], float("-inf"))], axis=1)


def causal_mask(positions):
    n = int(positions.shape[0])
    return F.concat([row(n, query) for query in range(n)], axis=0)
""",
    "numbers compared": """
def causal_mask(positions):
    spots = positions.cast(DType.float32)
    ahead = F.relu(F.unsqueeze(spots, 0) - F.unsqueeze(spots, 1))
    return F.where(ahead > 0.5, ahead * float("-inf"), ahead)
""",
    "a table of both": """
def causal_mask(positions):
    n = int(positions.shape[0])
    steps = F.arange(0, n, dtype=DType.int32)
    query = F.broadcast_to(F.unsqueeze(steps, 1), [n, n])
    key = query.T
    return F.where(query < key, Tensor.full([n, n], float("-inf")), Tensor.full([n, n], 0.0))
""",
}


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(LESSON)


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_right_spelling_passes(examiner: Examiner, name: str) -> None:
    told = examiner.verdict(IMPORTS + SPELLINGS[name], "own.py")
    assert told.passed, told


@pytest.mark.parametrize("number", ["-1e10", "-5e3", "-65504.0", "-1e30"])
def test_any_large_negative_number_is_told_for_what_it_is(examiner: Examiner, number: str) -> None:
    told = examiner.verdict(LESSON.solution.replace('float("-inf")', number), "own.py")
    assert not told.passed and "only nearly forbids" in " ".join((told.why, *told.details)), told


WRONG_BANDS = {
    "F.band_part(full, -1, 0)": "The wrong part was cut out",
    "F.band_part(full, 0, -1)": "A token may not look at itself",
    "F.band_part(full, -1, 1, exclude=True)": "One later token is visible",
    "F.band_part(full, 0, -1, exclude=True)": "The mask is flipped",
}


@pytest.mark.parametrize("band", WRONG_BANDS)
def test_a_wrong_band_is_named_though_it_is_spelled_in_another_way(examiner: Examiner, band: str) -> None:
    start = 'def causal_mask(positions):\n    full = Tensor.full([positions.shape[0]] * 2, float("-inf"))\n'
    told = examiner.verdict(f"{IMPORTS}{start}    return {band}\n", "own.py")
    assert not told.passed and told.why.startswith(WRONG_BANDS[band]), told


@pytest.mark.parametrize("number", ["-1e9", "-1e4", "-3.4028234663852886e38"])
def test_the_numbers_that_people_use_for_minus_infinity_are_named(examiner: Examiner, number: str) -> None:
    told = examiner.verdict(LESSON.solution.replace('float("-inf")', number), "own.py")
    assert not told.passed and told.why == NEARLY, told
