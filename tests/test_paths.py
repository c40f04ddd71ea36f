"""Claims about paths: what arrives at a place is measured as said and adds up, and the walk finds the strongest."""

from collections.abc import Iterator

import numpy as np
import pytest

from gpt2.__main__ import main
from gpt2.bench.hook_parity import some_interventions
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.engine.engine import Engine
from gpt2.errors import SettingsError, TraceError
from gpt2.model.interventions import Addition, Interventions, Scale
from gpt2.reading.arrivals import ATTENTION, CARRIED, Arrival, Place, arrival, nearness
from gpt2.reading.logit_parts import ATTENTION_BIAS, CHANGE, MLP, POSITION, TOKEN
from gpt2.reading.paths import MOST_PLACES, PathGraph, edges_into, heads_of, walk_back
from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace
from tests.command_line import said
from tests.hold_transformer_lens import MODELS, folder_of
from tests.long_runs import UNBOUNDED, run_of, squeezed, with_recomputer
from tests.reference import Floats, Reference
from tests.test_attribution import changes_of

TOLERANCE = 1e-4
PROMPT, STEPS = 7, 3
SEQ = PROMPT + STEPS - 1


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, Reference]]:
    """The bundled model and two random ones of odd shapes, with the independent model in float64."""
    with folder_of(request.param) as folder:
        yield Engine(load_checkpoint(folder, request.param)), Reference(folder)


@pytest.fixture(scope="module", params=[False, True], ids=["as it is", "changed"])
def run(request: pytest.FixtureRequest, model: tuple[Engine, Reference]) -> tuple[Trace, Engine, Reference]:
    """A prompt, and tokens that went through the cache; with interventions at every place, and without."""
    engine, reference = model
    changes = some_interventions(engine.config, SEQ) if request.param else None
    return run_of(engine, PROMPT, STEPS, UNBOUNDED, changes).trace, engine, reference


def expected(trace: Trace, reference: Reference) -> dict[Place, dict[tuple, float]]:
    """The shares of every part at every place, number by number, from the float64 model's own captures."""
    change = changes_of(trace, reference)
    hooks = reference.forward(trace.computed_ids, change)
    shares = {}
    for depth in range(2 * reference.n_layer + 1):
        for at in range(trace.seq):
            layer = (depth - 1) // 2
            name, scale = f"blocks.{layer}", {place: values[layer, at] for place, values in change.scale.items()}
            added = {place: values[layer, at] for place, values in change.add.items()}
            parts: dict[tuple, Floats]
            if depth == 0:
                parts = {(TOKEN,): hooks["hook_embed"][at], (POSITION,): hooks["hook_pos_embed"][at]}
            elif depth % 2:
                matrix = reference.weights[f"h.{layer}.attn.c_proj.weight"]  # [in, out]
                parts = {
                    (CARRIED,): hooks[f"{name}.hook_resid_pre"][at] - added["hook_resid_pre"],
                    (ATTENTION_BIAS,): reference.weights[f"h.{layer}.attn.c_proj.bias"],
                    (CHANGE,): added["hook_resid_pre"] + added["attn.hook_z"].ravel() @ matrix,
                }
                for head, columns in enumerate(np.split(matrix, reference.n_head)):
                    for key in range(at + 1):
                        weight = scale["attn.hook_z"][head] * hooks[f"{name}.attn.hook_pattern"][head, at, key]
                        parts[head, key] = weight * hooks[f"{name}.attn.hook_v"][key, head] @ columns
            else:
                own = hooks[f"{name}.hook_mlp_out"][at] - added["hook_mlp_out"]
                parts = {
                    (CARRIED,): scale["hook_resid_post"] * hooks[f"{name}.hook_resid_mid"][at],
                    (MLP,): scale["hook_resid_post"] * own,
                    (CHANGE,): scale["hook_resid_post"] * added["hook_mlp_out"] + added["hook_resid_post"],
                }
            shares[Place(depth, at)] = by_loop(parts)
    return shares


def by_loop(parts: dict[tuple, Floats]) -> dict[tuple, float]:
    whole = [sum(numbers) for numbers in zip(*parts.values(), strict=True)]
    norm = sum(abs(number) for number in whole)
    near = {
        key: max(norm - sum(abs(number - own) for number, own in zip(whole, part, strict=True)), 0)
        for key, part in parts.items()
    }
    if not any(near.values()):
        near = {key: sum(abs(own) for own in part) for key, part in parts.items()}
    return {key: value / sum(near.values()) for key, value in near.items()}


def test_every_share_at_every_place_is_that_of_a_loop_in_float64_and_they_add_up_to_1(run) -> None:
    trace, engine, reference = run
    for place, wanted in expected(trace, reference).items():
        found = arrival(trace, engine.checkpoint, place)
        ours = {(kind,): share for kind, share in found.shares.items()}
        ours |= {where: float(share) for where, share in np.ndenumerate(found.heads)}
        assert set(ours) <= set(wanted)
        assert max(abs(ours.get(key, 0) - share) for key, share in wanted.items()) <= TOLERANCE, place
        assert found.total == pytest.approx(1, abs=1e-9)
        assert found.error <= 1e-5, place


