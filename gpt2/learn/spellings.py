"""What MAX calls what a reader has written as in PyTorch or NumPy: one sentence beside the error that it made."""

import re

AXIS = "MAX calls it axis."
KEPT = "MAX always keeps the axis, with size 1; F.squeeze(x, axis) takes it away."
IN_A_LIST = "MAX takes sizes and axes as one list: x.reshape([2, 3]), x.permute([1, 0]), Tensor.zeros([2, 3])."
LEAVE_OUT = "MAX needs nothing of the kind; leave it out."
CAST = "In MAX: x.cast(DType.float32), with DType from max.dtype."
OTHERS = "Only the functions in F, such as F.sqrt, take MAX's tensors: not those of NumPy, math or torch."
SIZE = "In MAX: x.shape[0] for a size, and x.rank for the number of axes."
DIM = "MAX's sizes are not yet numbers; int(x.shape[0]) makes a number of one."
OWN = "In MAX a tensor becomes a parameter when it is set: self.weight = Tensor.ones([3])."

KEYWORDS = {"dim": AXIS, "keepdim": KEPT, "keepdims": KEPT} | dict.fromkeys(
    ("min", "max"), "MAX calls them lower_bound and upper_bound."
)
NAMES = {
    "astype": CAST,
    "bmm": "In MAX: x @ y, of any rank.",
    "cat": "In MAX: F.concat([x, y], axis=-1).",
    "clone": LEAVE_OUT,
    "concatenate": "In MAX: F.concat([x, y], axis=-1).",
    "contiguous": LEAVE_OUT,
    "cuda": LEAVE_OUT,
    "detach": LEAVE_OUT,
    "dim": SIZE,
    "dot": "In MAX: x @ y.",
    "dropout": "MAX runs models and does not train them: leave dropout out.",
    "Dropout": "MAX runs models and does not train them: leave dropout out.",
    "einsum": "MAX has none; x.permute brings the axes into place, and x @ y multiplies.",
    "embedding": "In MAX: F.gather(table, ids, axis=0).",
    "expand": "In MAX: F.broadcast_to(x, [2, 3]).",
    "expand_dims": "In MAX: F.unsqueeze(x, axis).",
    "float": CAST,
    "linear": "In MAX: x @ weight.T + bias.",
    "log_softmax": "In MAX: F.logsoftmax(x, axis=-1).",
    "masked_fill": "In MAX: F.where(mask, value, x).",
    "maximum": "In MAX: F.max(x, y).",
    "minimum": "In MAX: F.min(x, y).",
    "mm": "In MAX: x @ y.",
    "mT": "In MAX: x.transpose(-2, -1).",
    "ndim": SIZE,
    "numel": SIZE,
    "Parameter": OWN,
    "power": "In MAX: F.pow(x, 2), or x ** 2.",
    "ravel": "In MAX: F.flatten(x).",
    "register_buffer": OWN,
    "repeat": "In MAX: F.tile(x, [2, 1]).",
    "size": SIZE,
    "square": "In MAX: x * x.",
    "std": "MAX has none; it is F.sqrt of the variance, which is the mean of the squared distances from the mean.",
    "swapaxes": "In MAX: x.transpose(0, 1).",
    "t": "In MAX: x.T, without brackets.",
    "tensor": "In MAX: F.constant(1.0, DType.float32, x.device), or Tensor([1.0]).",
    "topk": "In MAX: F.top_k(x, k).",
    "tril": "In MAX: F.band_part(x, -1, 0).",
    "triu": "In MAX: F.band_part(x, 0, -1).",
    "type": CAST,
    "type_as": CAST,
    "var": "MAX has none; a variance is the mean of the squared distances from the mean.",
    "view": "In MAX: x.reshape([2, 3]).",
}
# What PyTorch's tensors have as methods and MAX as functions in F alone.
FUNCTIONS = frozenset(
    (
        *("abs", "add", "chunk", "clamp", "cos", "cumsum", "div", "erf", "exp", "flatten", "floor", "gather", "log"),
        *("gelu", "matmul", "mul", "negate", "outer", "pow", "relu", "round", "rsqrt", "sigmoid", "sin", "softmax"),
        *("sqrt", "sub", "tanh", "tile", "trunc", "where"),
    )
)
# Part of what Python, MAX, NumPy or PyTorch says of a call, and what helps there; the first that fits is taken.
SAID = (
    (r"loop of ufunc|gufunc|zero-dimensional arrays cannot|array element with a sequence|einstein sum", OTHERS),
    (
        r"must be real number, not Tensor|must be Tensor, not Tensor|but got Tensor|got \(Tensor\b|, not 'Tensor'",
        OTHERS,
    ),
    (
        r"name '(?:np|numpy|torch)' is not defined",
        "For tensors MAX's own functions are in F, such as F.sqrt; for plain numbers, import it first.",
    ),
    (r"No module named 'torch'", "A lesson is written in MAX, whose operations are in F."),
    (r"missing a required argument: 'axis'", "MAX calls dim axis."),
    (r"takes from 1 to 2 positional arguments but 3", KEPT),
    (r"\b(?:reshape|permute|broadcast_to|tile|ones|zeros)\(\) takes \d positional arguments", IN_A_LIST),
    (r"range\(\) missing 1 required", "In MAX: F.arange(0, 7)."),
    (r"'Shape' object is not callable|type 'Tensor' has no len", SIZE),
    (r"'TensorType' object is not callable|to\(\) expects Device.* got DType", CAST),
    (r"'Tensor' object is not callable", "In MAX x.T has no brackets."),
    (r"Unsafe cast from si64|convert to int with int\(dim\)|'StaticDim' and", DIM),
    (r"^Cast does not fit", CAST),
    (r"Invalid approximation method", "MAX knows the methods 'none', 'tanh' and 'quick'."),
)
SAID_BY_MAX = (
    (r"'int' object is not iterable", IN_A_LIST),
    (r"'<' not supported between instances of '(?:list|tuple)' and 'int'", "MAX takes one axis at a time."),
)
ASKED_FOR = re.compile(
    r"(?:'Tensor' object|type object 'Tensor'|module 'max\.experimental\.\w+') has no attribute '(\w+?)_?'"
    r"|has no attribute '(register_buffer)'"
)


def in_max(said: str, arose_in: str) -> str:
    """The sentence that belongs to what an error says, or an empty one; it arose in this file of Python's."""
    if "/numpy/" in arose_in and re.search("Tensor|DType|Dim", said):
        return OTHERS
    if keyword := re.search(r"unexpected keyword argument '(\w+)'", said):
        return KEYWORDS.get(keyword[1], "")
    if asked := ASKED_FOR.search(said):
        name = asked[1] or asked[2]
        return NAMES.get(name) or (f"In MAX it is a function: F.{name}(x)." if name in FUNCTIONS else "")
    if "/max/" in arose_in and (told := next((told for part, told in SAID_BY_MAX if re.search(part, said)), "")):
        return told
    return next((told for part, told in SAID if re.search(part, said)), "")
