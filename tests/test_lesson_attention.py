"""Claims about lesson 7: attention written in other ways passes, and a mistake is named in them too."""

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lesson import Lesson
from gpt2.learn.lessons import lesson_of

pytestmark = pytest.mark.slow

HEAD = """
import math
from max.dtype import DType
from max.experimental import functional as F, nn
from max.experimental.nn import Module
from max.experimental.tensor import Tensor
from gpt2.model.linear import Linear
"""
INIT = """
class Attention(Module):
    def __init__(self, config, name):
        self.h, self.d = config.n_head, config.n_embd // config.n_head
        self.c_attn = Linear(config.n_embd, 3 * config.n_embd)
        self.c_proj = Linear(config.n_embd, config.n_embd)
"""
FORWARD = """
    def forward(self, x, mask, past, change):
        s, e, h, d = x.shape[0], self.h * self.d, self.h, self.d
"""
THREE = """
        q, k, v = [part.reshape([-1, h, d]) for part in F.chunk(self.c_attn(x), 3, axis=1)]
"""
ALL_KEYS = """
        if past is not None:
            k, v = F.concat([past.k, k], axis=0), F.concat([past.v, v], axis=0)
"""
WHOLE_MASK = """
        if mask is not None and past is not None:
            mask = F.concat([Tensor.zeros([s, past.k.shape[0]]), mask], axis=1)
"""
IN_FRONT = """
        q, k, v = q.permute([1, 0, 2]), k.permute([1, 0, 2]), v.permute([1, 0, 2])
"""
OUT = """
        z = change.apply((pattern @ v).permute([1, 0, 2]))
        return self.c_proj(z.reshape([-1, e]))
"""
SCORES = "\n        scores = q @ k.transpose(1, 2) / math.sqrt(d)\n"
MASKED = "\n        if mask is not None: scores = scores + mask\n"
PATTERN = "\n        pattern = F.softmax(scores, axis=-1)\n"


PARTS = {
    "HEAD": HEAD,
    "INIT": INIT,
    "FORWARD": FORWARD,
    "THREE": THREE,
    "ALL_KEYS": ALL_KEYS,
    "WHOLE_MASK": WHOLE_MASK,
    "IN_FRONT": IN_FRONT,
    "SCORES": SCORES,
    "MASKED": MASKED,
    "PATTERN": PATTERN,
    "OUT": OUT,
}


def with_parts(**others: str) -> str:
    """The plain solution with some of its parts written in another way."""
    return "".join((PARTS | others).values())


