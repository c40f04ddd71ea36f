"""Claims about lesson 4: every right way to write the MLP passes, and like forms of GELU are told apart."""

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lessons.mlp import COMPUTED_WIDTH, LESSON

pytestmark = pytest.mark.slow

IMPORTS = """
import math
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.nn import Module
from max.experimental.tensor import Tensor
from gpt2.model.linear import Linear

"""

TWO_LINEARS = """
class MLP(Module):
    def __init__(self, config, name):
        self.up = Linear(config.n_embd, config.n_inner)
        self.down = Linear(config.n_inner, config.n_embd)

    def forward(self, x):
        return self.down(bend(self.up(x)))
"""

BENDS = {
    "MAX's own": 'F.gelu(u, approximate="tanh")',
    "the formula": "0.5 * u * (1.0 + F.tanh(math.sqrt(2.0 / math.pi) * (u + 0.044715 * u**3)))",
    "products for the cube": "0.5 * u * (1 + F.tanh((2 / math.pi) ** 0.5 * (u + 0.044715 * u * u * u)))",
    "the bracket taken apart": "u / 2 * (F.tanh(0.7978845608 * u * (1 + 0.044715 * u * u)) + 1)",
    "a sigmoid of twice the bracket": "u * F.sigmoid(1.5957691216 * (u + 0.044715 * u**3))",
    "exponentials": "u - u / (F.exp(1.5957691216 * (u + 0.044715 * u**3)) + 1.0)",
}

SPELLINGS = {
    "parts of other names, in another order": """
class MLP(Module):
    def __init__(self, config, name):
        self.narrow = Linear(config.n_inner, config.n_embd)
        self.widen = Linear(config.n_embd, config.n_inner)

    def forward(self, tokens):
        wide = F.gelu(self.widen(tokens), approximate="tanh")
        return self.narrow(wide)
""",
    "matrices of its own": """
class MLP(Module):
    def __init__(self, config, name):
        self.w_in = Tensor.zeros([config.n_inner, config.n_embd])
        self.b_in = Tensor.zeros([config.n_inner])
        self.w_out = Tensor.zeros([config.n_embd, config.n_inner])
        self.b_out = Tensor.zeros([config.n_embd])

    def forward(self, x):
        middle = F.gelu(F.matmul(x, self.w_in.T) + self.b_in, approximate="tanh")
        return F.matmul(middle, self.w_out.transpose(0, 1)) + self.b_out
""",
    "the matrix first": """
class MLP(Module):
    def __init__(self, config, name):
        self.c_fc = Linear(config.n_embd, config.n_inner)
        self.c_proj = Linear(config.n_inner, config.n_embd)

    def forward(self, x):
        columns = (self.c_fc.weight @ x.T).T + self.c_fc.bias
        columns = F.gelu(columns, approximate="tanh")
        return (self.c_proj.weight @ columns.T).T + self.c_proj.bias
""",
    "a class for each step": """
class Widen(Module):
    def __init__(self, n_in, n_out):
        self.matrix, self.offset = Tensor.zeros([n_out, n_in]), Tensor.zeros([n_out])

    def forward(self, x):
        return x @ self.matrix.permute([1, 0]) + self.offset


class MLP(Module):
    def __init__(self, config, name):
        self.first = Widen(config.n_embd, config.n_inner)
        self.second = Widen(config.n_inner, config.n_embd)

    def forward(self, x):
        return self.second(F.gelu(self.first(x), approximate="tanh"))
""",
    "neurons in two halves": """
class MLP(Module):
    def __init__(self, config, name):
        self.c_fc = Linear(config.n_embd, config.n_inner)
        self.c_proj = Linear(config.n_inner, config.n_embd)

    def forward(self, x):
        halves = F.chunk(F.gelu(self.c_fc(x), approximate="tanh"), 2, axis=1)
        readers = F.chunk(self.c_proj.weight, 2, axis=1)
        return halves[0] @ readers[0].T + halves[1] @ readers[1].T + self.c_proj.bias
""",
}


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(LESSON)


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_right_spelling_passes(examiner: Examiner, name: str) -> None:
    told = examiner.verdict(IMPORTS + SPELLINGS[name], "own.py")
    assert told.passed, told


@pytest.mark.parametrize("name", BENDS)
def test_another_right_spelling_of_gelu_passes(examiner: Examiner, name: str) -> None:
    told = examiner.verdict(f"{IMPORTS}\ndef bend(u):\n    return {BENDS[name]}\n\n{TWO_LINEARS}", "own.py")
    assert told.passed, told


WRONG_BENDS = {
    "F.relu(u)": "This is ReLU",
    "F.max(u, 0.0)": "This is ReLU",
    "0.5 * u * (1.0 + F.erf(u / math.sqrt(2.0)))": "This is the exact GELU",
    "u * F.sigmoid(1.702 * u)": "This is the quick GELU",
    "u": "There is no activation",
    "0.5 * u * (1 + F.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**2)))": "There is a slip",
    "0.5 * u * (1 + F.tanh(math.sqrt(2 / math.pi) * u + 0.044715 * u**3))": "There is a slip",
    "0.5 * u * (1 + F.tanh(2 / math.pi * (u + 0.044715 * u**3)))": "There is a slip",
}


@pytest.mark.parametrize("bend", WRONG_BENDS)
def test_a_wrong_bend_is_named_though_it_is_spelled_in_another_way(examiner: Examiner, bend: str) -> None:
    told = examiner.verdict(f"{IMPORTS}\ndef bend(u):\n    return {bend}\n\n{TWO_LINEARS}", "own.py")
    assert not told.passed and told.why.startswith(WRONG_BENDS[bend]), told


def test_a_width_of_four_times_is_refused_where_the_configuration_says_another(examiner: Examiner) -> None:
    source = LESSON.solution.replace("(config.n_embd, config.n_inner)", "(config.n_embd, config.n_embd * 4)")
    told = examiner.verdict(source, "own.py")
    assert not told.passed and told.why == COMPUTED_WIDTH, told


TURNED = """
class Turned(Module):
    def __init__(self, n_in, n_out):
        self.weight, self.bias = Tensor.zeros([n_in, n_out]), Tensor.zeros([n_out])

    def forward(self, x):
        return x @ self.weight + self.bias
"""


def test_matrices_that_are_the_other_way_round_are_named(examiner: Examiner) -> None:
    bend = 'def bend(u):\n    return F.gelu(u, approximate="tanh")\n'
    source = IMPORTS + TURNED + bend + TWO_LINEARS.replace("Linear(", "Turned(")
    told = examiner.verdict(source, "own.py")
    assert not told.passed and told.why.startswith("The matrices are the other way round"), told


def test_an_error_of_max_says_which_sizes_do_not_fit(examiner: Examiner) -> None:
    told = examiner.verdict(LESSON.solution.replace("self.c_proj(post)", "post @ self.c_proj.weight"), "own.py")
    assert not told.passed and told.line is not None and "[7, 48]" in told.says and "[12, 48]" in told.says, told
