"""The embeddings of lessons 5 and 6 written in many ways, all of them right."""

HEAD = """
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.nn import Embedding, Module, TransparentModule
from max.experimental.tensor import Tensor
"""
LAYERS = """
class Embeddings(Module):
    def __init__(self, config):
        self.wte = Embedding(config.vocab_size, dim=config.n_embd)
        self.wpe = Embedding(config.n_positions, dim=config.n_embd)
"""
TENSORS = """
class Embeddings(Module):
    def __init__(self, config):
        self.places = Tensor.zeros([config.n_positions, config.n_embd])
        self.words = Tensor.zeros([config.vocab_size, config.n_embd])
"""


def forward(*lines: str) -> str:
    """The method that the table lookups stand in."""
    return "\n    def forward(self, ids, positions):\n" + "".join(f"        {line}\n" for line in lines)


ONE_HOT = """
def picked(table, rows):
    numbers = F.unsqueeze(F.arange(0, int(table.shape[0]), dtype=DType.int64), 0)
    return F.cast(F.unsqueeze(rows, 1) == numbers, DType.float32) @ table
"""
EARLIER = """
from gpt2.model.embeddings import Embeddings as Earlier

class Embeddings(Earlier):
    def __init__(self, config):
        super().__init__(config)
"""

SPELLINGS = {
    "the layers called": LAYERS + forward("return self.wte(ids) + self.wpe(positions)"),
    "the position first": LAYERS + forward("return self.wpe(positions) + self.wte(ids)"),
    "a transparent module": LAYERS.replace("(Module)", "(TransparentModule)")
    + forward("return F.add(self.wte(ids), self.wpe(positions))"),
    "own names": LAYERS.replace("wte", "tokens").replace("wpe", "places")
    + forward("return self.tokens(ids) + self.places(positions)"),
    "plain tensors, the positions first": TENSORS
    + forward("return F.gather(self.words, ids, axis=0) + F.gather(self.places, positions, axis=0)"),
    "a product with one 1 in each row": ONE_HOT
    + TENSORS
    + forward("return picked(self.words, ids) + picked(self.places, positions)"),
    "with a batch axis": LAYERS
    + forward(
        "both = self.wte(F.unsqueeze(ids, 0)) + self.wpe(F.unsqueeze(positions, 0))", "return F.squeeze(both, 0)"
    ),
    "positions with a batch axis only": LAYERS
    + forward(
        "place = self.wpe(positions.reshape([1, -1]))", "return (self.wte(ids) + place).reshape(place.shape[1:])"
    ),
    "ids of 32 bits": LAYERS
    + forward("return self.wte(F.cast(ids, DType.int32)) + self.wpe(F.cast(positions, DType.int32))"),
    "columns of the table on its side": TENSORS
    + forward(
        "across = F.gather(self.words.T, ids, axis=1) + F.gather(self.places.T, positions, axis=1)", "return across.T"
    ),
    "both tables joined": TENSORS
    + forward(
        "tables = F.concat([self.words, self.places], axis=0)",
        "found = F.gather(tables, F.concat([ids, positions + self.words.shape[0]]), axis=0)",
        "return found[: ids.shape[0]] + found[ids.shape[0] :]",
    ),
    "summed from a stack": LAYERS
    + forward(
        "return F.sum(F.stack([self.wte(ids), self.wpe(positions)], axis=0), axis=0).reshape([ids.shape[0], -1])"
    ),
    "with dims": LAYERS.replace("dim=config.n_embd", "dims=[config.n_embd]")
    + forward("return self.wte(ids) + self.wpe(positions)"),
    "an earlier part imported": EARLIER
    + forward("return self.wte(ids) + F.gather(self.wpe.weight, positions, axis=0)"),
}


def source(body: str) -> str:
    """A whole file."""
    return HEAD + body
