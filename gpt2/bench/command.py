"""`python -m gpt2 bench` and `python -m gpt2 parity`: their options, and what they print."""

import argparse
import sys

from gpt2.text.streams import answer, tell

NAMES = "lengths", "quick", "visitors", "runs", "tokens", "serve", "beside"


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    """What `bench` takes beside the model."""
    parser.add_argument("--lengths", type=int, nargs="+", help="context lengths in tokens (100 400 900, if they fit)")
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--visitors", type=int, help="measure this many runs at once instead")
    parser.add_argument("--runs", type=int, help="how many runs in all, with --visitors; memory is reported every 20")
    parser.add_argument("--tokens", type=int, help="how many tokens each of these runs generates (default: 32)")
    parser.add_argument("--serve", action="store_true", help="measure the endpoint instead, beside the engine's turns")
    parser.add_argument("--beside", nargs="+", default=[], help="other servers with --serve: http://host:port/v1=name")


def add_parity_options(parser: argparse.ArgumentParser) -> None:
    """What `parity` takes beside the model."""
    parser.add_argument("--against", choices=("transformers", "transformer_lens"), default="transformers")
    parser.add_argument("--lengths", type=int, nargs="+", default=[10, 100], help="prompt lengths in tokens")


def run(options: argparse.Namespace) -> None:
    """Do what was asked for; exit status 1 if numbers, or a text, are not as they should be."""
    if not (parity if options.command == "parity" else bench)(options):
        sys.exit(1)


def parity(options: argparse.Namespace) -> bool:
    """Compare and print the table; whether no difference is too large."""
    from gpt2.checkpoints.download import model_folder

    from . import hook_parity
    from . import parity as whole_parity

    against = hook_parity if options.against == "transformer_lens" else whole_parity
    found = against.report(model_folder(options.model, tell), options.model, tuple(options.lengths), options.device)
    answer(options, found, against.table(found))
    return bool(found["passed"])


def bench(options: argparse.Namespace) -> bool:
    """Measure and print the table; whether every run at once gave the text that the same run gives alone."""
    from .report import report
    from .table import table

    found = report(options.model, tell, **{name: getattr(options, name) for name in NAMES})
    answer(options, found, table(found))
    return "visitors" not in found or bool(found["visitors"]["passed"])
