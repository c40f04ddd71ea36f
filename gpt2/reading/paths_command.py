"""`python -m gpt2 paths`: its options, and what it prints."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # NumPy, which they need, is imported only once there is room for it
    from gpt2.checkpoints.weights import Checkpoint
    from gpt2.trace.trace import Trace

    from .arrivals import Place
    from .paths import Path, PathGraph

SHOWN = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options beside the prompt and the model."""
    parser.add_argument("--threshold", type=float, default=0.01, help="leave out edges that carry less (default: 0.01)")
    parser.add_argument("--position", type=int, default=-1, help="where the walk begins (default: last)")


def report(options: argparse.Namespace, trace: "Trace", checkpoint: "Checkpoint") -> tuple[dict[str, Any], str]:
    """The graph and its strongest path, as one JSON object and as text.

    Raises:
        SettingsError: if there is no such position, or the threshold is no share.
    """
    from .paths import walk_back

    graph = walk_back(trace, checkpoint, options.position, options.threshold)
    payload = {
        "model": checkpoint.name,
        "prompt_ids": list(trace.prompt_ids),
        "position": graph.top.position,
        "threshold": graph.threshold,
        "edges": [edge.to_dict() for edge in graph.edges],
        "paths": [
            {"share": path.share, "edges": [graph.edges.index(edge) for edge in path.edges]} for path in graph.paths
        ],
        "is_strongest": graph.is_strongest,
        "embeddings": [{"position": place.position, "share": share} for place, share in graph.embeddings.items()],
        "left_out": graph.left_out,
    }
    return payload, "\n".join(_lines(trace, checkpoint, graph))


def _lines(trace: "Trace", checkpoint: "Checkpoint", graph: "PathGraph") -> list[str]:
    lines = [
        f"Where what leaves the last layer at {_at(trace, graph.top)} came from: {len(graph.edges)} edges that carry "
        f"at least {graph.threshold:.1%} of it, or most of their depth"
    ]
    if graph.paths:
        lines.append(f"{graph.paths[0].share:7.2%}  came by the strongest path, from the bottom up")
        lines += [f"  {_hop(trace, checkpoint, hop)}" for hop in graph.paths[0].hops]
    else:
        lines.append("No path leads to an embedding: an intervention has replaced the stream.")
    for place, share in list(graph.embeddings.items())[:SHOWN]:
        lines.append(f"{share:7.2%}  came from the embedding of {_at(trace, place)}, by all paths together")
    if rest := list(graph.embeddings.values())[SHOWN:]:
        lines.append(f"{sum(rest):7.2%}  came from {len(rest)} other embeddings")
    lines.append(f"{graph.rest:7.2%}  came by thinner edges, from biases, or from what was added to the run")
    if graph.left_out:
        lines.append(f"{graph.left_out} places with the least of their depth were left out.")
    return lines


def _hop(trace: "Trace", checkpoint: "Checkpoint", hop: "Path") -> str:
    from .arrivals import ATTENTION, CARRIED
    from .paths import heads_of

    edge, end = hop.edges[0], hop.edges[-1].target
    if edge.kind == CARRIED:
        what = f"carried on at {_at(trace, end)}, to the stream {end.name}"
    elif edge.kind == ATTENTION:
        heads = heads_of(trace, checkpoint, edge)
        read = f"{_at(trace, edge.source)} read by {_at(trace, end)}"
        what = f"attention of L{end.layer}: {read}, {heads.max():.2%} by H{heads.argmax()}"
    else:
        what = f"MLP of L{end.layer} at {_at(trace, end)}"
    return f"{hop.share:7.2%}  {what}"


def _at(trace: "Trace", place: "Place") -> str:
    return f"{trace.vocabulary.label(trace.computed_ids[place.position])!r} (position {place.position})"
