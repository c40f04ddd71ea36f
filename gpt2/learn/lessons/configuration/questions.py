"""Questions of lesson 1, on the configuration of the model that made the run."""

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.question import Contest, Question, of_contest, of_numbers
from gpt2.learn.words import percent
from gpt2.trace.trace import Trace


def largest_part(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """Where most of the parameters lie."""
    config = checkpoint.config
    width, inner = config.n_embd, config.n_inner
    counts = {
        "In the table of the tokens": config.vocab_size * width,
        "In the table of the positions": config.n_positions * width,
        "In the attention of all layers": config.n_layer * (4 * width * width + 4 * width),
        "In the MLPs of all layers": config.n_layer * (2 * width * inner + inner + width),
    }
    names, whole = list(counts), config.n_params
    return of_contest(
        "largest_part",
        "Where do most of this model's parameters lie?",
        Contest.of(list(counts.values())),
        dict(enumerate(names)),
        lambda at: f"{names[at]}: {counts[names[at]]:,} of {whole:,}, which is {percent(counts[names[at]] / whole)}.",
        f"A layer's attention has four square matrices of {width} by {width}. Its MLP has two of {width} by {inner}. A "
        f"table has one row of {width} for each token or position.",
    )


def head_width(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How wide a head is."""
    config = checkpoint.config
    return of_numbers(
        "head_width",
        f"The stream is {config.n_embd} wide and a layer has {config.n_head} heads. How wide is the query of one head?",
        str(config.n_embd // config.n_head),
        (str(config.n_embd), str(config.n_embd * config.n_head), str(config.n_head)),
        f"{config.n_embd} / {config.n_head} = {config.n_embd // config.n_head}.",
        "The heads share out the width evenly, so the width must be a multiple of their number. More heads do not make "
        "attention larger, only finer.",
    )


def room_left(trace: Trace, checkpoint: Checkpoint, layer: int) -> Question | None:
    """How many positions are left for the run."""
    config, seq = checkpoint.config, trace.seq
    return of_numbers(
        "room_left",
        f"The model has read {seq} tokens of this run. How many more can it read?",
        f"{config.n_positions - seq:,}",
        [f"{size:,}" for size in (config.n_positions, config.vocab_size - seq, config.n_embd - seq) if size > 0],
        f"n_positions is {config.n_positions:,}, and {config.n_positions:,} − {seq} = {config.n_positions - seq:,}.",
        "Every position has a row of its own in a table that was learned. There is no row after the last, so the text "
        "ends there, however large the vocabulary is.",
    )


ASKING = (largest_part, head_width, room_left)