OWN_NAMES = """
class Attention(Module):
    def __init__(self, config, name):
        self.h, self.d = config.n_head, config.n_embd // config.n_head
        self.w_in, self.b_in = Tensor.zeros([3 * config.n_embd, config.n_embd]), Tensor.zeros([3 * config.n_embd])
        self.w_out, self.b_out = Tensor.zeros([config.n_embd, config.n_embd]), Tensor.zeros([config.n_embd])

    def c_attn(self, x):
        return x @ F.transpose(self.w_in, 0, 1) + self.b_in

    def c_proj(self, x):
        return F.matmul(x, self.w_out.T) + self.b_out
"""
OWN_LINEAR = """
class Dense(Module):
    def __init__(self, n_in, n_out):
        self.matrix, self.shift = Tensor.zeros([n_out, n_in]), Tensor.zeros([n_out])

    def forward(self, x):
        return x @ self.matrix.T + self.shift
""" + INIT.replace("Linear", "Dense")
FLASH = """
        keys, values = ([k], [v]) if past is None else ([k, past.k], [v, past.v])
        total, share, largest = 0, 0, None
        for at, (key, value) in enumerate(zip(keys, values)):
            scores = (q * d**-0.5).permute([1, 0, 2]) @ key.permute([1, 2, 0])
            if mask is not None and at == 0:
                scores = scores + mask
            top = F.max(scores, axis=-1)
            new = top if largest is None else F.max(largest, top)
            old = 0 if largest is None else F.exp(largest - new)
            grown = F.exp(scores - new)
            share = share * old + F.sum(grown, axis=-1)
            total = total * old + grown @ value.permute([1, 0, 2])
            largest = new
        z = change.apply((total / share).permute([1, 0, 2]))
        return self.c_proj(z.reshape([-1, e]))
"""
HEAD_BY_HEAD = """
        found = []
        for head in range(h):
            scores = q[:, head] @ k[:, head].T / math.sqrt(d)
            if mask is not None:
                scores = scores + mask
            found.append(F.softmax(scores, axis=-1) @ v[:, head])
        z = change.apply(F.stack(found, axis=1))
        return self.c_proj(F.flatten(z, 1))
"""
BY_BROADCAST = """
        scores = F.sum(F.unsqueeze(q, 1) * F.unsqueeze(k, 0), axis=-1).reshape([s, -1, h]) / math.sqrt(d)
        if mask is not None:
            scores = scores + F.unsqueeze(mask, -1)
        pattern = F.softmax(scores, axis=1)
        z = F.sum(F.unsqueeze(pattern, -1) * F.unsqueeze(v, 0), axis=1).reshape([s, h, d])
        return self.c_proj(change.apply(z).reshape([s, e]))
"""
BATCHED = """
        q, k, v = (F.unsqueeze(part, 0).permute([0, 2, 1, 3]) for part in (q, k, v))
        scores = q @ k.permute([0, 1, 3, 2]) * (1 / math.sqrt(d))
        if mask is not None:
            scores = scores + mask
        z = (F.softmax(scores) @ v).permute([0, 2, 1, 3])
        return self.c_proj(change.apply(F.squeeze(z, 0)).reshape([-1, e]))
"""
PROJECTED_BY_HEAD = """
        z = change.apply((pattern @ v).permute([1, 0, 2]))
        columns = [self.c_proj.weight[:, at * d : (at + 1) * d] for at in range(h)]
        return sum(z[:, at] @ columns[at].T for at in range(h)) + self.c_proj.bias
"""
OWN_MASK = """
        n = k.shape[1]
        row = F.unsqueeze(F.arange(0, int(s), dtype=DType.int64), 1) + int(n) - int(s)
        column = F.unsqueeze(F.arange(0, int(n), dtype=DType.int64), 0)
        never, free = (F.constant(value, DType.float32) for value in (float("-inf"), 0.0))
        scores = scores + F.where(column > row, never, free)
"""
MODEL_PARTS = """
        keys = [k] if past is None else [past.k, k]
        values = [v] if past is None else [past.v, v]
        scores = [score(q, key) / d**0.5 for key in keys]
        if mask is not None:
            scores[-1] += mask
        pattern = F.softmax(F.concat(scores, axis=2), axis=2)
        z = mix(pattern, F.concat(values))
        return self.c_proj((z * change.scale + change.added).reshape(x.shape))
"""
EXP = """
        weight = F.exp(scores - F.max(scores, axis=-1))
        pattern = weight / F.sum(weight, axis=-1)
"""
AFTER_AND_SHARED = """
        pattern = F.softmax(scores, axis=-1)
        if mask is not None:
            pattern = pattern * F.exp(mask)
        pattern = pattern / F.sum(pattern, axis=-1)
"""
FROM_HERE = {"ALL_KEYS": "", "WHOLE_MASK": "", "IN_FRONT": "", "SCORES": "", "MASKED": "", "PATTERN": ""}
AT_ONCE = {"IN_FRONT": "", "SCORES": "", "MASKED": "", "PATTERN": ""}

