"""The embedding tables as geometry: neighbours against brute force, the projection against its definition."""

import numpy as np
import pytest

from gpt2.checkpoints.weights import Checkpoint
from gpt2.reading.tables import Projection, Tables, unit

TOKENS = (3, 77, 512, 1999)


@pytest.fixture(scope="module")
def tables(checkpoint: Checkpoint) -> Tables:
    return Tables(checkpoint.weights["wte.weight"], checkpoint.weights["wpe.weight"])


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Rows that differ most along one known direction, less along a second, and hardly along all others."""
    rng = np.random.default_rng(5)
    rows = 0.01 * rng.standard_normal((4000, 12))
    rows[:, 4] += 9 * rng.standard_normal(4000)
    rows[:, 7] += 3 * rng.standard_normal(4000)
    return (rows + 100).astype(np.float32)


@pytest.mark.parametrize("token", TOKENS)
def test_nearest_tokens_are_those_of_brute_force(tables: Tables, token: int) -> None:
    wte = tables.wte.astype(np.float64)
    brute = [
        (other, wte[other] @ wte[token] / np.sqrt((wte[other] @ wte[other]) * (wte[token] @ wte[token])))
        for other in range(len(wte))
        if other != token
    ]
    brute.sort(key=lambda pair: -pair[1])
    found = tables.nearest(token, 9)
    assert [other for other, _ in found] == [other for other, _ in brute[:9]]
    assert [cosine for _, cosine in found] == pytest.approx([cosine for _, cosine in brute[:9]], abs=1e-6)


def test_a_token_is_never_its_own_neighbour_even_when_all_are_asked_for() -> None:
    tables = Tables(np.eye(4, dtype=np.float32), np.eye(2, 4, dtype=np.float32))
    assert [other for other, _ in tables.nearest(2, 99)] == [0, 1, 3]


def test_asking_for_neighbours_leaves_the_cosines_as_they_were(tables: Tables) -> None:
    tables.nearest(3, 5)
    assert tables.cosines(tables.wte[3])[3] == pytest.approx(1, abs=1e-6)


def test_a_neighbourhood_holds_every_token_once_and_the_given_ones_first(tables: Tables) -> None:
    found = tables.neighbourhood([*TOKENS, TOKENS[0]], 6)
    assert found[: len(TOKENS)] == list(TOKENS)
    assert len(found) == len(set(found))
    assert set(found) == {*TOKENS, *(other for token in TOKENS for other, _ in tables.nearest(token, 6))}


def test_position_cosines_are_symmetric_with_ones_on_the_diagonal(tables: Tables) -> None:
    cosines = tables.position_cosines
    assert cosines.shape == (len(tables.wpe), len(tables.wpe))
    np.testing.assert_allclose(cosines, cosines.T, atol=1e-6)
    np.testing.assert_allclose(np.diagonal(cosines), 1, atol=1e-5)
    one, other = tables.wpe[7].astype(np.float64), tables.wpe[300].astype(np.float64)
    assert cosines[7, 300] == pytest.approx(one @ other / np.linalg.norm(one) / np.linalg.norm(other), abs=1e-6)


def test_a_row_of_zeros_stays_zeros() -> None:
    assert not unit(np.zeros((1, 5), np.float32)).any()


def test_the_projection_finds_the_two_widest_directions(rows: np.ndarray) -> None:
    found = Projection.of(rows)
    variances = rows.astype(np.float64).var(axis=0)
    assert found.shares == pytest.approx([variances[4] / variances.sum(), variances[7] / variances.sum()], abs=1e-2)
    assert abs(np.corrcoef(found.points[:, 0], rows[:, 4])[0, 1]) > 0.999
    assert abs(np.corrcoef(found.points[:, 1], rows[:, 7])[0, 1]) > 0.99


def test_the_shares_are_the_variance_of_the_points_over_all_variance(tables: Tables) -> None:
    rows = tables.wte[:200].astype(np.float64)
    found = Projection.of(tables.wte[:200])
    eigenvalues = np.linalg.eigvalsh(np.cov(rows.T, bias=True))[::-1]
    assert found.shares == pytest.approx(eigenvalues[:2] / eigenvalues.sum(), abs=1e-6)
    assert found.points.astype(np.float64).var(axis=0) == pytest.approx(eigenvalues[:2], rel=1e-4)


def test_the_projection_keeps_its_sign_when_rows_change_their_order(tables: Tables) -> None:
    rows = tables.wte[:80]
    order = np.random.default_rng(2).permutation(80)
    np.testing.assert_allclose(Projection.of(rows[order]).points, Projection.of(rows).points[order], atol=1e-4)


def test_the_projection_of_one_row_is_the_origin() -> None:
    found = Projection.of(np.ones((1, 6), np.float32))
    assert found.points.tolist() == [[0, 0]]
    assert found.shares.tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(6))
def test_every_direction_points_to_where_its_largest_weight_is_positive(seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((30, 8)).astype(np.float32)
    directions = (rows - rows.mean(axis=0)).T @ Projection.of(rows).points  # [d_model, 2], each times its variance
    for direction in directions.T:
        assert direction[np.abs(direction).argmax()] > 0
