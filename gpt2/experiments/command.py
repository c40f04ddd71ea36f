"""The commands ablate, steer and patch: options in, one effect or a sweep of them out, as text or as JSON."""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from gpt2.errors import SettingsError
from gpt2.text.streams import tell

if TYPE_CHECKING:  # NumPy, which they need, is imported only once there is room for it
    from gpt2.engine.engine import Engine

    from .ablation import Result
    from .part import Part
    from .passes import Prompt
    from .sweep import Sweep

AddCommand = Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser]
Ready = Callable[[argparse.Namespace], "Engine"]
Answer = Callable[[argparse.Namespace, dict[str, Any], str], None]
Found = tuple[dict[str, Any], str]
TELL_EVERY = 20  # passes of a sweep


def add_commands(command: AddCommand, ready: Ready, answer: Answer) -> None:
    """Add the three commands.

    Args:
        command: adds one, by its name, what it runs and its summary.
        ready: loads the model that the options name.
        answer: prints a JSON object or a sentence.
    """

    def run(find: Callable[["Engine", argparse.Namespace], Found], options: argparse.Namespace) -> None:
        engine = ready(options)
        payload, sentence = find(engine, options)
        prompt = options.prompt if options.ids is None else engine.tokenizer.vocabulary.text(options.ids)
        answer(options, {"model": options.model, "prompt": prompt, **payload}, sentence)

    for name, find, summary in (
        ("ablate", ablated, "Set heads and MLPs to zero or to a mean, and measure the effect on the next token."),
        ("steer", steered, "Add a direction to the residual stream, and measure the effect on the next token."),
        ("patch", patched, "Put one prompt's activation into another's run, and measure what that restores."),
    ):
        added = command(name, partial(run, find), summary)
        added.add_argument("prompt", nargs="?", help="used exactly as given; - reads standard input")
        added.add_argument("--ids", type=int, nargs="+", help="token ids as the prompt, instead of a text")
        added.add_argument("--positions", type=int, nargs="+", help="only there; -1 is the last (default: everywhere)")
        added.add_argument("--token", help="the token that is watched, such as ' the' with its space")
        added.add_argument("--against", help="the token that its logit is compared with")
        _add_options(name, added)


def _add_options(name: str, added: argparse.ArgumentParser) -> None:
    if name == "ablate":
        added.add_argument("--heads", type=pair, nargs="+", default=[], help="layer and head, such as 2.4")
        added.add_argument("--mlps", type=int, nargs="+", default=[], help="layers whose MLP is ablated")
        added.add_argument("--kind", choices=("zero", "mean"), default="zero", help="mean: over the prompt's positions")
        added.add_argument("--references", nargs="+", default=[], help="texts whose positions are averaged instead")
        added.add_argument("--sweep", action="store_true", help="every head and every MLP, each by itself")
    elif name == "steer":
        added.add_argument("--layer", type=int, required=True, help="the stream before this block is steered")
        added.add_argument("--dose", type=float, required=True, help="1 is as long as the stream is there on average")
        added.add_argument("--toward-token", help="the token whose unembedding is the direction")
        added.add_argument("--toward", help="a text, whose stream minus that of --away is the direction")
        added.add_argument("--away", help="the text that is steered away from")
    else:
        added.add_argument("--source", required=True, help="the text whose activation is taken")
        added.add_argument("--align-end", action="store_true", help="pair the prompts from their ends")
        what = added.add_mutually_exclusive_group(required=True)
        what.add_argument("--stream", type=int, help="the residual stream before this block")
        what.add_argument("--head", type=pair, help="layer and head, such as 2.4")
        what.add_argument("--mlp", type=int, help="the MLP of this layer")
        text = "the stream at every layer and position, or every head and MLP"
        what.add_argument("--sweep", choices=("stream", "parts"), help=text)


