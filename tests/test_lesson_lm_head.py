"""Claims about lesson 11: whoever scores every token at every position passes, in whichever spelling."""

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lessons.lm_head import LESSON

pytestmark = pytest.mark.slow

HEAD = """
from max.experimental import functional as F
from max.experimental import nn
from max.experimental.nn import Module
from max.experimental.tensor import Tensor

class LMHead(Module):
    def __init__(self, config):
        self.weight = Tensor.zeros([config.vocab_size, config.n_embd])

    def forward(self, x):
        return WHAT
"""
MAX_LINEAR = """
from max.experimental.nn import Linear, Module

class LMHead(Module):
    def __init__(self, config):
        self.scores = Linear(config.n_embd, config.vocab_size, bias=False)

    def forward(self, x):
        return self.scores(x)
"""
SPELLINGS = {
    "without a case for one row": HEAD.replace("WHAT", "x @ self.weight.T"),
    "matmul": HEAD.replace("WHAT", "F.matmul(x, F.transpose(self.weight, 0, 1))"),
    "permute": HEAD.replace("WHAT", "x @ self.weight.permute([1, 0])"),
    "the other way round": HEAD.replace("WHAT", "(self.weight @ x.T).T"),
    "product and sum": HEAD.replace("WHAT", "F.squeeze(F.sum(F.unsqueeze(x, 1) * self.weight, axis=-1), -1)"),
    "halves of the width": HEAD.replace("WHAT", "x[:, :4] @ self.weight[:, :4].T + x[:, 4:] @ self.weight[:, 4:].T"),
    "row by row": HEAD.replace("WHAT", "F.concat([x[i : i + 1] @ self.weight.T for i in range(int(x.shape[0]))])"),
    "a batch of one": HEAD.replace("WHAT", "F.squeeze(F.unsqueeze(x, 0) @ F.unsqueeze(self.weight.T, 0), 0)"),
    "a name of one's own": HEAD.replace("WHAT", "x @ self.wte.T").replace("self.weight", "self.wte"),
    "MAX's own Linear": MAX_LINEAR,
}


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(LESSON)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_right_head_passes_in_any_spelling(examiner: Examiner, spelling: str) -> None:
    told = examiner.verdict(SPELLINGS[spelling], "own.py")
    assert told.passed, told


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("F.softmax(x @ self.weight.T, axis=-1)", "Softmax was applied inside the model"),
        ("F.logsoftmax(x @ self.weight.T)", "logarithms of probabilities"),
        ("F.matmul(x, self.weight.T)[-1]", "Only the last position was scored"),
        ("self.weight @ x.permute([1, 0])", "Rows and columns are swapped"),
    ],
)
def test_a_mistake_is_named_in_another_spelling(examiner: Examiner, what: str, why: str) -> None:
    told = examiner.verdict(HEAD.replace("WHAT", what), "own.py")
    assert not told.passed and why in told.why, told


def test_a_bias_under_another_name_is_refused(examiner: Examiner) -> None:
    told = examiner.verdict(MAX_LINEAR.replace(", bias=False", ""), "own.py")
    assert not told.passed and "has the shape [13]; the component has weight [13, 8]" in told.says