def test_a_part_counts_by_how_much_nearer_it_leads_to_the_whole() -> None:
    whole = np.array([3, -1], np.float32)
    parts = np.array([[1, 0], [3, -1], [0, -2], [-1, 0], [7, 0], [4, 0]], np.float32)
    assert nearness(whole, parts).tolist() == [1, 4, 0, 0, 0, 2]


def test_parts_that_all_lead_away_count_by_their_norms(engine: Engine) -> None:
    large = np.random.default_rng(4).normal(0, 500, 256)
    first = Addition(0, tuple(large))
    own = engine.run("Once", Interventions(additions=(first,))).row("blocks.0.hook_mlp_out", 0)
    taken = Addition(0, tuple(-large - own), hook="hook_mlp_out")  # what is left is small beside each of the three
    trace = engine.run("Once", Interventions(additions=(first, taken)))
    found = arrival(trace, engine.checkpoint, Place(2, 0))
    norms = [np.abs(part).sum() for part in (trace.row("blocks.0.hook_resid_mid", 0), own, large + own)]
    assert found.cancels and found.total == pytest.approx(1)
    assert [found.shares[kind] for kind in (CARRIED, MLP, CHANGE)] == pytest.approx(
        np.array(norms) / sum(norms), rel=1e-3
    )


def brute_force(trace: Trace, engine: Engine, top: Place) -> tuple[float, Floats]:
    """The product of the best path to any embedding, and what comes from each: products of matrices, level by level."""
    best, flow = np.eye(trace.seq)[top.position], np.eye(trace.seq)[top.position]
    for depth in range(top.depth, 0, -1):
        together, largest = np.zeros((2, trace.seq, trace.seq))
        for at in range(trace.seq):
            found = arrival(trace, engine.checkpoint, Place(depth, at))
            together[at, : at + 1] = largest[at, : at + 1] = found.keys
            beside = [found.shares.get(kind, 0.0) for kind in (CARRIED, MLP)]
            together[at, at] += sum(beside)
            largest[at, at] = max(*beside, found.keys[at])
        flow, best = flow @ together, (best[:, None] * largest).max(axis=0)
    return float(best.max()), flow


def test_the_walk_finds_what_multiplying_all_places_finds(run) -> None:
    trace, engine, _ = run
    graph = walk_back(trace, engine.checkpoint, threshold=0)
    best, flow = brute_force(trace, engine, graph.top)
    assert graph.paths[0].share == pytest.approx(best) and graph.is_strongest
    ours = np.zeros(trace.seq)
    for place, share in graph.embeddings.items():
        ours[place.position] = share
    np.testing.assert_allclose(ours, flow, atol=1e-9)
    for path in graph.paths:
        ends = [path.edges[0].source, *(edge.target for edge in path.edges)]
        assert [place.depth for place in ends] == list(range(graph.top.depth + 1)) and ends[-1] == graph.top
        assert [edge for hop in path.hops for edge in hop.edges] == list(path.edges)


@pytest.mark.parametrize("threshold", [0.005, 0.01, 0.1, 1])
def test_a_graph_has_all_edges_that_carry_the_threshold_and_knows_if_its_path_is_the_strongest(
    trace: Trace, engine: Engine, threshold: float
) -> None:
    graph, whole = (walk_back(trace, engine.checkpoint, 12, least) for least in (threshold, 0))
    carried = dict.fromkeys(range(graph.top.depth + 1), 0.0)
    for place, flow in graph.flow.items():
        carried[place.depth] += flow
        arriving = edges_into(arrival(trace, engine.checkpoint, place), flow) if place.depth else []
        kept = [edge for edge in graph.edges if edge.target == place]
        assert [edge for edge in arriving if edge.through >= threshold] in (kept, [])
        assert all(edge.through == pytest.approx(flow * edge.share) for edge in kept)
    assert max(carried.values()) <= 1 + 1e-9 and carried[graph.top.depth] == 1
    assert graph.rest == pytest.approx(1 - carried[0])
    strongest = graph.paths[0].share == whole.paths[0].share
    assert strongest or graph.paths[0].share < whole.paths[0].share
    assert graph.is_strongest == (graph.paths[0].share >= threshold) and (strongest or not graph.is_strongest)
    if threshold == 1:
        assert len(graph.edges) == graph.top.depth


def test_of_a_long_text_few_places_are_kept_and_those_left_out_had_little(engine: Engine) -> None:
    trace = engine.run(list(range(300, 360)))
    graph = walk_back(trace, engine.checkpoint, threshold=0)
    depths = [place.depth for place in graph.flow]
    assert max(depths.count(depth) for depth in set(depths)) == MOST_PLACES and graph.left_out > 0
    assert not graph.is_strongest and graph.paths
    assert {edge.source for edge in graph.edges} | {graph.top} == set(graph.flow)


