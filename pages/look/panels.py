"""What each panel shows, in one sentence, and the terms of the glossary that its heading explains.

A panel's name is its page's and its own; on the lens pages it is the key of its picture.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """What one panel shows, and the terms that it uses."""

    shows: str
    terms: tuple[str, ...]


ARITHMETIC = "The picked number as the sum that the model makes of it: its largest terms, and the rest together."

PANELS = {
    "live.embedding": Panel(
        "The newest token's vector before the first layer: what it is, where it stands, and their sum.",
        ("token", "embedding", "position embedding", "cosine"),
    ),
    "live.residual": Panel(
        "The length of the newest token's vector after each layer, and of what attention and MLP add to it.",
        ("residual stream", "layer", "MLP", "norm"),
    ),
    "live.mosaic": Panel(
        "The attention pattern of every head: layers upwards, heads across. A click locks one.",
        ("head", "layer", "attention pattern"),
    ),
    "live.one": Panel(
        "One head large: each row is a token that looks, each column a token that it looks at.",
        ("attention pattern", "query and key"),
    ),
    "live.lens": Panel(
        "The likeliest next tokens if the model ended after each layer.",
        ("logit lens", "layer", "residual stream"),
    ),
    "live.bars": Panel(
        "The likeliest next tokens with the model's own probabilities; hatched ones were cut by a filter. A click on "
        "one offers a branch.",
        ("logit", "softmax", "entropy", "top-k", "top-p"),
    ),
    "live.draw": Panel(
        "The tokens that remain, end to end as wide as they are likely; u falls on the one that is drawn.",
        ("u", "temperature", "surprisal"),
    ),
    "embeddings.token": Panel("The vector of each token of the run, one row each.", ("token", "embedding")),
    "embeddings.position": Panel("The vector of each place in the text, one row each.", ("position embedding",)),
    "embeddings.sum": Panel("Both added: what the first layer reads.", ("residual stream", "layer")),
    "embeddings.arithmetic": Panel(ARITHMETIC, ("embedding", "position embedding")),
    "embeddings.map": Panel(
        "The run's tokens and their neighbours on a flat map: what lies close has similar vectors.",
        ("embedding", "token"),
    ),
    "embeddings.chosen": Panel(
        "The tokens of the whole vocabulary whose vectors point most nearly the same way.", ("cosine", "embedding")
    ),
    "embeddings.norms": Panel("The length of each token's vectors, along the text.", ("norm",)),
    "embeddings.alike": Panel(
        "Every position against every other: how nearly their vectors point the same way.",
        ("cosine", "position embedding"),
    ),
    "embeddings.newest": Panel("The newest position against all others, as one line.", ("cosine",)),
    "attention.heads": Panel(
        "The attention pattern of every head: layers upwards, heads across. A click locks one.",
        ("head", "layer", "attention pattern"),
    ),
    "attention.layers": Panel(
        "The mean of each layer's heads. A click picks a layer.", ("layer", "head", "attention pattern")
    ),
    "attention.all": Panel(
        "The chosen heads and layers joined into one pattern: their mean, or the largest weight of any.",
        ("head", "layer", "attention pattern"),
    ),
    "attention.roles": Panel(
        "How far each head does one thing: the mean weight on the token that the role names. A click locks a head.",
        ("role", "head", "attention pattern"),
    ),
    "attention.row": Panel(
        "The tokens that the newest token, or the chosen ones, read most, and with which weight.",
        ("attention pattern",),
    ),
    "attention.text": Panel(
        "The text: point at a token, or reach it with Tab and the arrows, and see what it looks at.",
        ("token", "attention pattern"),
    ),
    "attention.head": Panel(
        "One head from left to right: scores, the mask, and the weights that softmax makes of them.",
        ("head", "query and key", "mask", "softmax"),
    ),
    "attention.unmasked": Panel("How well each query fits each key.", ("query and key",)),
    "attention.masked": Panel("The same scores, with all later tokens hidden.", ("mask",)),
    "attention.cell": Panel("The weights of this head. A click picks a cell.", ("softmax", "attention pattern")),
    "attention.arithmetic": Panel(ARITHMETIC, ("query and key", "softmax")),
    "attention.vectors": Panel(
        "The vectors of the picked cell's two tokens: what one asks, what the other answers and hands over.",
        ("query and key", "head"),
    ),
    "attention.terms": Panel(
        "The score of the picked cell, taken apart into what each dimension adds.", ("query and key",)
    ),
    "mlp.layers": Panel(
        "The length of the vector that each layer's MLP adds at each token. A click picks a layer and a token.",
        ("MLP", "layer", "norm"),
    ),
    "mlp.curve": Panel(
        "Every neuron's number before and after the bend; the curve is what the model computes.", ("neuron", "GELU")
    ),
    "mlp.bars": Panel(
        "The first neurons by activation, by the length of what they write, or by its direct effect.",
        ("neuron", "norm", "direct effect"),
    ),
    "mlp.neuron": Panel("Chooses the neuron that all pictures show.", ("neuron",)),
    "mlp.tokens": Panel(
        "The tokens whose logits the chosen neuron's vector raises and lowers most.",
        ("unembedding", "logit", "direct effect"),
    ),
    "mlp.places": Panel("The activation of the first neurons at every token of the run.", ("neuron", "GELU")),
    "mlp.arithmetic": Panel(ARITHMETIC, ("neuron", "GELU")),
    "residual.norms": Panel(
        "The length of every token's vector after each layer. A click picks one.",
        ("residual stream", "layer", "norm"),
    ),
    "residual.arithmetic": Panel(ARITHMETIC, ("norm", "residual stream")),
    "residual.part": Panel(ARITHMETIC, ("norm", "cosine")),
    "residual.added": Panel(
        "The length of what each attention and MLP adds to the picked token's vector. A click opens it.",
        ("MLP", "norm"),
    ),
    "residual.direction": Panel(
        "Whether what is added points along the vector so far, or against it.", ("cosine", "residual stream")
    ),
    "residual.lens": Panel(
        "The likeliest next token after each position, read at each depth.", ("logit lens", "unembedding", "layer")
    ),
    "residual.logit": Panel(ARITHMETIC, ("logit lens", "logit")),
    "residual.watched": Panel("Chooses the token that the two lines below follow.", ("token",)),
    "residual.probability": Panel("The watched token's probability at each depth.", ("logit lens", "softmax")),
    "residual.rank": Panel("The watched token's rank at each depth.", ("rank",)),
    "attribution.position": Panel("Chooses the place in the text after which the token comes.", ("token",)),
    "attribution.token": Panel("Chooses the token to be explained; any can be typed.", ("logit", "token")),
    "attribution.against": Panel("Chooses the token that it is compared with.", ("logit",)),
    "attribution.parts": Panel(
        "The parts that add most to the token's logit, or take most from it, and how all of them add up.",
        ("logit", "direct effect", "residual stream", "MLP"),
    ),
    "attribution.map": Panel(
        "What each head, each attention bias and each MLP adds. A click picks a head.",
        ("head", "layer", "direct effect", "MLP"),
    ),
    "attribution.measured": Panel(
        "What the picked part adds directly, beside what is lost when the model runs without it.",
        ("direct effect", "ablation", "logit"),
    ),
    "attribution.text": Panel(
        "The text, coloured by what each token brought to the picked head's part.", ("head", "attention pattern")
    ),
    "attribution.words": Panel(
        "The tokens that brought most, with the weight at which the head looked at each.", ("attention pattern",)
    ),
    "paths.position": Panel("Chooses the place in the text from which the walk goes back.", ("token",)),
    "paths.graph": Panel(
        "The ways back from the last layer to the embeddings. A click opens an edge or a place.",
        ("residual stream", "layer", "embedding", "MLP"),
    ),
    "paths.arrives": Panel(
        "What arrives at the opened place, as shares of all that does.", ("residual stream", "MLP", "norm")
    ),
    "paths.heads": Panel("What each head carried of the opened edge.", ("head", "attention pattern")),
    "attribution.arithmetic": Panel(ARITHMETIC, ("logit", "unembedding")),
    "sampling.settings": Panel(
        "Other settings for this one draw; the run itself stays as it is.",
        ("temperature", "top-k", "top-p", "seed"),
    ),
    "sampling.columns": Panel(
        "The same tokens in five columns, from the model's logits to what the draw sees; a removed one is hatched.",
        ("logit", "softmax", "temperature", "top-k", "top-p", "entropy"),
    ),
    "sampling.draw": Panel(
        "The tokens that remain, end to end as wide as they are likely; u falls on the one that is drawn.",
        ("u", "seed"),
    ),
    "sampling.token": Panel(
        "Chooses the token whose logit and probability are shown below, and with which a branch can begin.", ("token",)
    ),
    "sampling.arithmetic": Panel(ARITHMETIC, ("logit", "softmax", "temperature")),
    "sampling.cumulative": Panel(
        "The probability of the likeliest tokens together, along the whole vocabulary.", ("rank", "top-k", "top-p")
    ),
    "sampling.entropy": Panel(
        "How open the choice was at every step, and how unexpected the drawn token.", ("entropy", "surprisal")
    ),
    "experiments.plan": Panel(
        "What is changed when the model reads the same prompt again; the run on the stage stays as it is.",
        ("ablation", "steering", "patching"),
    ),
    "experiments.grid": Panel(
        "Every head of every layer, and each layer's MLP. A click changes one, another leaves it as it was.",
        ("head", "layer", "MLP"),
    ),
    "experiments.kept": Panel(
        "The changes that you have named: how far each moves the model, at this step and on average.",
        ("KL divergence",),
    ),
    "experiments.texts": Panel(
        "What the base and the changed model write with the same settings and seed.", ("token", "seed")
    ),
    "experiments.kl": Panel(
        "How far the changed model's next token is from the base's, at every step of the base's text.",
        ("KL divergence",),
    ),
    "experiments.next": Panel("The likeliest next tokens of both models at this step.", ("logit", "softmax")),
    "experiments.watched": Panel("One token's probability in both models, at every step.", ("softmax",)),
    "experiments.sweep": Panel(
        "Tries one change after the other, each by itself, and compares the logits of two tokens.",
        ("ablation", "patching"),
    ),
    "experiments.heat": Panel("The effect of each change on the next token.", ("logit", "layer", "head")),
    "branches.choose": Panel(
        "The token at the step under the cursor, and the likeliest others: a press lets the run go on with that one.",
        ("token", "softmax", "KV cache"),
    ),
    "branches.tree": Panel(
        "The run and its branches, each from the step where it parts; all are kept with their numbers.",
        ("token", "surprisal"),
    ),
    "branches.kl": Panel(
        "How far the next tokens of the two are apart, each seen from the other.", ("KL divergence", "logit")
    ),
    "branches.attention": Panel(
        "How much of each head's attention lies on other tokens in one run than in the other.",
        ("head", "attention pattern"),
    ),
    "branches.norms": Panel("The length of the newest token's vector in both runs.", ("norm", "residual stream")),
    "branches.lens": Panel(
        "How far the logit lens of the two is apart after each layer.", ("logit lens", "KL divergence")
    ),
    "compare.second": Panel(
        "Chooses the run that stands beside the one on the stage; that one stays as it is.", ("token", "seed")
    ),
    "compare.texts": Panel("Both texts, each with the first token that the other has not.", ("token", "seed")),
    "compare.kl": Panel(
        "How far apart the next tokens are at each step, the second seen from the first and back.", ("KL divergence",)
    ),
    "compare.heads": Panel(
        "The attention pattern of every head in either run, or their difference. A click locks one.",
        ("head", "layer", "attention pattern"),
    ),
    "compare.pattern": Panel(
        "The locked head, or the one that differs most: each row is a token that looks, each column one it looks at.",
        ("attention pattern", "query and key"),
    ),
    "compare.next": Panel("The likeliest next tokens of both at this step.", ("logit", "softmax")),
    "compare.norms": Panel("The length of the newest token's vector after each layer.", ("norm", "residual stream")),
    "compare.lens": Panel(
        "The likeliest next tokens if each model ended after each layer.", ("logit lens", "layer", "KL divergence")
    ),
    "cost.steps": Panel("The milliseconds of each step, by what they were spent on.", ("prefill", "decode")),
    "cost.table": Panel("The time and the memory of this run, in numbers.", ("KV cache", "prefill", "decode")),
    "cost.saving": Panel("The time of a step with the cache, and without it.", ("KV cache", "decode")),
}
