"""Right ways to write a block, with other names, other parts, and other turns of phrase than the project's."""

IMPORTS = """
from max.experimental import functional as F
from max.experimental.nn import Module, ModuleList
from max.experimental.tensor import Tensor
from gpt2.model.attention import Attention
from gpt2.model.layer_norm import LayerNorm
from gpt2.model.linear import Linear
from gpt2.model.mlp import MLP

"""

USUAL_PARTS = """
class Block(Module):
    def __init__(self, config, layer):
        self.ln_1 = LayerNorm(config, f"blocks.{layer}.ln1")
        self.attn = Attention(config, f"blocks.{layer}.attn")
        self.ln_2 = LayerNorm(config, f"blocks.{layer}.ln2")
        self.mlp = MLP(config, f"blocks.{layer}.mlp")

    def forward(self, x, mask, past, changes):
"""


def with_body(*lines: str) -> str:
    """A block with the usual parts, and these lines in its `forward`."""
    return IMPORTS + USUAL_PARTS + "".join(f"        {line}\n" for line in lines)


OWN_NAMES = """
class Block(Module):
    def __init__(self, config, layer):
        self.norm_before_look = LayerNorm(config, "a")
        self.norm_before_think = LayerNorm(config, "b")
        self.look = Attention(config, "c")
        self.think = MLP(config, "d")

    def forward(self, stream, mask, past, changes):
        seen = self.look(self.norm_before_look(stream), mask, past, changes.z) + stream
        return self.think(self.norm_before_think(seen)) + seen
"""

MLP_FIRST = """
class Block(Module):
    def __init__(self, config, layer):
        self.feed_forward = MLP(config, "mlp")
        self.attention = Attention(config, "attn")
        self.norm1, self.norm2 = LayerNorm(config, "1"), LayerNorm(config, "2")

    def forward(self, x, mask, past, changes):
        h = x + self.attention(self.norm1(x), mask, past, changes.z)
        return h + self.feed_forward(self.norm2(h))
"""

OWN_NORM = """
class Norm(Module):
    def __init__(self, width, epsilon):
        self.gain, self.shift, self.epsilon = Tensor.ones([width]), Tensor.zeros([width]), epsilon

    def forward(self, x):
        return F.layer_norm(x, self.gain, self.shift, self.epsilon)


class Block(Module):
    def __init__(self, config, layer):
        self.norm1 = Norm(config.n_embd, config.layer_norm_epsilon)
        self.attn = Attention(config, "attn")
        self.norm2 = Norm(config.n_embd, config.layer_norm_epsilon)
        self.mlp = MLP(config, "mlp")

    def forward(self, x, mask, past, changes):
        x = x + self.attn(self.norm1(x), mask, past, changes.z)
        x = x + self.mlp(self.norm2(x))
        return x
"""

OWN_MLP = """
class Think(Module):
    def __init__(self, width, middle):
        self.w1, self.b1 = Tensor.zeros([middle, width]), Tensor.zeros([middle])
        self.w2, self.b2 = Tensor.zeros([width, middle]), Tensor.zeros([width])

    def forward(self, x):
        return F.gelu(x @ self.w1.T + self.b1, approximate="tanh") @ self.w2.T + self.b2


class Block(Module):
    def __init__(self, config, layer):
        self.n1, self.n2 = LayerNorm(config, "1"), LayerNorm(config, "2")
        self.a = Attention(config, "attn")
        self.t = Think(config.n_embd, config.n_inner)

    def forward(self, x, mask, past, changes):
        a = x + self.a(self.n1(x), mask, past, changes.z)
        return a + self.t(self.n2(a))
"""

OWN_ATTENTION = """
class Look(Module):
    def __init__(self, width, heads):
        self.heads, self.size = heads, width // heads
        self.qkv, self.out = Linear(width, 3 * width), Linear(width, width)

    def forward(self, x, mask):
        shape = [x.shape[0], self.heads, self.size]
        q, k, v = (part.reshape(shape).permute([1, 0, 2]) for part in F.chunk(self.qkv(x), 3, axis=1))
        shares = F.softmax(q @ k.permute([0, 2, 1]) * self.size**-0.5 + mask, axis=-1)
        return self.out((shares @ v).permute([1, 0, 2]).reshape([x.shape[0], self.heads * self.size]))


class Block(Module):
    def __init__(self, config, layer):
        self.look = Look(config.n_embd, config.n_head)
        self.mlp = MLP(config, "mlp")
        self.first, self.second = LayerNorm(config, "1"), LayerNorm(config, "2")

    def forward(self, x, mask, past, changes):
        x = x + self.look(self.first(x), mask)
        return x + self.mlp(self.second(x))
"""

LISTS = """
class Block(Module):
    def __init__(self, config, layer):
        self.norms = ModuleList([LayerNorm(config, "1"), LayerNorm(config, "2")])
        self.parts = ModuleList([Attention(config, "attn"), MLP(config, "mlp")])

    def forward(self, x, mask, past, changes):
        for norm, part, more in zip(self.norms, self.parts, [(mask, past, changes.z), ()]):
            x = x + part(norm(x), *more)
        return x
"""

WRAPPED = """
class Residual(Module):
    def __init__(self, norm, part):
        self.norm, self.part = norm, part

    def forward(self, x, *more):
        return x + self.part(self.norm(x), *more)


class Block(Module):
    def __init__(self, config, layer):
        self.look = Residual(LayerNorm(config, "1"), Attention(config, "attn"))
        self.think = Residual(LayerNorm(config, "2"), MLP(config, "mlp"))

    def forward(self, x, mask, past, changes):
        return self.think(self.look(x, mask, past, changes.z))
"""

SPELLINGS = {
    "two lines": with_body(
        "x = x + self.attn(self.ln_1(x), mask, past, changes.z)",
        "return x + self.mlp(self.ln_2(x))",
    ),
    "the sum the other way round": with_body(
        "attended = self.attn(self.ln_1(x), mask, past, changes.z) + x",
        "return self.mlp(self.ln_2(attended)) + attended",
    ),
    "the stream kept aside": with_body(
        "residual = x",
        "x = self.ln_1(x)",
        "x = self.attn(x, mask, past, changes.z)",
        "x = residual + x",
        "residual = x",
        "x = self.ln_2(x)",
        "x = self.mlp(x)",
        "return residual + x",
    ),
    "the branches added at the end": with_body(
        "found = self.attn(self.ln_1(x), mask, past, changes.z)",
        "made = self.mlp(self.ln_2(F.add(x, found)))",
        "return F.add(found, made) + x",
    ),
    "in place": with_body(
        "x += self.attn(self.ln_1(x), mask, past, changes.z)",
        "x += self.mlp(self.ln_2(x))",
        "return x",
    ),
    "names of its own": IMPORTS + OWN_NAMES,
    "the MLP declared first": IMPORTS + MLP_FIRST,
    "a norm of its own": IMPORTS + OWN_NORM,
    "an MLP of its own": IMPORTS + OWN_MLP,
    "attention of its own": IMPORTS + OWN_ATTENTION,
    "lists of parts": IMPORTS + LISTS,
    "a class for the sum": IMPORTS + WRAPPED,
}
