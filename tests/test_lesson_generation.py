"""Claims about lesson 12: whoever shares out, cuts and draws rightly passes, in whichever spelling."""

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lessons.generation import DRAWN, EXPONENTIALS, KEPT, LESSON, TOP_K, TOP_P, WARM
from gpt2.learn.verdict import Verdict

pytestmark = pytest.mark.slow


def other(*pairs: tuple[str, str]) -> str:
    """The solution with other spellings in some places."""
    source = LESSON.solution
    for right, own in pairs:
        assert source.count(right) == 1, right
        source = source.replace(right, own)
    return source


OWN = """
from collections import namedtuple
from dataclasses import dataclass
import numpy as np

Choice = namedtuple("Choice", "token")

@dataclass
class Sampling:
    temperature: float = 1
    top_k: int = 0
    top_p: float = 1
    seed: int = 0

def softmax(row):
    e = np.exp(np.float64(row) - max(row))
    return e / sum(e)

def temper(row, t):
    if not t:
        return np.eye(len(row))[int(np.argmax(row))]
    return softmax(np.float64(row) / t)

def cut_top_k(p, order, k):
    kept = np.isin(np.arange(len(p)), order[: k or len(p)]) * p
    return kept / np.sum(kept)

def cut_top_p(p, order, limit):
    kept, total = np.zeros(len(p)), 0.0
    for token in order:
        kept[token] = p[token]
        total += p[token]
        if limit < 1 and total >= limit:
            break
    return kept / kept.sum()

def draw(row, sampling, position):
    u = np.random.default_rng([sampling.seed, position]).random()
    order = sorted(range(len(row)), key=lambda token: -row[token])
    p = cut_top_p(cut_top_k(temper(row, sampling.temperature), order, sampling.top_k), order, sampling.top_p)
    for token in order:
        u -= p[token]
        if u < 0:
            return Choice(token)
    return Choice(order[0])
"""
SPELLINGS = {
    "all of one's own": OWN,
    "a power of e": other((EXPONENTIALS, "np.e ** (shifted - max(shifted))")),
    "the mean taken off": other(
        (EXPONENTIALS, "np.exp(shifted - np.log(np.exp(shifted - shifted.max()).mean()) - shifted.max())")
    ),
    "logsumexp": other((EXPONENTIALS, "np.exp(shifted - np.logaddexp.reduce(shifted))")),
    "a softmax by hand": other(
        (WARM, "np.exp(np.float64(logits) / temperature - np.logaddexp.reduce(np.float64(logits) / temperature))")
    ),
    "a reciprocal": other((WARM, "softmax((np.float64(logits) - max(logits)) * (1 / temperature))")),
    "powers of probabilities": other(
        (WARM, "(lambda p: p / p.sum())(np.exp((np.float64(logits) - max(logits))) ** (1 / temperature))")
    ),
    "k or all": other((TOP_K, "order[:top_k] if top_k > 0 else np.arange(len(probabilities))")),
    "a mask of what comes before": other(
        (TOP_P, "order[np.cumsum(probabilities[order]) - probabilities[order] < top_p]")
    ),
    "counting": other((DRAWN, "sum(np.cumsum(final[order]) <= u)")),
    "a norm": other((KEPT, "kept / np.linalg.norm(kept, 1)")),
}


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(LESSON)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_right_choice_passes_in_any_spelling(examiner: Examiner, spelling: str) -> None:
    told = examiner.verdict(SPELLINGS[spelling], "own.py")
    assert told.passed, told


def of_own(examiner: Examiner, right: str, wrong: str) -> Verdict:
    assert OWN.count(right) == 1
    return examiner.verdict(OWN.replace(right, wrong), "own.py")


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("row) / t)", "row) * t)", "multiplied by the temperature"),
        ("softmax(np.float64(row) / t)", "softmax(row) / t", "no longer sum to 1"),
        ("if not t:", "if t is None:", "For temperature 0"),
        ("if u < 0:", "if True:", "The most likely token was always taken"),
        ("order[: k or len(p)]", "order[-k:]", "For top-k"),
        ("return kept / kept.sum()", "return kept", "top-p"),
        ("np.float64(row) - max", "np.float32(row) - np.float32(0) * max", "softmax of three rows"),
        ("return Choice(token)", "return token", "64 tokens drawn"),
    ],
)
def test_a_mistake_is_told_in_another_spelling(examiner: Examiner, right: str, wrong: str, words: str) -> None:
    told = of_own(examiner, right, wrong)
    assert not told.passed and words in f"{told.says} {told.why} {told.details}", told
