"""Sentences about paths: the strongest one read aloud, what came from which token, and how places are called."""

from gpt2.checkpoints.weights import Checkpoint
from gpt2.reading.arrivals import ATTENTION, CARRIED, Place
from gpt2.reading.paths import MOST_PLACES, Edge, Path, PathGraph, heads_of
from gpt2.trace.trace import Trace
from pages.look.names import head_name, layer_name, part_name
from pages.look.numbers import percent
from pages.look.tokens import spoken_at

NAMED = 4
NO_PATH = "No path leads to an embedding: an intervention has replaced the stream on the way."


def place_name(trace: Trace, place: Place) -> str:
    """A place: '·king (position 12)'."""
    return f"{spoken_at(trace, place.position)} (position {place.position})"


def edge_name(edge: Edge) -> str:
    """What carried an edge: 'attention of L2', 'MLP of L2', 'carried on past attention of L2'."""
    if edge.kind == CARRIED:
        return f"carried on past {_writer(edge.target)}"
    return part_name(edge.kind, edge.target.layer)


def path_sentence(trace: Trace, checkpoint: Checkpoint, graph: PathGraph) -> str:
    """The strongest path from the bottom up, in one sentence with the share of each hop and their product."""
    if not graph.paths:
        return NO_PATH
    path = graph.paths[0]
    hops = [_hop(trace, checkpoint, hop) for hop in path.hops]
    listed = ", ".join(hops[:-1]) + (" and " if hops[:-1] else "") + hops[-1]
    strongest = "The strongest path" if graph.is_strongest else "The strongest path that is drawn"
    return (
        f"{strongest} begins at the embedding of {place_name(trace, path.edges[0].source)}, {listed}: together "
        f"{percent(path.share, 2)} of what leaves the last layer at {place_name(trace, graph.top)}."
    )


def _hop(trace: Trace, checkpoint: Checkpoint, hop: Path) -> str:
    edge, end = hop.edges[0], hop.edges[-1].target
    share = percent(hop.share)
    if edge.kind == CARRIED:
        return f"is carried on past {_writer(end)} ({share})"
    if edge.kind == ATTENTION:
        heads = heads_of(trace, checkpoint, edge)
        most = f"{head_name(end.layer, int(heads.argmax()))} most"
        reader = "itself" if edge.source.position == end.position else place_name(trace, end)
        return f"is read by {reader} in attention of {layer_name(end.layer)} ({share}, {most})"
    return f"goes through the MLP of {layer_name(end.layer)} ({share})"


def _writer(place: Place) -> str:
    return f"{'attention' if place.is_after_attention else 'the MLP'} of {layer_name(place.layer)}"


def origins_sentence(trace: Trace, graph: PathGraph) -> str:
    """What came from the embeddings of which tokens, by all drawn paths, and the strongest path from another token."""
    if not graph.paths:
        return ""
    shares = list(graph.embeddings.items())
    told = ", ".join(f"{percent(share)} from {place_name(trace, place)}" for place, share in shares[:NAMED])
    rest = f", {percent(sum(share for _, share in shares[NAMED:]))} from others" if shares[NAMED:] else ""
    sentence = (
        f"By all drawn paths together came {told}{rest}; the other {percent(graph.rest)} by thinner edges and biases."
    )
    own = graph.paths[0].edges[0].source
    other = next((path for path in graph.paths if path.edges[0].source != own), None)
    if other is not None:
        begins = place_name(trace, other.edges[0].source)
        sentence += f" The strongest path from another token begins at {begins}: {percent(other.share, 2)}."
    return sentence


def thinning_sentence(graph: PathGraph) -> str:
    """How many tokens are drawn, what was left out, and whether a path that is not drawn could be stronger."""
    tokens = f"{len({place.position for place in graph.flow})} of {graph.top.position + 1} tokens"
    least = f"at least {percent(graph.threshold)} of the whole"
    sentence = f"{len(graph.edges)} edges are drawn, with {tokens}: those that carry {least}."
    if graph.left_out:
        sentence += (
            f" {graph.left_out} places that they lead to are left out, for each depth has room for {MOST_PLACES}."
        )
    if graph.is_strongest:
        return f"{sentence} Every path that is left out carries less, so the strongest is drawn."
    return f"{sentence} A path of thinner edges may be stronger than those that are drawn."
