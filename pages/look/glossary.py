"""The field's terms, one plain sentence each, for who looks at a page; `.github/GLOSSARY.md` has the code's own words.

The sentences are sent once to the browser, where every panel's heading offers those that `panels.py` names for it.
"""

TERMS = {
    "ablation": "A part of the model is set to zero, or to its mean, to see what it did.",
    "attention pattern": "The weights with which one head reads all tokens so far: each row adds up to 100 %.",
    "cosine": "The cosine of the angle between two vectors: 1 if they point the same way, 0 if at right angles, "
    "−1 if opposite.",
    "decode": "The passes after the first: each reads the one token that was drawn last.",
    "direct effect": "What a part itself writes towards a token's logit, through the final norm as it is; what later "
    "parts make of it counts as theirs.",
    "embedding": "The vector of numbers that the model has learned for a token.",
    "entropy": "How open a choice is, in bits: 0 if one token is certain, and one more bit each time the number of "
    "equally likely tokens doubles.",
    "GELU": "The bend in the MLP: it leaves large numbers as they are, makes very negative ones 0, and is smooth "
    "between.",
    "head": "One of the attention units of a layer that work side by side, each with weights of its own.",
    "KV cache": "The keys and values of all tokens so far, kept so that a step computes only the newest token's.",
    "KL divergence": "How far one distribution is from another, in bits: 0 if both are the same.",
    "layer": "One of the model's equally built stages, a block: attention, then an MLP, each of which adds its "
    "vector to the residual stream.",
    "logit": "The score that the model gives a token as the next one, before softmax makes it a probability.",
    "logit lens": "The final norm and the unembedding, applied early: what the model would say next if it ended "
    "at this layer.",
    "mask": "It hides all later tokens: their scores become −∞, so their weights become 0.",
    "MLP": "The part of a layer that works on each token alone: two linear maps with a bend (GELU) between them.",
    "neuron": "One number of the MLP's wide middle: it reads with weights of its own, and writes a vector of its own.",
    "norm": "The length of a vector: the square root of the sum of its squared numbers.",
    "patching": "A vector that was computed of one text takes the place of the same vector in another's run.",
    "position embedding": "The vector that the model has learned for a place in the text, added to the token's.",
    "prefill": "The first pass, which reads the whole prompt at once.",
    "query and key": "Two vectors that each head makes of each token: a query asks, a key answers, and their dot "
    "product is the score.",
    "rank": "A token's place if all are sorted by probability; the likeliest has rank 1.",
    "residual stream": "The vector of a token as it passes through the model: each layer reads it and adds to it.",
    "role": "What a head does, as a number: the mean weight that it gives to the token that the role names.",
    "seed": "The number that the draws start from: the same seed gives the same draws.",
    "softmax": "It turns scores into shares that add up to 100 %: each share is proportional to e to the power of the "
    "score.",
    "steering": "A vector is added to the residual stream, to push the model towards something.",
    "surprisal": "How unexpected the drawn token was, in bits: minus the base-2 logarithm of its probability.",
    "temperature": "It divides the logits before softmax: below 1 the likeliest tokens gain, above 1 they lose, and 0 "
    "takes the likeliest.",
    "token": "A piece of text with a number in the vocabulary: a word, a part of one, or a single byte.",
    "top-k": "A filter that keeps the k likeliest tokens.",
    "top-p": "A filter that keeps the likeliest tokens until together they reach the share p.",
    "u": "The random number from 0 to 1, made from the seed, that decides the draw: the token on whose stretch it "
    "falls is taken.",
    "unembedding": "The matrix that compares a vector with every token of the vocabulary and so gives each its logit.",
}
