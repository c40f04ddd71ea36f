"""Lesson 7, multi-head attention: its blanks, the mistakes that people make, and what it is tried on."""

from gpt2.learn import on_stage
from gpt2.learn.lesson import Array, Blank, Case, Lesson, random

from .mistakes import MISTAKES
from .questions import ASKING

CHUNKS = "F.chunk(self.c_attn(x), 3, axis=1)"


def weights(seed: int, width: int) -> dict[str, Array]:
    """Random projections, large enough that a head clearly prefers some positions."""
    return {
        "c_attn.weight": random(seed, 3 * width, width, scale=1.3 / width**0.5),
        "c_attn.bias": random(seed + 1, 3 * width, scale=0.3),
        "c_proj.weight": random(seed + 2, width, width, scale=1 / width**0.5),
        "c_proj.bias": random(seed + 3, width, scale=0.3),
    }


def cases() -> tuple[Case, ...]:
    """Prompts, one with a head switched off, and new tokens after a past: several of them, and one."""
    import numpy as np

    from gpt2.learn.trial import of_module
    from gpt2.model.attention import Past
    from gpt2.model.changes import Change
    from gpt2.model.config import GPT2Config

    def case(seq: int, n_past: int, n_head: int, d_head: int, off: int | None, label: str) -> Case:
        width, seed = n_head * d_head, 100 * seq + 10 * n_past
        config = GPT2Config(11, 32, width, 2, n_head, 4 * width)
        later = np.arange(seq)[:, None] < np.arange(seq)
        mask = np.where(later, -np.inf, 0).astype(np.float32) if seq > 1 else None
        past = Past(*(random(seed + part, n_past, n_head, d_head) for part in (5, 6))) if n_past else None
        scale, added = np.ones((seq, n_head, 1), np.float32), np.zeros((seq, n_head, d_head), np.float32)
        if off is not None:
            scale[:, off] = 0
        x = random(seed + 7, seq, width)
        arguments = (x, mask, past, Change(scale, added))
        return Case(label, of_module("Attention", (config, "blocks.0.attn"), weights(seed, width), *arguments))

    return (
        case(7, 0, 3, 4, None, "a prompt of 7 tokens and 3 heads of width 4"),
        case(6, 0, 2, 5, 1, "a prompt of 6 tokens with the second of 2 heads switched off"),
        case(4, 9, 3, 5, None, "4 new tokens after 9 past ones"),
        case(1, 8, 2, 6, None, "1 new token after 8 past ones"),
    )