SPELLINGS = {
    "all keys joined first": {},
    "own parameter names": {"INIT": OWN_NAMES},
    "own linear layer": {"INIT": OWN_LINEAR},
    "the linear layer of MAX": {"INIT": INIT.replace("Linear", "nn.Linear")},
    "slices": {
        "THREE": "\n        y = self.c_attn(x)\n        "
        "q, k, v = (y[:, at * e : (at + 1) * e].reshape([s, h, d]) for at in range(3))\n"
    },
    "one reshape for all three": {
        "THREE": "\n        y = self.c_attn(x).reshape([s, 3, h, d])\n        q, k, v = y[:, 0], y[:, 1], y[:, 2]\n"
    },
    "split": {
        "THREE": THREE.replace("F.chunk(self.c_attn(x), 3, axis=1)", "F.split(self.c_attn(x), [e, e, e], axis=1)")
    },
    "axes swapped with the head in front at once": {
        "THREE": "\n        y = self.c_attn(x).reshape([-1, 3 * h, d]).permute([1, 0, 2])\n        "
        "q, k, v = (part.permute([1, 0, 2]) for part in (y[:h], y[h : 2 * h], y[2 * h :]))\n"
    },
    "softmax written out": {"PATTERN": EXP},
    "the scores scaled after the mask": {
        "SCORES": "\n        scores = q @ k.transpose(-1, -2)\n",
        "PATTERN": "\n        pattern = F.softmax(scores / d**0.5)\n",
    },
    "the keys scaled": {"SCORES": "\n        scores = q @ (k * d**-0.5).permute([0, 2, 1])\n"},
    "a large number for minus infinity": {
        "MASKED": "\n        if mask is not None: scores = scores + F.max(mask, -1e9)\n"
    },
    "chosen by where": {
        "MASKED": "\n        if mask is not None:\n            "
        "scores = F.where(F.unsqueeze(mask, 0) < 0, F.full_like(scores, -1e9), scores)\n"
    },
    "a mask of its own": {"WHOLE_MASK": "", "MASKED": OWN_MASK},
    "masked after the softmax and shared out again": {"MASKED": "", "PATTERN": AFTER_AND_SHARED},
    "head by head": {**AT_ONCE, "OUT": HEAD_BY_HEAD},
    "without a matrix product": {**AT_ONCE, "OUT": BY_BROADCAST},
    "with a batch axis": {**AT_ONCE, "OUT": BATCHED},
    "the way out head by head": {"OUT": PROJECTED_BY_HEAD},
    "one part of the keys after the other": {**FROM_HERE, "OUT": FLASH},
    "with functions imported from an earlier part": {
        **FROM_HERE,
        "HEAD": HEAD + "from gpt2.model.attention import mix, score\n",
        "OUT": MODEL_PARTS,
    },
}
IN_OTHER_WORDS = {
    "The scores were not scaled": {"SCORES": "\n        scores = q @ k.transpose(1, 2)\n"},
    "The mask is missing": {"MASKED": ""},
    "The softmax went over the queries": {"PATTERN": "\n        pattern = F.softmax(scores, axis=1)\n"},
    "Queries and keys are swapped": {"THREE": THREE.replace("q, k, v", "k, q, v")},
    "The heads were split off by a reshape alone": {
        "THREE": THREE.replace("reshape([-1, h, d])", "reshape([h, -1, d]).permute([1, 0, 2])")
    },
    "The output projection is missing": {"OUT": OUT.replace("self.c_proj(z.reshape([-1, e]))", "z.reshape([-1, e])")},
    "The past was left out": {"ALL_KEYS": "", "WHOLE_MASK": ""},
    "The mask was added to all keys": {"WHOLE_MASK": ""},
    "`change` was not applied": {"OUT": OUT.replace("change.apply", "")},
    "The mask came after the softmax": {
        "MASKED": "",
        "PATTERN": PATTERN + "\n        if mask is not None: pattern = pattern * F.exp(mask)\n",
    },
    "The forbidden scores were set to 0": {
        "WHOLE_MASK": WHOLE_MASK,
        "MASKED": "\n        if mask is not None: scores = scores * F.exp(mask)\n",
    },
}


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return lesson_of(7)


@pytest.fixture(scope="module")
def examiner(lesson: Lesson) -> Examiner:
    return Examiner(lesson)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_of_the_solution_passes(examiner: Examiner, spelling: str) -> None:
    told = examiner.verdict(with_parts(**SPELLINGS[spelling]), "own.py")
    assert told.passed, told


@pytest.mark.parametrize("mistake", IN_OTHER_WORDS)
def test_a_mistake_is_named_in_another_spelling_too(examiner: Examiner, mistake: str) -> None:
    told = examiner.verdict(with_parts(**IN_OTHER_WORDS[mistake]), "own.py")
    assert not told.passed and told.why.startswith(mistake), told


def test_of_two_mistakes_one_is_named(examiner: Examiner) -> None:
    both = with_parts(SCORES="\n        scores = q @ k.transpose(1, 2)\n", OUT=OUT.replace("change.apply", ""))
    assert examiner.verdict(both, "own.py").why.startswith("The scores were not scaled")


def test_a_new_token_after_a_past_is_tried_too(examiner: Examiner) -> None:
    told = examiner.verdict(with_parts(ALL_KEYS=ALL_KEYS.replace("past.v, v", "past.k, v")), "own.py")
    assert not told.passed and "after 9 past ones" in told.says
    assert any("right for a prompt" in detail for detail in told.details)


def test_shapes_that_do_not_fit_are_told_in_one_line(examiner: Examiner) -> None:
    told = examiner.verdict(with_parts(SCORES="\n        scores = q @ k.permute([1, 0, 2])\n"), "own.py")
    assert "[3, 7, 4]" in told.says and "[7, 3, 4]" in told.says and "\n" not in told.says
    assert told.line is not None


def test_three_layers_in_the_place_of_c_attn_are_told_from_the_weights(examiner: Examiner) -> None:
    three = INIT.replace(
        "self.c_attn = Linear(config.n_embd, 3 * config.n_embd)",
        "self.to_q, self.to_k, self.to_v = (Linear(config.n_embd, config.n_embd) for _ in range(3))",
    )
    apart = "\n        q, k, v = (one(x).reshape([-1, h, d]) for one in (self.to_q, self.to_k, self.to_v))\n"
    told = examiner.verdict(with_parts(INIT=three, THREE=apart), "own.py")
    assert not told.passed and "c_attn.weight [36, 12]" in told.says