def pair(text: str) -> tuple[int, int]:
    """A head, written as its layer and its number.

    Raises:
        ArgumentTypeError: if it is not written so.
    """
    layer, _, number = text.partition(".")
    if not (layer.isdecimal() and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no head; write its layer and its number, such as 2.4")
    return int(layer), int(number)


def ablated(engine: "Engine", options: argparse.Namespace) -> Found:
    """What `ablate` found."""
    from .ablation import ablate
    from .passes import observe
    from .sweep import sweep_ablation

    tokens, prompt = _tokens(engine, options), _prompt(options)
    if options.sweep:
        if options.heads or options.mlps or options.positions or options.references:
            raise SettingsError("A sweep ablates every head and MLP at all positions; leave out what it should ablate.")
        swept = _last(sweep_ablation(engine, observe(engine, prompt), options.kind, **tokens))
        return _swept(engine, swept, f"{options.kind} ablation", "change of the logit difference")
    asked = options.heads, options.mlps, options.kind, options.positions, options.references
    return _found(engine, ablate(engine, prompt, *asked, **tokens))


def steered(engine: "Engine", options: argparse.Namespace) -> Found:
    """What `steer` found."""
    from gpt2.text.one_token import one_token

    from .steering import steer

    if (options.toward_token is None) == (options.toward is None):
        raise SettingsError("Give either --toward-token, or two texts with --toward and --away.")
    if options.toward is not None and options.away is None:
        raise SettingsError("Steering towards a text needs another to steer away from; give --away too.")
    toward = options.toward
    if options.toward_token is not None:
        toward = one_token(options.toward_token, engine.tokenizer)
    asked = options.layer, options.dose, toward, options.away, options.positions
    return _found(engine, steer(engine, _prompt(options), *asked, **_tokens(engine, options)))


def patched(engine: "Engine", options: argparse.Namespace) -> Found:
    """What `patch` found."""
    from .passes import observe
    from .patching import Pair, patch
    from .sweep import sweep_patching

    tokens, prompt = _tokens(engine, options), _prompt(options)
    if options.sweep:
        runs = observe(engine, options.source), observe(engine, prompt)
        swept = _last(sweep_patching(engine, Pair.of(*runs, options.align_end, **tokens), options.sweep))
        return _swept(engine, swept, f"patching from {options.source!r}", "share restored: 0 none, 1 all")
    asked = _part(options), options.positions, options.align_end
    found = patch(engine, prompt, options.source, *asked, **tokens)
    payload, sentence = _found(engine, found)
    return {**payload, "share": found.share}, f"{sentence} It restores {found.share:.1%} of the difference."


def _prompt(options: argparse.Namespace) -> "Prompt":
    prompt: Prompt = options.prompt if options.ids is None else options.ids
    return prompt


def _part(options: argparse.Namespace) -> "Part":
    from .part import head, mlp, stream

    if options.head is not None:
        return head(*options.head)
    return stream(options.stream) if options.stream is not None else mlp(options.mlp)


def _tokens(engine: "Engine", options: argparse.Namespace) -> dict[str, Any]:
    from gpt2.text.one_token import one_token

    given = {"token": options.token, "against": options.against}
    return {name: None if text is None else one_token(text, engine.tokenizer) for name, text in given.items()}


def _found(engine: "Engine", found: "Result") -> Found:
    vocabulary = engine.tokenizer.vocabulary
    payload = {"change": found.says, "effect": found.effect.to_dict(vocabulary)}
    return payload, f"{found.says}. {found.effect.in_words(vocabulary)}"


def _last(sweep: Iterator["Sweep"]) -> "Sweep":
    newest = next(sweep)
    for newest in sweep:
        if newest.done % TELL_EVERY == 0:
            tell(f"{newest.done} of {newest.total} passes.")
    return newest


def _swept(engine: "Engine", swept: "Sweep", change: str, measure: str) -> Found:
    vocabulary = engine.tokenizer.vocabulary
    columns = ["MLP" if column < 0 else str(column) for column in swept.columns]
    token, against = vocabulary.label(swept.token), vocabulary.label(swept.against)
    payload = {
        "change": change,
        "measure": measure,
        "token": {"id": swept.token, "label": token},
        "against": {"id": swept.against, "label": against},
        "layers": list(swept.rows),
        "columns": columns,
        "values": swept.values.tolist(),
    }
    lines = [f"{change}, {measure}, {token} against {against}", "layer" + "".join(f"{name:>8}" for name in columns)]
    for row, values in zip(swept.rows, swept.values, strict=True):
        lines.append(f"{row:>5}" + "".join(f"{value:>+8.3f}" for value in values))
    return payload, "\n".join(lines)
