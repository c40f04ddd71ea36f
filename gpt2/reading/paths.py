"""Where an answer came from: the residual stream walked back from the top to the embeddings, as a graph. NumPy alone.

Every place that is reached is taken apart into what arrives there (`arrivals`), and the walk goes on to where the parts
came from: below at the same position, or the positions that attention read (the information flow routes of Ferrando
and Voita, 2024). The shares of a place multiply with what comes through it of the whole, so at every depth all edges
together carry at most 1. The routes' authors thin by the share at a place; here edges are thinned by what they carry of
the whole, which leaves few of them however long the text is.

The walk knows no token: it explains the whole vector that leaves the last layer.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from gpt2.checkpoints.weights import Checkpoint
from gpt2.errors import SettingsError
from gpt2.model.plain import number, quoted
from gpt2.trace.trace import Trace

from .arrivals import ATTENTION, CARRIED, Arrival, Floats, Place, arrival
from .attribution import check_weights, checked_position
from .logit_parts import MLP

THRESHOLD = 0.01
# At one depth. What comes through all places of a depth is at most 1, so another has less than a fortieth of it.
MOST_PLACES = 40


class Edge(NamedTuple):
    """One way into a place.

    Attributes:
        kind: `CARRIED`, `ATTENTION` (all heads together) or `MLP`, which reads the stream just below.
        share: its share of what arrives at the target.
        through: what comes through it of all that arrives at the top.
    """

    source: Place
    target: Place
    kind: str
    share: float
    through: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        ends = {"from": self.source.position, "to": self.target.position}
        return {"kind": self.kind, **ends, "into": self.target.hook, "share": self.share, "through": self.through}


@dataclass(frozen=True)
class Path:
    """A way from an embedding to the top, as its edges from the bottom up."""

    edges: tuple[Edge, ...]

    @property
    def share(self) -> float:
        """The product of its edges' shares: what came this way of all that arrives at the top."""
        return math.prod(edge.share for edge in self.edges)

    @property
    def hops(self) -> list["Path"]:
        """Its parts from the bottom up; edges in a row that only carry the stream on are one."""
        rows = groupby(self.edges, key=lambda edge: edge.kind == CARRIED or edge)
        return [Path(tuple(row)) for _, row in rows]


@dataclass(frozen=True)
class PathGraph:
    """The ways back from one position along edges that carry enough, and along the largest of a depth if none does.

    Attributes:
        top: where the walk began.
        threshold: what comes at least through an edge of all that arrives at the top.
        edges: from the top down; those into one place begin with the largest.
        flow: what comes through each place of all that arrives at the top, along these edges.
        left_out: how many places were reached and left out because their depth already had `MOST_PLACES`.
    """

    top: Place
    threshold: float
    edges: tuple[Edge, ...]
    flow: dict[Place, float]
    left_out: int

    @cached_property
    def paths(self) -> list[Path]:
        """The strongest path from each embedding that is reached, the strongest of all first.

        None reaches one where an intervention has replaced the stream.
        """
        best, way = {self.top: 1.0}, dict[Place, Edge]()
        for edge in self.edges:  # from the top down: nothing changes any more about its target
            share = best[edge.target] * edge.share
            if share > best.get(edge.source, 0):
                best[edge.source], way[edge.source] = share, edge
        return sorted((_path(way, place) for place in self.embeddings), key=lambda path: -path.share)

    @property
    def embeddings(self) -> dict[Place, float]:
        """What came from each embedding of all that arrives at the top, the largest first."""
        found = [(place, flow) for place, flow in self.flow.items() if not place.depth]
        return dict(sorted(found, key=lambda one: -one[1]))

    @property
    def rest(self) -> float:
        """What came by thinner edges, from biases, or from what interventions added."""
        return 1 - sum(self.embeddings.values())

    @property
    def is_strongest(self) -> bool:
        """Whether no path of the whole model is stronger than the first of `paths`.

        A path that is as strong as the threshold has no edge that carries less.
        """
        return bool(self.paths) and not self.left_out and self.paths[0].share >= self.threshold


def walk_back(trace: Trace, checkpoint: Checkpoint, position: int = -1, threshold: float = THRESHOLD) -> PathGraph:
    """Walk from the top of the stream at a position back to the embeddings.

    Args:
        trace: any run; captures that it dropped are recomputed if it can.
        checkpoint: the weights that made it.
        position: where the walk begins; -1 is the newest.
        threshold: what must come through an edge of all that arrives at the top, from 0 to 1.

    Raises:
        SettingsError: if there is no such position, or no such share.
        TraceError: if other weights made the run, or a capture was dropped and cannot be recomputed; it is named.
    """
    at = checked_position(trace, position)
    least = number(threshold)
    if least is None or not 0 <= least <= 1:
        raise SettingsError(f"The threshold must be a share from 0 to 1, not {quoted(threshold)}.")
    check_weights(trace, checkpoint, at)
    top = Place(2 * trace.config.n_layer, at)
    flow, edges, left_out, level = {top: 1.0}, list[Edge](), 0, [top]
    for _ in range(top.depth):
        found = [edge for place in level for edge in edges_into(arrival(trace, checkpoint, place), flow[place])]
        largest = max((edge.through for edge in found), default=0.0)
        found = [edge for edge in found if edge.through >= min(least, largest)]
        below: dict[Place, float] = defaultdict(float)
        for edge in found:
            below[edge.source] += edge.through
        level = sorted(below, key=lambda place: -below[place])[:MOST_PLACES]
        left_out += len(below) - len(level)
        flow |= {place: below[place] for place in level}
        edges += [edge for edge in found if edge.source in flow]
    return PathGraph(top, least, tuple(edges), flow, left_out)


def edges_into(found: Arrival, flow: float) -> list[Edge]:
    """All edges of what arrives at a place through which `flow` comes, the largest first.

    A bias, and what an intervention added, come from no place.
    """
    below, at = found.place.depth - 1, found.place.position
    parts = [(at, kind, found.shares[kind]) for kind in (CARRIED, MLP) if kind in found.shares]
    parts += [(key, ATTENTION, share) for key, share in enumerate(found.keys.tolist())]
    edges = [Edge(Place(below, key), found.place, kind, share, flow * share) for key, kind, share in parts if share]
    return sorted(edges, key=lambda edge: -edge.share)


def heads_of(trace: Trace, checkpoint: Checkpoint, edge: Edge) -> Floats:
    """The share of each head in an edge of attention. Shapes: [head]."""
    return arrival(trace, checkpoint, edge.target).heads[:, edge.source.position]


def _path(way: dict[Place, Edge], place: Place) -> Path:
    edges = []
    while place in way:
        edges.append(way[place])
        place = way[place].target
    return Path(tuple(edges))
