"""Claims about the roles of heads: scores are those of a loop by hand, a role needs its least score, all are told."""

import json

import numpy as np
import pytest

from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine.engine import Engine
from gpt2.engine.head_roles import LENGTH, RUNS, repeated_tokens
from gpt2.engine.head_roles import measure_roles as measure
from gpt2.reading.roles import DISTANCES, LEAST, ROLES, HeadRoles, role_keys, roles_in_repeats, roles_in_run, table
from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace
from pages.charts import attention_roles
from pages.look.names import head_name
from pages.server import head_roles
from pages.server.head_roles import roles_job
from pages.server.traces import NO_ROOM, Traces
from tests.command_line import said
from tests.long_runs import squeezed
from tests.models import BUNDLED
from tests.reference import Reference
from tests.test_charts_attention import quoted_percent


@pytest.fixture(scope="module")
def found(engine: Engine) -> HeadRoles:
    return measure(engine)


def test_random_tokens_differ_within_a_half_are_said_twice_and_are_the_same_every_time(engine: Engine) -> None:
    sequences = repeated_tokens(engine.config)
    assert sequences == repeated_tokens(engine.config) and len(sequences) == RUNS
    for ids in sequences:
        assert ids[:LENGTH] == ids[LENGTH:] and len(set(ids)) == LENGTH
    assert len({tuple(ids) for ids in sequences}) == RUNS


@pytest.mark.slow
def test_scores_on_repeats_are_those_of_a_loop_over_the_float64_models_second_half(engine: Engine) -> None:
    sequences, reference = repeated_tokens(engine.config)[:2], Reference(BUNDLED)
    found = roles_in_repeats((engine.run(ids) for ids in sequences), "two sequences")
    runs, layers = [reference.forward(ids) for ids in sequences], range(reference.n_layer)
    patterns = [np.array([run[f"blocks.{layer}.attn.hook_pattern"] for layer in layers]) for run in runs]
    keys = {"previous token": lambda query: query - 1, "induction": lambda query: query - LENGTH + 1}
    keys |= {"duplicate token": lambda query: query - LENGTH, "first-token sink": lambda _: 0}
    for role, key in keys.items():
        weights = [pattern[:, :, q, key(q)] for pattern in patterns for q in range(LENGTH, 2 * LENGTH)]
        np.testing.assert_allclose(found.score(role), np.mean(weights, axis=0), atol=1e-5)
    by_distance = np.array(
        [
            np.mean([pattern[:, :, q, q - back] for pattern in patterns for q in range(back + 1, LENGTH)], axis=0)
            for back in range(DISTANCES)
        ]
    )
    np.testing.assert_allclose(found.score("positional"), by_distance.max(axis=0), atol=1e-5)
    np.testing.assert_array_equal(found.distance, by_distance.argmax(axis=0))
    assert found.queries == (*[LENGTH] * 4, LENGTH - 1)


def test_scores_in_a_run_are_those_of_a_loop_over_its_queries(trace: Trace) -> None:
    found, ids = roles_in_run(trace), trace.computed_ids
    wanted: dict[str, list[tuple[int, int]]] = {role: [] for role in ROLES}
    for query in range(1, len(ids)):
        wanted["previous token"].append((query, query - 1))
        wanted["first-token sink"].append((query, 0))
        earlier = [key for key in range(query) if ids[key] == ids[query]]
        if earlier:
            wanted["duplicate token"].append((query, earlier[-1]))
            if earlier[-1] + 1 < query:
                wanted["induction"].append((query, earlier[-1] + 1))
    assert wanted["induction"]
    for layer in (0, 3, 5):
        pattern = trace[f"blocks.{layer}.attn.hook_pattern"].astype(np.float64)
        for role, pairs in wanted.items():
            if pairs:
                mean = np.mean([pattern[:, query, key] for query, key in pairs], axis=0)
                np.testing.assert_allclose(found.score(role)[layer], mean, atol=1e-6)
                assert found.queries[list(ROLES).index(role)] == len(pairs)


