"""Pictures of paths: places and edges are the graph's, bars add up, and the sentences quote their numbers."""

import json

import numpy as np
import pytest

from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine.engine import Engine
from gpt2.model.interventions import Interventions, Scale
from gpt2.reading.arrivals import ATTENTION, Arrival, Place, arrival
from gpt2.reading.paths import PathGraph, walk_back
from gpt2.trace.trace import Trace
from pages.charts.paths import bars, drawn, formula, words
from pages.look.numbers import percent, rounding_error
from pages.look.palette import DARK, LIGHT
from pages.look.tokens import spoken_at


@pytest.fixture(scope="module")
def graph(trace: Trace, checkpoint: Checkpoint) -> PathGraph:
    return walk_back(trace, checkpoint)


@pytest.fixture(scope="module")
def arrived(trace: Trace, checkpoint: Checkpoint) -> Arrival:
    return arrival(trace, checkpoint, Place(5, trace.seq - 1))


def test_the_picture_has_every_place_and_edge_once_and_only_the_tokens_that_have_one(trace: Trace, graph) -> None:
    shown = drawn.picture(trace, graph, words.NO_PATH)
    positions = sorted({place.position for place in graph.flow})
    assert len(shown.ids) == len(shown.nodes) + len(shown.lines) == len(graph.flow) + len(graph.edges)
    assert list(shown.columns) == [trace.labels[at] for at in positions]
    assert len(shown.rows) == 2 * trace.config.n_layer + 1 and shown.mark == f"12.{trace.seq - 1}"
    assert all(positions[at] > positions[at - 1] + 1 for at in shown.gaps)
    where = {node.id: (node.row, positions[node.column]) for node in shown.nodes}
    for line, edge in zip(shown.lines, graph.edges, strict=True):
        assert (where[line.source], where[line.target]) == (edge.source, edge.target) and line.share == edge.through
        assert line.note[0].startswith(percent(edge.share, 2)) and line.is_strong == (edge in graph.paths[0].edges)
    strong = [node for node in shown.nodes if node.is_strong]
    assert sorted(node.row for node in strong) == list(range(13))
    json.dumps(shown.message(DARK, shown.mark, False))


def test_what_is_picked_opens_its_place_and_if_attention_carried_it_its_heads(trace: Trace, graph: PathGraph) -> None:
    for edge in graph.edges:
        assert drawn.opened(graph, drawn.edge_id(edge)) == (edge.target, edge if edge.kind == ATTENTION else None)
    for place in graph.flow:
        assert drawn.opened(graph, drawn.place_id(place)) == (place, None)
    assert drawn.opened(graph, "of another run") == (graph.top, None)
    place, edge = drawn.opened(graph, drawn.first_pick(graph))
    others = [one for one in graph.edges if one.source.position != one.target.position]
    assert (
        edge == max((one for one in others if one.kind == ATTENTION), key=lambda one: one.through)
        and place == edge.target
    )


def test_the_path_is_read_aloud_with_the_share_of_each_hop_and_their_product(trace, checkpoint, graph) -> None:
    said, path = words.path_sentence(trace, checkpoint, graph), graph.paths[0]
    first = path.edges[0].source.position
    assert said.startswith(
        f"The strongest path begins at the embedding of {spoken_at(trace, first)} (position {first})"
    )
    assert f"together {percent(np.prod([edge.share for edge in path.edges]), 2)} of what leaves the last layer" in said
    assert all(f"({percent(hop.share)}" in said for hop in path.hops) and said.endswith(".")
    by_heads = walk_back(trace, checkpoint, threshold=0.001)
    steps = [hop.edges[0] for path in by_heads.paths for hop in path.hops if hop.edges[0].kind == ATTENTION]
    assert steps
    other = next(path for path in by_heads.paths if path.edges[0].source.position != by_heads.top.position)
    told = words.origins_sentence(trace, by_heads)
    assert (
        f"from another token begins at {words.place_name(trace, other.edges[0].source)}: {percent(other.share, 2)}"
        in told
    )
    shares = list(by_heads.embeddings.values())
    assert f"{percent(sum(shares[words.NAMED :]))} from others; the other {percent(by_heads.rest)} by thinner" in told


