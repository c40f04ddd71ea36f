"""Claims about the verdict on a reader's source: one clear sentence and its line, whatever the source is."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from max.experimental import functional
from max.experimental.tensor import Tensor

from gpt2.learn import spellings
from gpt2.learn.child import Examiner
from tests.test_checker import LESSON, RETURN, SOLUTION, at_return, line_of

pytestmark = pytest.mark.slow

IN_INIT = "        self.epsilon = config.layer_norm_epsilon\n"
VALUE = "normalized * self.weight + self.bias"
FLOATS = SOLUTION.replace("from max.exp", "from max.dtype import DType\nfrom max.exp", 1)


def in_init(code: str) -> str:
    """The solution with a line more in `__init__`."""
    return SOLUTION.replace(IN_INIT, f"{IN_INIT}        {code}\n")


def as_type(name: str) -> str:
    """The solution with an output of another type."""
    return FLOATS.replace(RETURN, f"        return ({VALUE}).cast(DType.{name})\n")


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(LESSON)


REFUSED = {
    "a syntax error": (SOLUTION.replace("return normalized", "retrun normalized"), "retrun", "Python cannot read this"),
    "a null byte": ("x = 1\0", "", "null bytes"),
    "an error in __init__": (in_init("raise ValueError('mine')"), "raise ValueError", "stopped with ValueError: mine"),
    "an error in forward": (at_return("raise ValueError('mine')"), "raise ValueError", "stopped with ValueError: mine"),
    "an error without words": (
        "class Mine(Exception):\n    def __str__(self): return 1\nraise Mine\n",
        "raise Mine",
        "Mine",
    ),
    "an end of the program": (SOLUTION + "\nraise SystemExit\n", "raise SystemExit", "ends the program itself"),
    "an interrupt of its own": (
        SOLUTION + "\nraise KeyboardInterrupt\n",
        "raise Keyb",
        "stopped with KeyboardInterrupt",
    ),
    "a call without end": (SOLUTION + "\ndef f(): f()\nf()\n", "f(): f()", "calls itself without end"),
    "item of an input": (at_return("return x[0, 0].item() * x"), "return x[0", "Keep it a tensor"),
    "item of a weight": (at_return("return self.weight.item() * x"), "return self.weight.item", "Keep it a tensor"),
    "an if on a tensor": (at_return("if x[0, 0] > 0:", "    return x", "return x"), "if x[0", "F.where"),
    "float64": (as_type("float64"), "return (", "output is float64; it should be float32"),
    "bfloat16": (as_type("bfloat16"), "return (", "output is bfloat16; it should be float32"),
    "another shape": (at_return(f"return ({VALUE}).T"), "return (", "has the shape [12, 7]; it should be [7, 12]"),
    "another shape, made before it is returned": (
        at_return("print(x)", f"turned = ({VALUE}).T", "return turned"),
        "turned = (",
        "has the shape [12, 7]; it should be [7, 12]",
    ),
    "another shape, made by a function of the reader's": (
        at_return(f"return turned({VALUE})") + "\n\ndef turned(x):\n    return x.T\n",
        "return x.T",
        "has the shape [12, 7]; it should be [7, 12]",
    ),
    "nothing": (at_return(VALUE), "", "It gives nothing (is a return missing?) where it should give one tensor"),
    "NumPy": (
        at_return("import numpy", "return numpy.zeros((7, 12))"),
        "",
        "a NumPy array where it should give one tensor",
    ),
    "two tensors": (at_return("return x, x"), "", "a tuple where it should give one tensor"),
    "a tensor in a tuple": (at_return(f"return ({VALUE},)"), "", "a tuple where it should give one tensor"),
    "a dictionary": (at_return(f"return {{'y': {VALUE}}}"), "", "a dictionary where it should give one tensor"),
    "a bias that nothing fills": (
        in_init("self.more = Tensor.zeros([3])"),
        "",
        "parameter more has the shape [3]; the component has weight",
    ),
    "a parameter of another shape": (
        SOLUTION.replace("ones([config.n_embd])", "ones([2, config.n_embd])"),
        "",
        "parameter weight has the shape [2, 12]",
    ),
    "an empty file": ("", "", "defines no LayerNorm"),
    "another name": (SOLUTION.replace("class LayerNorm", "class Norm"), "", "defines no LayerNorm"),
    "no class": ("LayerNorm = 3\n", "", "not callable"),
    "no forward": (SOLUTION.replace("def forward", "def forwards"), "", "LayerNorm has no method forward"),
    "too few arguments": (SOLUTION.replace("GPT2Config, name: str", "GPT2Config"), "", "positional arguments"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_goes_wrong_is_told_in_a_sentence_with_its_line(examiner: Examiner, case: str) -> None:
    source, at, words = REFUSED[case]
    told = examiner.verdict(source, "own.py")
    assert not told.passed and words in told.says and len(told.says.splitlines()) == 1, told
    assert told.line == (line_of(source, at) if at else None)
    assert not at or f"Line {told.line}" in told.says


# What readers write as in PyTorch or NumPy, the words that help, and MAX's own spelling of the same.
SPELLINGS = {
    "x.mean(dim=-1)": ("MAX calls it axis", "x.mean(axis=-1)"),
    "F.softmax(x, dim=-1)": ("MAX calls it axis", "F.softmax(x, axis=-1)"),
    "F.unsqueeze(x, dim=0)": ("MAX calls dim axis", "F.unsqueeze(x, axis=0)"),
    "x.mean(-1, keepdim=True)": ("always keeps the axis", "F.squeeze(x.mean(-1), -1)"),
    "F.mean(x, -1, keepdims=True)": ("always keeps the axis", "F.mean(x, -1)"),
    "x.sum([0, 1])": ("one axis at a time", "x.sum(0).sum(1)"),
    "x.var(-1)": ("mean of the squared distances", "F.mean(x * x, axis=-1)"),
    "F.std(x)": ("F.sqrt of the variance", "F.sqrt(x)"),
    "x.softmax(-1)": ("it is a function: F.softmax(x)", "F.softmax(x)"),
    "x.view(-1, 2)": ("x.reshape([2, 3])", "x.reshape([-1, 2])"),
    "x.reshape(-1, 2)": ("as one list", "x.reshape([-1, 2])"),
    "x.reshape(-1)": ("as one list", "x.reshape([-1])"),
    "x.permute(1, 0)": ("as one list", "x.permute([1, 0])"),
    "x.t()": ("x.T, without brackets", "x.T"),
    "x.mT": ("x.transpose(-2, -1)", "x.transpose(-2, -1)"),
    "x.masked_fill(x > 0, 1.0)": ("F.where(mask, value, x)", "F.where(x > 0, 1.0, x)"),
    "x.masked_fill_(x > 0, 1.0)": ("F.where(mask, value, x)", "F.where(x > 0, 1.0, x)"),
    "F.cat([x, x], dim=-1)": ("F.concat([x, y], axis=-1)", "F.concat([x, x], axis=-1)"),
    "x.float()": ("x.cast(DType.float32)", "x.cast(DType.float32)"),
    "x.to(DType.float32)": ("x.cast(DType.float32)", "x.cast(DType.float32)"),
    "x.cast('float32')": ("x.cast(DType.float32)", "x.cast(DType.float32)"),
    "x.size(-1)": ("x.shape[0]", "x * int(x.shape[0]) * x.rank"),
    "x.shape()": ("x.shape[0]", "x * int(x.shape[0])"),
    "len(x) * x": ("x.shape[0]", "int(x.shape[0]) * x"),
    "x / x.shape[-1]": ("int(x.shape[0])", "x / int(x.shape[-1])"),
    "x / math.sqrt(x.shape[-1])": ("int(x.shape[0])", "x / math.sqrt(int(x.shape[-1]))"),
    "x.expand(2, -1, -1)": ("F.broadcast_to", "F.broadcast_to(x, [2, *x.shape])"),
    "x.repeat(2, 1)": ("F.tile(x, [2, 1])", "F.tile(x, [2, 1])"),
    "F.maximum(x, x)": ("F.max(x, y)", "F.max(x, x)"),
    "F.minimum(x, x)": ("F.min(x, y)", "F.min(x, x)"),
    "F.power(x, 2)": ("F.pow(x, 2), or x ** 2", "F.pow(x, 2) + x ** 2"),
    "F.clamp(x, min=0)": ("lower_bound and upper_bound", "F.clamp(x, lower_bound=0, upper_bound=1)"),
    "F.arange(7)": ("F.arange(0, 7)", "F.arange(0, 7)"),
    "F.expand_dims(x, 0)": ("F.unsqueeze(x, axis)", "F.unsqueeze(x, 0)"),
    "F.log_softmax(x)": ("F.logsoftmax(x, axis=-1)", "F.logsoftmax(x, axis=-1)"),
    "F.topk(x, 3)": ("F.top_k(x, k)", "F.top_k(x, 3)[0]"),
    "F.tril(x)": ("F.band_part(x, -1, 0)", "F.band_part(x, -1, 0)"),
    "F.triu(x)": ("F.band_part(x, 0, -1)", "F.band_part(x, 0, -1)"),
    "F.tensor(1.0)": ("F.constant", "F.constant(1.0, DType.float32, x.device)"),
    "F.linear(x, x)": ("x @ weight.T + bias", "x @ x.T"),
    "F.embedding(x, x)": ("F.gather(table, ids, axis=0)", "F.gather(x, F.arange(0, 1, dtype=DType.int64), axis=0)"),
    "x.ravel()": ("F.flatten(x)", "F.flatten(x)"),
    "F.gelu(x, approximate='new')": ("'none', 'tanh' and 'quick'", "F.gelu(F.gelu(x, 'none'), 'quick')"),
    "np.sqrt(x)": ("functions in F", "F.sqrt(x)"),
    "np.mean(x, axis=-1)": ("functions in F", "F.mean(x, axis=-1)"),
    "np.concatenate([x, x])": ("functions in F", "F.concat([x, x])"),
    "np.tril(np.ones((7, 7))) @ x": ("functions in F", "F.band_part(x, -1, 0)"),
    "numpy.sqrt(x)": ("functions are in F", "F.sqrt(x)"),
    "math.sqrt(x)": ("functions in F", "F.sqrt(x)"),
    "torch.softmax(x, dim=-1)": ("functions in F", "F.softmax(x)"),
    "torch.cat([x, x])": ("functions in F", "F.concat([x, x])"),
    "torch.mean(x, dim=-1)": ("functions in F", "F.mean(x, axis=-1)"),
    "x.contiguous()": ("leave it out", "x"),
    "F.dropout(x)": ("leave dropout out", "x"),
    "self.register_buffer('weight', x)": ("self.weight = Tensor.ones", ""),
    "nn.Parameter(x)": ("self.weight = Tensor.ones", ""),
}
IMPORTS = (
    "import math\nimport numpy as np\nimport torch\nfrom max.dtype import DType\nfrom max.experimental import nn\n"
)


def computed(expression: str) -> str:
    """The solution whose `forward` returns this expression."""
    return IMPORTS + at_return(f"return {expression}")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_spelling_of_another_library_is_told_with_maxs_own(examiner: Examiner, spelling: str) -> None:
    words, own = SPELLINGS[spelling]
    source = computed(spelling)
    told = examiner.verdict(source, "own.py")
    assert told.line == line_of(source, f"return {spelling}") and len(told.says.splitlines()) == 1
    assert words in told.says.partition(". ")[2], told.says
    if own:
        said = examiner.verdict(computed(own), "own.py").says
        assert "wrong" in said or "has the shape" in said, said  # it runs: only the numbers are not a norm's


def test_every_name_that_max_is_said_to_have_is_there() -> None:
    names = [*spellings.NAMES.values(), *spellings.KEYWORDS.values(), *(told for _, told in spellings.SAID)]
    functions, methods = re.findall(r"\bF\.(\w+)", " ".join(names)), re.findall(r"\bx\.(\w+)", " ".join(names))
    assert len(functions) > 10 and len(methods) > 10
    assert [name for name in functions if not hasattr(functional, name)] == []
    assert [name for name in methods if not hasattr(Tensor, name)] == []
    assert [name for name in spellings.NAMES if hasattr(functional, name)] == []
    assert [name for name in spellings.FUNCTIONS if name not in vars(functional) or hasattr(Tensor, name)] == []


@pytest.mark.parametrize(
    "code",
    ["{}['dim']", "int('x')", "''.size()", "GPT2Config.view", "numpy.stack([numpy.ones(2), numpy.ones(3)])"],
)
def test_errors_that_have_nothing_to_do_with_spelling_are_told_as_they_are(examiner: Examiner, code: str) -> None:
    told = examiner.verdict(at_return("import numpy", code, f"return {VALUE}"), "own.py")
    assert "stopped with" in told.says and "MAX" not in told.says and "F." not in told.says


def test_an_untouched_skeleton_names_its_blanks(examiner: Examiner) -> None:
    told = examiner.verdict(LESSON.skeleton, "own.py")
    assert not told.passed and "still have `...`: put code there" in told.says
    assert told.line == line_of(LESSON.skeleton, "centred = ...")


ACCEPTED = {
    "a mask made in __init__": in_init("self.mask = F.band_part(Tensor.ones([6, 6]), -1, 0)"),
    "a number made in __init__": in_init("self.zero = Tensor.zeros([])").replace(
        "variance +", "variance + self.zero +"
    ),
    "a gain and a shift of other names": SOLUTION.replace("self.weight", "self.gain").replace(
        "self.bias", "self.shift"
    ),
    "printed tensors": at_return("print(x, self.weight)", f"return {VALUE}"),
    "another folder to work in": SOLUTION + "\nimport os\nos.chdir(os.getcwd())\n",
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_is_right_passes_however_it_is_made(examiner: Examiner, case: str) -> None:
    told = examiner.verdict(ACCEPTED[case], "own.py")
    assert told.passed, told


def test_a_reader_may_import_their_own_earlier_parts(examiner: Examiner, tmp_path: Path) -> None:
    (tmp_path / "earlier_norm.py").write_text(SOLUTION)
    path = str(tmp_path / "own.py")
    assert examiner.verdict("from earlier_norm import LayerNorm\n", path).passed
    told = examiner.verdict("\nfrom earlier_norm import Layernorm\n", path)
    assert told.line == 2 and "cannot import name 'Layernorm'" in told.says


def test_what_a_file_patches_does_not_make_a_wrong_answer_right(examiner: Examiner) -> None:
    """Against accidents: code that wants to deceive a checker on its own machine can."""
    wrong = at_return("return normalized")
    patches = (
        "import numpy as np\nnp.all = lambda *a, **k: True\nnp.abs = lambda x: x * 0\n",
        "from gpt2.learn import verdict, child\nverdict.equal = child.all_equal = lambda *a: True\n",
    )
    for patch in patches:
        told = examiner.verdict(f"{wrong}\n{patch}", "own.py")
        assert not told.passed and told.why.startswith("Gain and shift are missing"), told
    assert examiner.verdict(SOLUTION, "own.py").passed


def test_wrong_variants_are_run_only_until_one_explains_the_answer() -> None:
    own = Examiner(LESSON)
    n = len(list(LESSON.variants()))
    assert own.verdict(SOLUTION, "own.py").passed
    assert "not defined" in own.verdict(f"{SOLUTION}\nunknown\n", "own.py").says
    assert len(own._left) == n
    text, why = list(LESSON.variants())[2]
    assert own.verdict(text, "own.py").why == why
    assert len(own._left) == n - 3
    asked = iter([True, True, False])
    own.prepare(lambda: next(asked))
    assert len(own._left) == n - 5


@settings(max_examples=300)
@given(st.text() | st.from_regex(r"(class|def) LayerNorm(\(.{0,9}\))?: ?(\.\.\.|pass|return .{0,9})\n", fullmatch=True))
def test_no_text_is_too_strange_for_a_verdict(examiner: Examiner, text: str) -> None:
    told = examiner.verdict(text, "own.py")
    assert not told.passed and told.says