LESSON = Lesson(
    number=7,
    name="attention",
    title="Multi-head attention",
    question="How does a token find out what the earlier ones have to say?",
    component="attention",
    defines="Attention",
    blanks=(
        Blank(
            f"(part.reshape(heads) for part in {CHUNKS})",
            "Queries, keys and values, each [seq, head, d_head]: one product gives all three side by side.",
            {
                f"(part.reshape([self.n_head, -1, self.d_head]).permute([1, 0, 2]) for part in {CHUNKS})": "The heads "
                "were split off by a reshape alone, so each head got whole tokens instead of its part of every token. "
                "First cut each token into heads, then swap the axes.",
                f"(part.reshape([-1, self.d_head, self.n_head]).permute([0, 2, 1]) for part in {CHUNKS})": "Each head "
                "got every n_head-th number of a token. A head's numbers lie side by side: n_head comes before d_head "
                "in the reshape.",
                "(self.c_attn(x).reshape([-1, self.n_head, 3, self.d_head])[:, :, part] for part in range(3))": "The "
                "query, key and value of each head were taken from one place. In GPT-2, c_attn gives the queries of "
                "all heads first, then all keys, then all values.",
                "(part.reshape(heads) for part in F.chunk(self.c_attn(x), 3, axis=0))": "The positions were cut in "
                "three. Queries, keys and values lie side by side in the last axis of what c_attn gives.",
            },
        ),
        Blank(
            "q / math.sqrt(self.d_head)",
            "The queries, made smaller so that wide heads do not get larger scores than narrow ones.",
            {
                "q": "The scores were not scaled. Each is a sum over d_head products, so divide by the root of d_head.",
                "q / math.sqrt(self.n_head * self.d_head)": "It was divided by the root of the model's width. A score "
                "sums over one head only, so divide by the root of d_head.",
                "q / self.d_head": "It was divided by d_head itself; divide by its square root.",
                "q * math.sqrt(self.d_head)": "It was multiplied by the root of d_head; divide by it.",
            },
        ),
        Blank(
            "parts[-1] + mask",
            "The scores among the new positions, with those of later keys ruled out.",
            {
                "parts[-1]": "The mask is missing, so the model reads the answer: the next token.",
                "parts[-1] * F.exp(mask)": "The forbidden scores were set to 0. Zero is a score like any other; only "
                "minus infinity becomes a share of 0 in the softmax. Add the mask.",
                "parts[-1] * mask": "It was multiplied by the mask. The mask holds 0 and minus infinity: add it.",
                "parts[-1] + mask.T": "The mask was turned: each token looks ahead and not back. Its rows are queries "
                "and its columns are keys, as in the scores.",
            },
        ),
        Blank(
            "F.softmax(attn_scores, axis=-1)",
            "The scores of each query as shares of 1.",
            {
                "F.softmax(attn_scores, axis=-2)": "The softmax went over the queries. Each query shares out a total "
                "of 1 over the keys: the last axis.",
                "F.softmax(attn_scores, axis=0)": "The softmax went over the heads. Each head by itself shares out a "
                "total of 1 over the keys: the last axis.",
                "F.exp(attn_scores)": "The exponentials were not divided by their sum, so a query's shares do not add "
                "up to 1.",
            },
        ),
        Blank(
            "q.permute([1, 0, 2]) @ k.permute([1, 2, 0])",
            "In each head, every query times every key.",
            {
                "k.permute([1, 0, 2]) @ q.permute([1, 2, 0])": "Queries and keys changed places: the rows of the "
                "scores are the queries, and the columns are the keys.",
                "q @ k.permute([0, 2, 1])": "The heads of one position were compared with each other. Bring the head "
                "to the front, so that the product compares positions.",
                "q.permute([1, 0, 2]) @ k.permute([1, 0, 2])": "The keys were not transposed: the product sums over "
                "d_head, so it must be the last axis of q and the last but one of k.",
            },
        ),
        Blank(
            "(pattern @ v.permute([1, 0, 2])).permute([1, 0, 2])",
            "In each head, the values weighted by the pattern; the positions come first again.",
            {
                "pattern @ v.permute([1, 0, 2])": "The heads are still in front. Swap back to [query, head, d_head], "
                "so that the heads of one token lie side by side.",
                "(pattern @ v.permute([1, 0, 2])).reshape([-1, v.shape[1], v.shape[2]])": "The heads were glued "
                "together by a reshape alone, which mixes the tokens up. Swap the axes back before gluing.",
                "(pattern.permute([0, 2, 1]) @ v.permute([1, 0, 2])).permute([1, 0, 2])": "The pattern was "
                "transposed, so each key gave its weight to the wrong side. A row of the pattern belongs to one query.",
            },
        ),
    ),
    mistakes=MISTAKES,
    hints=(
        "Follow the shapes: a token's vector is cut into heads first. The product @ works on the last two axes and "
        "treats those before them as a batch, so the head has to be in front.",
        "The scores' last axis is the keys. The mask is added before the softmax, and the softmax makes each row sum "
        "to 1.",
        "A dot product of d_head random numbers grows like the root of d_head: that is what the scores are divided by.",
        "After the values are mixed, the axes are swapped back, so that all heads of one token lie side by side again.",
    ),
    cases=cases,
    on_stage=on_stage.attention,
    has_layers=True,
    asking=ASKING,
)