def test_what_was_thinned_out_is_said(trace: Trace, checkpoint: Checkpoint, graph: PathGraph) -> None:
    said, drawn_tokens = words.thinning_sentence(graph), len({place.position for place in graph.flow})
    assert said.startswith(f"{len(graph.edges)} edges are drawn, with {drawn_tokens} of {trace.seq} tokens: those that")
    assert ("so the strongest is drawn" in said) == graph.is_strongest
    assert "may be stronger" in words.thinning_sentence(walk_back(trace, checkpoint, threshold=1))
    assert "1 of 1 tokens" in words.thinning_sentence(walk_back(trace, checkpoint, position=0))


def test_the_bars_of_a_place_and_of_an_edge_add_up(trace: Trace, arrived: Arrival) -> None:
    rows = bars.arrival_rows(trace, arrived)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    *shown, rest = [row["share"] for row in rows]
    assert shown == sorted(shown, reverse=True) and rest > 0
    assert rows[-1]["name"] == f"{np.count_nonzero(arrived.keys) - bars.BARS} more positions"
    assert {"carried on", "attention bias"} <= {row["name"] for row in rows}
    key = bars.key_of(arrived, None)
    assert key == arrived.keys.argmax()
    heads = bars.head_rows(arrived, key)
    assert heads[0]["name"] == f"L2·H{arrived.heads[:, key].argmax()}" and len(heads) == 8
    assert sum(row["share"] for row in heads) == pytest.approx(arrived.keys[key])
    said = bars.arrival_sentence(trace, arrived)
    assert "all shares add up to 100.0" in said and f"off by {rounding_error(arrived.error)}" in said
    assert f"brought {percent(float(arrived.keys[key]), 2)} of it" in bars.heads_sentence(trace, arrived, key)
    for one in np.flatnonzero(arrived.keys).tolist():
        most = bars.head_rows(arrived, one)[0]
        assert f"most of all {most['name']} {most['written']}." in bars.heads_sentence(trace, arrived, one)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_another_place_changes_only_the_data_of_the_bars(trace, checkpoint, arrived, palette) -> None:
    other = arrival(trace, checkpoint, Place(4, 3))
    specs = [bars.bars_chart(bars.arrival_rows(trace, one), palette).to_dict() for one in (arrived, other)]
    data = [spec.pop("datasets") for spec in specs]
    assert specs[0] == specs[1] and data[0] != data[1]


@pytest.mark.parametrize("place", [Place(0, 3), Place(5, 20), Place(6, 20)])
def test_the_operands_give_the_share_that_is_shown(trace: Trace, checkpoint: Checkpoint, place: Place) -> None:
    found = arrival(trace, checkpoint, place)
    key = bars.key_of(found, None)
    lines = formula.operands(trace, checkpoint, found, key)
    share = max(found.shares.values()) if key is None else found.heads[:, key].max()
    near, total = (float(lines[at].split(f"{sign} ")[-1].split(";")[0]) for at, sign in ((2, "="), (3, "together:")))
    assert near / total == pytest.approx(share, rel=1e-3)
    assert lines[3].endswith(f"c has {percent(float(share), 2)} of it")


def test_a_stream_that_was_replaced_is_said_to_have_no_path(engine: Engine) -> None:
    nothing = Interventions((Scale(2, None, 0.0, hook="hook_resid_post"),))
    trace = engine.run("Once upon a time", nothing)
    graph = walk_back(trace, engine.checkpoint)
    assert words.path_sentence(trace, engine.checkpoint, graph) == words.NO_PATH
    assert words.origins_sentence(trace, graph) == "" and len(drawn.picture(trace, graph, words.NO_PATH).lines) == len(
        graph.edges
    )
