"""The options of `python -m gpt2 bench`."""

import argparse
from typing import Any

NAMES = "lengths", "quick", "visitors", "runs", "tokens", "serve", "beside"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options beside the model."""
    parser.add_argument("--lengths", type=int, nargs="+", help="context lengths in tokens (100 400 900, if they fit)")
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--visitors", type=int, help="measure this many runs at once instead")
    parser.add_argument("--runs", type=int, help="how many runs in all, with --visitors; memory is reported every 20")
    parser.add_argument("--tokens", type=int, help="how many tokens each of these runs generates (default: 32)")
    parser.add_argument("--serve", action="store_true", help="measure the endpoint instead, beside the engine's turns")
    parser.add_argument("--beside", nargs="+", default=[], help="other servers with --serve: http://host:port/v1=name")


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """What `report` takes of them."""
    return {name: getattr(options, name) for name in NAMES}
