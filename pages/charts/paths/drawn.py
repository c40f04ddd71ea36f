"""The graph of paths as a picture: tokens from left to right, layers upwards, and only the tokens that have an edge."""

from itertools import pairwise

from gpt2.reading.arrivals import ATTENTION, CARRIED, Place
from gpt2.reading.logit_parts import MLP
from gpt2.reading.paths import Edge, PathGraph
from gpt2.trace.trace import Trace
from pages.graph.picture import Concept, GraphPicture, Line, Node
from pages.look.names import layer_name
from pages.look.numbers import percent
from pages.look.tokens import unmarked

from .words import edge_name, place_name

TITLE = "By which paths"
LEGEND: dict[Concept, str] = {
    "attention": "attention, all heads",
    "mlp": "MLP",
    "residual": "carried on",
}
CAPTION = (
    "Tokens from left to right, layers upwards. The whole is the vector that leaves the last layer, whatever token it "
    "makes likely. Edges are as wide, and places as large, as what comes through them of it. The strongest path is "
    "underlaid."
)
CONCEPTS: dict[str, Concept] = {ATTENTION: "attention", MLP: "mlp", CARRIED: "residual"}
ROW, MOST_HIGH, BESIDE = 28, 640, 130


def place_id(place: Place) -> str:
    """The id of a node."""
    return f"{place.depth}.{place.position}"


def edge_id(edge: Edge) -> str:
    """The id of an edge."""
    return f"{place_id(edge.source)}-{place_id(edge.target)}-{CONCEPTS[edge.kind]}"


def opened(graph: PathGraph, picked: str) -> tuple[Place, Edge | None]:
    """The place whose parts are shown, and the edge of attention into it whose heads are, if one was picked."""
    edge = next((edge for edge in graph.edges if edge_id(edge) == picked), None)
    if edge is not None:
        return edge.target, edge if edge.kind == ATTENTION else None
    return next((place for place in graph.flow if place_id(place) == picked), graph.top), None


def first_pick(graph: PathGraph) -> str:
    """What is open at first: the edge of attention from another token that carries most, or any; else the top."""
    edges = sorted(graph.edges, key=lambda edge: -edge.through)
    others = [edge for edge in edges if edge.source.position != edge.target.position]
    first = next(iter([*others, *(edge for edge in edges if edge.kind == ATTENTION), *edges]), None)
    return place_id(graph.top) if first is None else edge_id(first)


def picture(trace: Trace, graph: PathGraph, sentence: str) -> GraphPicture:
    """Every place and every edge; the strongest path is highlighted, the top has the ring, the sentence is its name."""
    positions = sorted({place.position for place in graph.flow})
    column = {position: at for at, position in enumerate(positions)}
    strong = set(graph.paths[0].edges) if graph.paths else set[Edge]()
    strong_places = {place for edge in strong for place in (edge.source, edge.target)}
    n_layer = trace.config.n_layer
    nodes = [
        Node(
            place_id(place),
            place.depth,
            column[place.position],
            share,
            (place_name(trace, place), f"{place.name}: {percent(share)} of the whole comes through here"),
            place in strong_places,
        )
        for place, share in graph.flow.items()
    ]
    lines = [
        Line(
            edge_id(edge),
            place_id(edge.source),
            place_id(edge.target),
            CONCEPTS[edge.kind],
            edge.through,
            (f"{percent(edge.share, 2)}, {edge_name(edge)}", _ends(trace, edge)),
            edge in strong,
        )
        for edge in graph.edges
    ]
    return GraphPicture(
        f"{TITLE}. {unmarked(sentence)}",
        ["embedding", *(f"{layer_name(n)} {part}" for n in range(n_layer) for part in ("attention", "MLP"))],
        [trace.labels[position] for position in positions],
        [at for at, (left, right) in enumerate(pairwise(positions), 1) if right > left + 1],
        nodes,
        lines,
        place_id(graph.top),
        f"leaves the last layer at {trace.labels[graph.top.position]}",
        LEGEND,
        BESIDE + min(MOST_HIGH, ROW * 2 * n_layer),
    )


def _ends(trace: Trace, edge: Edge) -> str:
    source = "itself" if edge.source.position == edge.target.position else place_name(trace, edge.source)
    arrives = f"of what arrives at {place_name(trace, edge.target)} {edge.target.name}, from {source}"
    return f"{arrives}; {percent(edge.through, 2)} of the whole"