def test_one_token_comes_from_itself_alone(engine: Engine) -> None:
    trace = engine.run([5])
    for threshold in (0, 0.05, 1):
        graph = walk_back(trace, engine.checkpoint, threshold=threshold)
        assert {place.position for place in graph.flow} == {0} and len(graph.paths) == 1
    assert sum(graph.embeddings.values()) == pytest.approx(graph.paths[0].share)


def test_a_muted_head_carries_nothing_and_a_replaced_stream_has_no_path(engine: Engine) -> None:
    muted = engine.run("Once upon a time", Interventions((Scale(1, 5, 0.0),)))
    heads = arrival(muted, engine.checkpoint, Place(3, 4)).heads
    whole = arrival(engine.run("Once upon a time"), engine.checkpoint, Place(3, 4)).heads
    assert not heads[5].any() and whole[5].any()
    vector = tuple(np.random.default_rng(1).normal(0, 2, 256).tolist())
    replaced = Interventions(
        (Scale(2, None, 0.0, hook="hook_resid_post"),), (Addition(2, vector, hook="hook_resid_post"),)
    )
    graph = walk_back(engine.run("Once upon a time", replaced), engine.checkpoint)
    assert graph.paths == [] and graph.embeddings == {} and not graph.is_strongest
    emptied = engine.run("Once upon a time", Interventions((Scale(2, None, 0.0, hook="hook_resid_post"),)))
    found = arrival(emptied, engine.checkpoint, Place(6, 4))
    assert found.total == 0 and found.error == 0 and walk_back(emptied, engine.checkpoint).paths == []


def test_a_squeezed_run_gives_the_same_graph_or_says_what_is_missing(trace: Trace, engine: Engine) -> None:
    whole = walk_back(trace, engine.checkpoint, 20, 0.1)
    for level in (Level.STREAM, Level.NO_PATTERNS):
        bare = squeezed(trace, level)
        found = walk_back(with_recomputer(engine, bare), engine.checkpoint, 20, 0.1)
        assert found.paths[0].share == pytest.approx(whole.paths[0].share, rel=1e-3)
        with pytest.raises(TraceError, match=r"was dropped .* load the model"):
            walk_back(bare, engine.checkpoint, 20)


def test_what_does_not_fit_is_refused_in_one_sentence(trace: Trace, engine: Engine) -> None:
    for position, threshold, sentence in (
        (trace.seq, 0.05, f"There is no position {trace.seq}; this run's go from 0 to {trace.seq - 1}."),
        (-1, 1.5, "The threshold must be a share from 0 to 1, not 1.5."),
        (-1, float("nan"), "The threshold must be a share from 0 to 1"),
        (-1, "much", "The threshold must be a share from 0 to 1"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            walk_back(trace, engine.checkpoint, position, threshold)  # type: ignore[arg-type]
    with pytest.raises(TraceError, match="no steps"):
        walk_back(trace.cut(0), engine.checkpoint)


def graph_of(engine: Engine, **options: float) -> tuple[Trace, PathGraph]:
    trace = engine.run("Once upon a time")
    return trace, walk_back(trace, engine.checkpoint, **options)


@pytest.mark.slow
def test_the_command_line_gives_the_same_graph_and_the_strongest_path_in_words(capsys, engine: Engine) -> None:
    trace, graph = graph_of(engine, position=3, threshold=0.02)
    command = ["paths", "Once upon a time", "--position", "3", "--threshold", "0.02"]
    told = said(capsys, *command, "--json")
    assert told["edges"] == [edge.to_dict() for edge in graph.edges]
    assert [told["edges"][at]["share"] for at in told["paths"][0]["edges"]] == [e.share for e in graph.paths[0].edges]
    assert (told["position"], told["threshold"], told["left_out"]) == (3, 0.02, 0)
    main(command)
    text = capsys.readouterr().out
    assert f"{graph.paths[0].share:7.2%}  came by the strongest path" in text
    for hop in graph.paths[0].hops:
        assert f"{hop.share:7.2%}  " in text
        if hop.edges[0].kind == ATTENTION:
            heads = heads_of(trace, engine.checkpoint, hop.edges[0])
            assert f"{heads.max():.2%} by H{heads.argmax()}" in text


def test_the_heads_of_an_edge_add_up_to_it(trace: Trace, engine: Engine) -> None:
    for edge in walk_back(trace, engine.checkpoint).edges:
        if edge.kind == ATTENTION:
            assert heads_of(trace, engine.checkpoint, edge).sum() == pytest.approx(edge.share)


def test_a_place_says_where_it_is() -> None:
    assert [Place(depth, 0).layer for depth in range(5)] == [-1, 0, 0, 1, 1]
    assert Place(3, 2).name == "after attention of L1" and Place(4, 2).name == "after the MLP of L1"
    assert (Place(3, 2).hook, Place(4, 2).hook) == ("blocks.1.hook_resid_mid", "blocks.1.hook_resid_post")
    empty = Arrival(Place(1, 0), {}, np.zeros((2, 1)), 0, False)
    assert empty.total == 0 and empty.keys.tolist() == [0]
