"""Claims about lesson 1: whoever reads and derives the right numbers passes, in whichever spelling."""

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lessons.configuration import BLOCK, EPSILON, FILE_SIZES, LESSON, TABLES

pytestmark = pytest.mark.slow

OWN = """
from dataclasses import dataclass

@dataclass(frozen=True)
class GPT2Config:
    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int = 3072
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = True

    def __post_init__(self):
        for size in (self.vocab_size, self.n_positions, self.n_embd, self.n_layer, self.n_head, self.n_inner):
            if type(size) is not int or size <= 0:
                raise ValueError("a size is not right")
        if self.n_embd != self.n_head * (self.n_embd // self.n_head) or self.layer_norm_epsilon <= 0:
            raise ValueError("not even")

    @property
    def d_head(self):
        return int(self.n_embd / self.n_head)

    @property
    def n_params(self):
        def linear(n_in, n_out):
            return n_in * n_out + n_out
        e, inner = self.n_embd, self.n_inner
        block = linear(e, 3 * e) + linear(e, e) + linear(e, inner) + linear(inner, e) + 4 * e
        head = 0 if self.tie_word_embeddings else self.vocab_size * e
        return self.vocab_size * e + self.n_positions * e + self.n_layer * block + 2 * e + head

    @classmethod
    def from_hugging_face(cls, values):
        if values.get("activation_function", "gelu_new") != "gelu_new":
            raise ValueError("another activation")
        inner = values.get("n_inner") or values["n_embd"] * 4
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values and name != "n_inner"}
        return cls(**known, n_inner=inner)
"""
NAMED_TUPLE = (
    OWN.replace("from dataclasses import dataclass", "from typing import NamedTuple")
    .replace("@dataclass(frozen=True)\nclass GPT2Config:", "class Sizes(NamedTuple):")
    .replace("    def __post_init__(self):", "class GPT2Config(Sizes):\n    def check(self):")
    .replace(
        "return cls(**known, n_inner=inner)",
        "made = cls(**known, n_inner=inner)\n        made.check()\n        return made",
    )
    .replace("cls.__dataclass_fields__", "cls._fields")
)


def other(right: str, own: str) -> str:
    """The solution with another spelling in one place."""
    assert right in LESSON.solution
    return LESSON.solution.replace(right, own)


SPELLINGS = {
    "all of one's own, with defaults": OWN,
    "a named tuple": NAMED_TUPLE,
    "divmod": other("self.n_embd // self.n_head", "divmod(self.n_embd, self.n_head)[0]"),
    "int of a quotient": other("self.n_embd // self.n_head", "int(self.n_embd / self.n_head)"),
    "a remainder by hand": other("self.n_embd % self.n_head", "self.n_embd - self.n_embd // self.n_head * self.n_head"),
    "terms in another order": other(
        BLOCK, "self.n_inner * (2 * self.n_embd + 1) + self.n_embd * (4 * self.n_embd + 9)"
    ),
    "a truth value as a number": other(TABLES, "self.vocab_size * (2 - self.tie_word_embeddings) + self.n_positions"),
    "the width twice doubled": other('4 * sizes["n_embd"]', 'sizes["n_embd"] * 2 * 2'),
    "an or": other(EPSILON, 'values.get("layer_norm_epsilon", 0.00001)'),
    "a loop": other(FILE_SIZES, "dict((name, values[name] if name in values else None) for name in cls.SIZES)"),
}


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(LESSON)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_right_configuration_passes_in_any_spelling(examiner: Examiner, spelling: str) -> None:
    told = examiner.verdict(SPELLINGS[spelling], "own.py")
    assert told.passed, told


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("int(self.n_embd / self.n_head)", "self.n_embd / self.n_head", "Use `//`"),
        ("int(self.n_embd / self.n_head)", "None", "d_head is None, where a number is due"),
        ('values["n_embd"] * 4', 'values["n_embd"]', "as narrow as the stream"),
        ('values["n_embd"] * 4', "3072", "right for GPT-2 small alone"),
        ("= 1e-5", "= 1e-6", "For layer_norm_epsilon of six config.json files"),
        ("self.n_positions * e +", "", "For n_params of six config.json files"),
    ],
)
def test_a_mistake_is_told_in_another_spelling(examiner: Examiner, right: str, wrong: str, words: str) -> None:
    assert right in OWN
    told = examiner.verdict(OWN.replace(right, wrong), "own.py")
    assert not told.passed and words in f"{told.says} {told.why}", told
