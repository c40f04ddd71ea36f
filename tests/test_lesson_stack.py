"""Claims about lesson 10: whoever passes the stream through every block passes, in whichever spelling."""

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lessons.stack import LESSON

pytestmark = pytest.mark.slow

IMPORTS = """
from max.experimental import functional as F
from max.experimental.nn import Module, ModuleList
from gpt2.model.block import Block
from gpt2.model.embeddings import Embeddings
from gpt2.model.layer_norm import LayerNorm
from gpt2.model.mask import causal_mask
"""
OWN = f"""{IMPORTS}
class Transformer(Module):
    def __init__(self, config):
        self.embeddings = Embeddings(config)
        self.blocks = ModuleList([Block(config, n) for n in range(config.n_layer)])
        self.norm = LayerNorm(config, "norm")

    def forward(self, ids, positions, past, changes):
        stream = self.embeddings(ids, positions)
        mask = causal_mask(positions)
        pasts = past or [None] * len(changes)
        for block, own_past, change in zip(self.blocks, pasts, changes):
            stream = block(stream, mask, own_past, change)
        return self.norm(stream)
"""
RECURSIVE = OWN.replace(
    """        for block, own_past, change in zip(self.blocks, pasts, changes):
            stream = block(stream, mask, own_past, change)
        return self.norm(stream)
""",
    """        def up(x, at):
            return x if at == len(pasts) else up(self.blocks[at](x, mask, pasts[at], changes[at]), at + 1)
        return self.norm(up(stream, 0))
""",
)
TABLES = OWN.replace(
    "self.embeddings = Embeddings(config)",
    "self.wte, self.wpe = (Tensor.zeros([n, config.n_embd]) for n in (config.vocab_size, config.n_positions))",
).replace("from gpt2.model.embeddings import Embeddings", "from max.experimental.tensor import Tensor")
SPELLINGS = {
    "own names": OWN,
    "a module whose names begin with its own": LESSON.solution.replace("TransparentModule", "Module"),
    "recursion": RECURSIVE,
    "look-ups by hand": TABLES.replace(
        "self.embeddings(ids, positions)",
        "F.gather(self.wpe, positions, axis=0) + F.gather(self.wte, ids, axis=0)",
    ),
    "the norm made first": OWN.replace('        self.norm = LayerNorm(config, "norm")\n', "").replace(
        "        self.embeddings", '        self.norm = LayerNorm(config, "norm")\n        self.embeddings'
    ),
    "a mask by hand": OWN.replace("causal_mask(positions)", "self.mask(ids) if past is None else None")
    + """
    def mask(self, ids):
        n = int(ids.shape[0])
        return F.band_part(Tensor.full([n, n], float("-inf")), -1, 0, exclude=True)
""".replace("Tensor.full", "__import__('max.experimental.tensor').experimental.tensor.Tensor.full"),
    "blocks as attributes": OWN.replace("self.blocks = ModuleList(", "blocks = list(")
    .replace(
        'self.norm = LayerNorm(config, "norm")\n',
        'self.norm = LayerNorm(config, "norm")\n'
        "        for n, block in enumerate(blocks):\n            setattr(self, f'block{n}', block)\n"
        "        self.n = config.n_layer\n",
    )
    .replace("zip(self.blocks,", "zip([getattr(self, f'block{n}') for n in range(self.n)],"),
    "a while loop": OWN.replace(
        "        for block, own_past, change in zip(self.blocks, pasts, changes):\n"
        "            stream = block(stream, mask, own_past, change)\n",
        "        n = 0\n        while n < len(changes):\n"
        "            stream, n = self.blocks[n](stream, mask, pasts[n], changes[n]), n + 1\n",
    ),
}


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(LESSON)


@pytest.mark.slow
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_right_stack_passes_in_any_spelling(examiner: Examiner, spelling: str) -> None:
    told = examiner.verdict(SPELLINGS[spelling], "own.py")
    assert told.passed, told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        ("return self.norm(stream)", "return stream", "The final norm is missing"),
        ("range(config.n_layer)", "range(config.n_layer - 1)", "The number of blocks is not"),
        ("mask = causal_mask(positions)", "mask = None", "There is no mask"),
        ("stream = block(", "last = block(", "Every block was given the embeddings"),
        ("past or [None]", "[None]", "The past was left out"),
    ],
)
def test_a_mistake_is_named_in_another_spelling(examiner: Examiner, right: str, wrong: str, why: str) -> None:
    source = OWN.replace(right, wrong)
    source = source.replace("self.norm(stream)", "self.norm(last)") if "last" in wrong else source
    source = source.replace("self.norm", "self.ln_f")  # a block too few leaves weights over: names tell them apart
    told = examiner.verdict(source, "own.py")
    assert source != OWN and not told.passed and why in told.why, told
