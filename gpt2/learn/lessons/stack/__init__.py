"""Lesson 10, the stack of blocks: its blanks, the mistakes that people make, and what it is tried on."""

from typing import Any

from gpt2.learn import on_stage
from gpt2.learn.lesson import Array, Blank, Case, Lesson, Mistake, random

from .questions import ASKING

EMBEDDED = "self.embeddings(ids, positions)"
BLOCKS = "[Block(config, layer) for layer in range(config.n_layer)]"
MASK = "causal_mask(positions) if past is None else None"
OF_LAYER = "None if past is None else past[layer]"
STEP = "x = block(x,"
END = "self.ln_f(x)"

ONE_BLOCK = "The same block was used every time, with one set of weights. Make a new block for each layer."
COUNT = "The number of blocks is not the one of the configuration. Read it from there."
NOT_CARRIED = (
    "Every block was given the embeddings, so only the last one matters. Each block reads what the one before it wrote."
)


def weights_of(config: Any) -> dict[str, Array]:
    """Random weights of every layer, under the names of the checkpoint."""
    width, inner = config.n_embd, config.n_inner
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (config.vocab_size, width)}
    shapes["wpe.weight"] = (config.n_positions, width)
    for layer in range(config.n_layer):
        linears = {"attn.c_attn": (3 * width, width), "attn.c_proj": (width, width)}
        linears |= {"mlp.c_fc": (inner, width), "mlp.c_proj": (width, inner)}
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"h.{layer}.{norm}.weight": (width,), f"h.{layer}.{norm}.bias": (width,)}
        for name, shape in linears.items():
            shapes |= {f"h.{layer}.{name}.weight": shape, f"h.{layer}.{name}.bias": shape[:1]}
    shapes |= {"ln_f.weight": (width,), "ln_f.bias": (width,)}
    return {name: random(seed, *shape, scale=0.5, around=0.2) for seed, (name, shape) in enumerate(shapes.items())}


def changes_of(config: Any, seq: int) -> list[Any]:
    """An intervention in every layer, each another one."""
    from gpt2.model.changes import Change, Changes

    def change(seed: int, *shape: int) -> Any:
        return Change(random(seed, *shape[:-1], 1, scale=0.2, around=1), random(seed + 1, *shape, scale=0.2))

    heads = (seq, config.n_head, config.n_embd // config.n_head)
    stream = (seq, config.n_embd)
    seeds = range(100, 100 + 10 * config.n_layer, 10)
    return [
        Changes(change(seed, *stream), change(seed + 2, *heads), change(seed + 4, *stream), change(seed + 6, *stream))
        for seed in seeds
    ]


def cases() -> tuple[Case, ...]:
    """One block that reads a prompt, and two that read one more token: a trace takes as long as it has blocks."""
    import numpy as np

    from gpt2.learn.trial import of_module
    from gpt2.model.attention import Past
    from gpt2.model.config import GPT2Config

    made = []
    for n_layer, ids, positions, n_past in ((1, [4, 1, 9, 1, 7], [0, 1, 2, 3, 4], 0), (2, [5], [3], 3)):
        config = GPT2Config(11, 13, 6, n_layer, 2, 16)
        shape = (n_past, 2, 3)
        past = [Past(random(70 + layer, *shape), random(80 + layer, *shape)) for layer in range(n_layer)]
        arguments = (np.array(ids), np.array(positions), past if n_past else None, changes_of(config, len(ids)))
        compute = of_module("Transformer", (config,), weights_of(config), *arguments)
        label = f"one token after {n_past} others" if n_past else f"{len(ids)} tokens"
        made.append(Case(f"{label} and {n_layer} block{'s' * (n_layer > 1)}", compute))
    return tuple(made)


LESSON = Lesson(
    number=10,
    name="stack",
    title="The stack",
    question="What do many blocks, one on top of the other, make of a token?",
    component="transformer",
    defines="Transformer",
    blanks=(
        Blank(
            BLOCKS,
            "As many blocks as the configuration says, each with weights of its own and the number of its layer.",
            {
                "[Block(config, 0)] * config.n_layer": ONE_BLOCK,
                "[Block(config, layer) for layer in range(config.n_layer - 1)]": COUNT,
                "[Block(config, layer) for layer in range(12)]": COUNT,
            },
        ),
        Blank(
            EMBEDDED,
            "What enters the first block: what each token is and where it stands.",
            {
                "self.embeddings.wte(ids)": "The positions were not added. Without them the model cannot tell the "
                "order of the words.",
                "self.embeddings(positions, ids)": "Tokens and positions are swapped: the first argument says which "
                "token it is, the second where it stands.",
            },
        ),
        Blank(
            MASK,
            "The causal mask while a prompt is read. After a past there is one new token alone, which needs none.",
            {
                "None": "There is no mask, so every token reads those after it, which it should predict.",
                "causal_mask(ids) if past is None else None": "The mask was made of the tokens. It compares where they "
                "stand, not which they are.",
            },
        ),
        Blank(
            OF_LAYER,
            "The keys and values that this layer keeps of the tokens before, if there are any.",
            {
                "None": "The past was left out, so a new token sees nothing but itself.",
                "None if past is None else past[0]": "Every layer was given the first layer's past. Each keeps its own "
                "keys and values.",
            },
        ),
        Blank(
            END,
            "What leaves the stack: the stream after the last block, brought to one size.",
            {
                "x": "The final norm is missing. The blocks only add to the stream, so it has grown; the norm tidies "
                "up once at the end.",
                "self.ln_f(self.embeddings(ids, positions))": "What leaves is the embeddings. The work of the blocks "
                "was thrown away.",
                "self.ln_f(x) + x": "The stream was added to the final norm. That norm stands at the end of the "
                "stream, not beside it.",
            },
        ),
    ),
    mistakes=(
        Mistake({STEP: "y = block(x,", END: "self.ln_f(y)"}, NOT_CARRIED),
        Mistake(
            {STEP: "x = x + block(x,"},
            "The stream was added once more. A block adds to the stream itself and gives back the sum.",
        ),
        Mistake(
            {"changes[layer]": "changes[0]"},
            "Every layer was given the changes of the first one. `changes` holds one entry for each layer.",
        ),
        Mistake(
            {BLOCKS: "[Block(config, 0)]", "enumerate(self.h)": "enumerate([self.h[0]] * len(changes))"},
            ONE_BLOCK,
        ),
        Mistake({"enumerate(self.h)": "enumerate(list(self.h)[:-1])"}, COUNT),
        Mistake(
            {END: "x", STEP: "x = self.ln_f(x)\n            x = block(x,"},
            "The final norm was applied before every block. It comes once, after the last one.",
        ),
    ),
    hints=(
        "Each block has the same shape and its own weights: a list of them, made in a loop.",
        "The vector that leaves one block enters the next. Follow one name through the loop.",
        "A block needs four things: the stream, the mask, its own layer's past, and its own layer's changes.",
    ),
    cases=cases,
    on_stage=on_stage.stack,
    asking=ASKING,
)
