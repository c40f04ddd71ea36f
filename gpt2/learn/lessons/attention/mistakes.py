"""What goes wrong in attention beside the blanks: the order of q, k and v, the way out, the past, and the heads."""

from gpt2.learn.lesson import Mistake

ORDER = "c_attn gives all queries first, then all keys, then all values."
WAY_OUT = "self.c_proj(z.reshape([-1, self.n_head * self.d_head]))"
MERGED = "z.reshape([-1, self.n_head * self.d_head])"
SCORES, PATTERN = "F.concat(parts, axis=-1)", "F.softmax(attn_scores, axis=-1)"
KEYS, VALUES = "[k] if past is None else [past.k, k]", "[v] if past is None else [past.v, v]"
SPLIT = "[pattern] if past is None else [pattern[:, :, :n_past], pattern[:, :, n_past:]]"
MASKED_LATE = f"{SPLIT}\n        if mask is not None:\n            parts[-1] = parts[-1] * F.exp(mask)"


def taken_as(order: str, what: str) -> Mistake:
    """Queries, keys and values taken from what c_attn gives in another order."""
    return Mistake({"q, k, v = (part": f"{order} = (part"}, f"{what} {ORDER}")


MISTAKES = (
    taken_as("k, q, v", "Queries and keys are swapped."),
    taken_as("v, k, q", "Queries and values are swapped."),
    taken_as("q, v, k", "Keys and values are swapped."),
    taken_as("k, v, q", "Keys, values and queries were taken in this order."),
    taken_as("v, q, k", "Values, queries and keys were taken in this order."),
    Mistake(
        {WAY_OUT: MERGED},
        "The output projection is missing. c_proj is what lets the heads speak to each other.",
    ),
    Mistake(
        {WAY_OUT: f"{MERGED} @ self.c_proj.weight + self.c_proj.bias"},
        "The matrix of c_proj was not transposed. It is square, so no shape tells; it lies there as [out, in].",
    ),
    Mistake(
        {WAY_OUT: f"{MERGED} @ self.c_proj.weight.T"},
        "The bias of c_proj is missing.",
    ),
    Mistake(
        {MERGED: "z.permute([1, 0, 2]).reshape([-1, self.n_head * self.d_head])"},
        "The heads were brought to the front before gluing, so a row holds several tokens of one head. A row has to "
        "hold all heads of one token.",
    ),
    Mistake(
        {MERGED: "z.permute([0, 2, 1]).reshape([-1, self.n_head * self.d_head])"},
        "The heads were interleaved number by number. The whole of the first head comes first, then the second.",
    ),
    Mistake(
        {"parts[-1] + mask": "parts[-1]", SPLIT: MASKED_LATE},
        "The mask came after the softmax, so the rows sum to less than 1. Later tokens have to be ruled out before "
        "the shares are made.",
    ),
    Mistake(
        {"q / math.sqrt(self.d_head)": "q", PATTERN: f"{PATTERN} / math.sqrt(self.d_head)"},
        "The shares were divided by the root of d_head. The scores are scaled, before the softmax.",
    ),
    Mistake(
        {KEYS: "[k]", VALUES: "[v]", SPLIT: "[pattern]"},
        "The past was left out. New tokens look at the cached keys and values as well as at their own.",
    ),
    Mistake(
        {"sum(mixed[1:], start=mixed[0])": "mixed[-1]"},
        "The values of the past are missing from the sum. What a token finds there is added to what it finds among "
        "the new ones.",
    ),
    Mistake(
        {SCORES: "F.concat([F.softmax(part, axis=-1) for part in parts], axis=-1)", PATTERN: "attn_scores"},
        "The past and the new tokens had a softmax each, so a row sums to 2. Join the scores first: there is one "
        "total of 1 for both.",
    ),
    Mistake(
        {"parts[-1] + mask": "parts[-1]", SCORES: f"{SCORES} + (0 if mask is None else mask)"},
        "The mask was added to all keys. It only covers the new ones: the past comes before every query, so none of "
        "it is masked.",
    ),
    Mistake(
        {"change.apply(self.attend(q, k, v, mask, past))": "self.attend(q, k, v, mask, past)"},
        "`change` was not applied. Attention is right without it, but no page could switch a head off: "
        "z = change.apply(z).",
    ),
)
