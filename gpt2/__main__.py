"""The command line: `python -m gpt2` with generate, trace, attribute, ablate, bench, learn, serve and more."""

from .engine import interrupts

if __name__ == "__main__":  # before the other imports, which take a while
    interrupts.handle()

import argparse
import json
import shlex
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from . import load
from .bench import command as bench_command
from .checkpoints.catalog import MINE
from .engine.importing import MAX_BYTES, NUMPY_BYTES, check_address_space, check_open_files
from .engine.settings import learn_folder
from .errors import GPT2Error, SettingsError, reason
from .experiments import compare_command
from .experiments.command import add_commands as add_experiments
from .reading import attribute_command, paths_command
from .text import streams
from .text.one_line import Parser, one_line
from .text.streams import answer, clear, tell

if TYPE_CHECKING:  # NumPy, which it needs, is imported only once there is room for it
    from .engine.engine import Engine
    from .engine.run import Run
    from .model.sampling import Sampling
    from .trace.step import Step
    from .trace.trace import Trace


READINGS = {"attribute": attribute_command, "paths": paths_command}
NOT_COMPILED = "No graphs are compiled for this model: it runs operation by operation. To make it fast, run once:"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog="python -m gpt2", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)

    def command(name: str, run: Callable[[argparse.Namespace], None], summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        if name not in ("models", "learn"):
            text = "bundled, gpt2, mine (built in the course), a Hugging Face id, or a folder"
            added.add_argument("--model", default="bundled", help=text)
        if name not in ("models", "bench", "learn", "serve"):
            text = "auto uses a GPU if MAX can use one (default: cpu)"
            added.add_argument("--device", choices=("auto", "cpu", "gpu"), default="cpu", help=text)
        added.add_argument("--json", action="store_true", help="print one JSON object")
        added.set_defaults(run=run)
        return added

    for name, run, summary in (
        ("generate", generate, "Continue a prompt and print the text."),
        ("trace", trace, "Continue a prompt and save every activation in a file."),
        ("attribute", read, "Say how much each part of the model adds to a token's logit after a prompt."),
        ("paths", read, "Say by which ways what leaves the last layer came from the embeddings."),
        ("compare", compare, "Run a prompt beside another prompt or in another model, and compare them step by step."),
    ):
        added = command(name, run, summary)
        added.add_argument("prompt", nargs="?", help="used exactly as given; - reads standard input")
        added.add_argument("--ids", type=int, nargs="+", help="token ids as the prompt, instead of a text")
        if name in READINGS:
            READINGS[name].add_options(added)
            continue
        added.add_argument("--max-new-tokens", type=int, default=20)
        added.add_argument("--temperature", type=float, default=1.0, help="0 is greedy")
        added.add_argument("--top-k", type=int, default=0, help="0 keeps all")
        added.add_argument("--top-p", type=float, default=1.0, help="1 keeps all")
        added.add_argument("--seed", type=int, default=0)
        added.add_argument("--ignore-eos", action="store_true", help="go on after a token that ends the text")
        if name == "compare":
            compare_command.add_options(added)
        if name == "trace":
            added.add_argument("--out", type=Path, required=True, help="the .npz or .json file to write")
            added.add_argument("--half", action="store_true", help="captures as float16, in an .npz")
            added.add_argument("--check", action="store_true", help="check the numbers; status 1 if one fails")
    add_experiments(command, ready, answer)
    bench = of_room(".bench.command")
    added = command("bench", bench, "Measure speed and memory beside Hugging Face transformers, or many runs at once.")
    bench_command.add_bench_options(added)
    added = command("parity", bench, "Compare with another program, number by number.")
    bench_command.add_parity_options(added)
    added = command("compile", compile_graphs, "Compile a model's graphs ahead of time.")
    added.add_argument("--ship", action="store_true", help="compile the graphs in the repository that changed")
    command("roles", roles, "Measure what each head does, on random tokens that are said twice.")
    command("models", models, "List the available models, their sizes, and where they are stored.")
    added = command("learn", of_room(".learn.command"), "Build GPT-2 yourself: begin, check or see your lessons.")
    added.add_argument("action", choices=("status", "start", "check", "watch", "hint"))
    added.add_argument("lesson", type=int, nargs="?", help="the lesson's number, 1 to 12")
    added.add_argument("hint", type=int, nargs="?", default=1, help="with hint: which one, 1 for the first")
    added.add_argument("--folder", type=Path, default=learn_folder(), help="your own folder (default: my_gpt2)")
    added = command("serve", of_room(".serving.launcher"), "Answer OpenAI's completions over HTTP with MAX Serve.")
    added.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (default: 8000)")
    return parser.parse_args(arguments)


def sampling_of(options: argparse.Namespace) -> "Sampling":
    """The sampling settings on the command line."""
    from .model.sampling import Sampling

    if options.max_new_tokens < 0:
        raise SettingsError(f"--max-new-tokens must be 0 or more, not {options.max_new_tokens}.")
    return Sampling(options.temperature, options.top_k, options.top_p, options.seed)


def new_tokens(run: "Run", sampling: "Sampling", options: argparse.Namespace) -> Iterator[tuple["Step", float]]:
    """Make the tokens that were asked for, until the text ends or its context is full: steps and their milliseconds."""
    for _ in range(options.max_new_tokens):
        if run.is_full:
            print(f"{run.why_full} Stopped there.", file=sys.stderr)
            return
        since = time.perf_counter()
        step = run.advance(sampling)
        yield step, (time.perf_counter() - since) * 1000
        if run.has_ended and not options.ignore_eos:
            return


def ready(options: argparse.Namespace) -> "Engine":
    """The model, ready at once: nothing is compiled while somebody waits for a text."""
    engine = load(options.model, tell, options.device, at_once=True)
    clear()
    if engine.is_interpreted and options.model != MINE:
        print(f"{NOT_COMPILED} python -m gpt2 compile --model {shlex.quote(options.model)}", file=sys.stderr)
    return engine


def generate(options: argparse.Namespace) -> None:
    """Print the continuation token by token, or one JSON object at the end."""
    from .reading.report import token_report

    sampling = sampling_of(options)
    engine = ready(options)
    run = engine.start(options.ids or options.prompt)
    prompt = options.prompt or engine.tokenizer.vocabulary.text(options.ids)
    if not options.json:
        print(prompt, end="", flush=True)
    tokens = []
    characters = getincrementaldecoder("utf-8")("replace")  # one token may end in the middle of a character
    for step, ms in new_tokens(run, sampling, options):
        tokens.append(token_report(step, run.trace.vocabulary, ms))
        if not options.json:
            print(characters.decode(engine.tokenizer.vocabulary[tokens[-1]["id"]]), end="", flush=True)
    if options.json:
        result = {
            "model": options.model,
            "prompt": prompt,
            "prompt_ids": run.prompt_ids,
            "text": prompt + engine.tokenizer.vocabulary.text([token["id"] for token in tokens]),
            "seed": options.seed,
            "settings": {
                **sampling.to_dict(),
                "max_new_tokens": options.max_new_tokens,
                "ignore_eos": options.ignore_eos,
            },
            "finish_reason": "stop" if run.has_ended and not options.ignore_eos else "length",
            "tokens": tokens,
        }
        print(json.dumps(result, ensure_ascii=True))
    else:
        print(characters.decode(b"", final=True))  # the last token may have left a character incomplete


def trace(options: argparse.Namespace) -> None:
    """Run a prompt and save its trace in a file, which is opened first: a run is too dear to be lost at its end."""
    from .trace.whole_file import whole_file

    try:
        with whole_file(options.out) as file:
            engine, made = recorded(options)
            if options.out.suffix == ".json":
                made.save_json(file)
            else:
                made.save(file, half=options.half)
    except OSError as error:
        raise GPT2Error(f"{options.out} cannot be written: {error.strerror or error}.") from None
    payload = {"out": str(options.out), "text": made.text, "steps": len(made.steps), "run_id": made.run_id}
    checks = engine.check(made) if options.check else ()
    payload |= {"checks": [asdict(check) for check in checks]} if options.check else {}
    first = f"{options.out}: {len(made.steps)} steps, {made.seq} positions, {made.nbytes / 1e6:.1f} MB of captures"
    answer(options, payload, "\n".join([first, *map(str, checks)]))
    if any(check.has_failed for check in checks):
        sys.exit(1)


def recorded(options: argparse.Namespace) -> "tuple[Engine, Trace]":
    """The model and the run that the command line asks for; with no new tokens, one forward pass over the prompt."""
    sampling = sampling_of(options)
    engine = ready(options)
    run = engine.start(options.ids or options.prompt)
    for _ in new_tokens(run, sampling, options):
        pass
    if not run.trace.steps:
        run.advance(None)
    return engine, run.trace


def read(options: argparse.Namespace) -> None:
    """Print a reading of one forward pass over the prompt."""
    engine = ready(options)
    trace = engine.run(options.ids or options.prompt)
    answer(options, *READINGS[options.command].report(options, trace, engine.checkpoint))


def compare(options: argparse.Namespace) -> None:
    """Run two models or prompts, and print how far apart they are at every step."""
    answer(options, *compare_command.report(options, ready, sampling_of(options)))


def roles(options: argparse.Namespace) -> None:
    """Print the strongest heads of each role, or every head's score as one JSON object."""
    from .engine.head_roles import measure_roles
    from .reading.roles import table

    found = measure_roles(ready(options))
    answer(options, {"model": options.model, **found.to_dict()}, table(found))


def compile_graphs(options: argparse.Namespace) -> None:
    """Compile the missing graphs; the JSON object names the folder that stores them."""
    from .interpreter import compile_command

    answer(options, *compile_command.compile_graphs(options))


def models(options: argparse.Namespace) -> None:
    """Print the bundled model, the models with a short name, and those that the host offers."""
    from .checkpoints.catalog import KNOWN
    from .checkpoints.listing import listed, table
    from .engine.settings import offered_models

    rows = [listed(name) for name in dict.fromkeys(["bundled", *KNOWN, *offered_models()])]
    answer(options, {"models": [row.to_dict() for row in rows]}, table(rows))


def of_room(module: str) -> Callable[[argparse.Namespace], None]:
    """What a room's own `run` does with the command line; it is imported only then."""
    return lambda options: import_module(module, __package__).run(options)


def run(arguments: list[str]) -> None:
    """Read the command line and run its command."""
    options = parse(arguments)
    check_open_files()
    check_address_space(NUMPY_BYTES if options.command == "models" else MAX_BYTES)
    if hasattr(options, "prompt"):
        from .text.prompt import as_given, read_prompt

        if (options.prompt is None) == (options.ids is None):
            raise SettingsError("Give either a prompt or token ids with --ids.")
        if options.prompt is not None:
            options.prompt = read_prompt(sys.stdin) if options.prompt == "-" else as_given(options.prompt)
    options.run(options)


def main(arguments: list[str] | None = None) -> None:
    """Run one command; whatever prevents it becomes one line on standard error and exit status 2.

    If the reader of the output has gone, as `head` goes, the status is that of a program which SIGPIPE ended.
    """
    with streams.messages():
        try:
            with streams.output():
                run(sys.argv[1:] if arguments is None else arguments)
        except (GPT2Error, ImportError, MemoryError, OSError) as error:
            clear()
            print(f"python -m gpt2: {one_line(reason(error))}", file=sys.stderr)
            sys.exit(2)
        except streams.ReaderGone:
            sys.exit(141)


if __name__ == "__main__":
    main()