def test_a_head_that_looks_at_the_first_token_alone_has_no_other_role(trace: Trace) -> None:
    sink = np.zeros((len(trace.computed_ids),) * 2)
    sink[:, 0] = 1
    for row in role_keys(trace.computed_ids)[4:]:
        queries = np.flatnonzero(row >= 0)
        assert not sink[queries, row[queries]].any()


def test_what_nothing_in_a_run_shows_has_no_number(engine: Engine) -> None:
    run = engine.run([5, 6, 7])
    found = roles_in_run(run)
    assert np.isnan(found.score("induction")).all() and found.leaders("induction") == []
    assert "nothing can be measured" in attention_roles.role_sentence(found, "induction")
    assert found.to_dict()["roles"]["induction"]["scores"][0][0] is None
    assert np.isnan(roles_in_run(engine.run([5])).scores).all()


def test_a_squeezed_run_has_the_same_roles(trace: Trace) -> None:
    whole, small = roles_in_run(trace), roles_in_run(squeezed(trace, Level.STREAM))
    np.testing.assert_allclose(small.scores, whole.scores, atol=1e-3)


def test_leaders_have_the_least_score_and_the_sentence_names_the_first_or_none(found: HeadRoles) -> None:
    for role in ROLES:
        score, leaders = found.score(role), found.leaders(role)
        assert len(leaders) == np.count_nonzero(score >= LEAST)
        sentence = attention_roles.role_sentence(found, role)
        layer, head = np.unravel_index(score.argmax(), score.shape)
        assert head_name(layer, head) in sentence and sentence.startswith("No head") == (not leaders)
        assert quoted_percent(sentence) == pytest.approx(score.max(), abs=6e-4)
        told = attention_roles.roles_sentence(found).split(f"{role} ")[1]
        assert told.startswith(head_name(layer, head) if leaders else "none")
        assert (head_name(layer, head) in table(found).split(role)[1].splitlines()[0]) == bool(leaders)


def test_the_map_has_every_heads_score_and_frames_the_strongest(found: HeadRoles) -> None:
    picture = attention_roles.role_map(found, "induction", 400)
    np.testing.assert_array_equal(picture.values[::-1], found.score("induction"))
    row, column = attention_roles.strongest_tile(picture)
    assert picture.values[row, column] == found.score("induction").max()
    assert picture.notes[row][column].startswith(f"{picture.rows[row]}·{picture.columns[column]}: ")


def test_a_models_heads_are_measured_once_for_all(engine: Engine, found: HeadRoles) -> None:
    job = roles_job(engine)
    assert roles_job(engine) is job
    job.wait(60)
    assert not job.is_running and not job.error
    np.testing.assert_allclose(job.found.scores, found.scores, atol=1e-6)


def test_without_room_a_measurement_says_so_and_is_begun_anew_the_next_time(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(checkpoint)  # another than the tests share, which may have been measured
    monkeypatch.setattr(head_roles, "TRACES", Traces(lambda: 0, lambda: -(2**40)))
    refused = roles_job(engine)
    refused.wait(60)
    assert (refused.error, refused.found, refused.done) == (NO_ROOM, None, 0)
    monkeypatch.setattr(head_roles, "TRACES", Traces(lambda: 2**40))
    assert roles_job(engine) is refused  # or the page, drawn again as it ends, would begin it over and over
    monkeypatch.setattr(head_roles, "RETRY_SECONDS", 0)
    again = roles_job(engine)
    again.wait(60)
    assert again is not refused and again.found and not again.error


@pytest.mark.slow
def test_the_command_line_prints_every_score(capsys: pytest.CaptureFixture[str], found: HeadRoles) -> None:
    told = said(capsys, "roles", "--json")
    assert list(told["roles"]) == list(ROLES) and told["least"] == LEAST
    for role, entry in told["roles"].items():
        np.testing.assert_allclose(entry["scores"], found.score(role), atol=1e-6)
    assert json.loads(json.dumps(told))["distance"] == found.distance.tolist()
