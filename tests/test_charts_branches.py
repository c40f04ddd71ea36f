"""The pictures of branches are the traces' own numbers: what parts is measured anew here."""

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.model.sampling import Distribution, Sampling
from gpt2.trace.trace import Trace
from pages.charts.branches.parting import (
    Pair,
    attention_picture,
    attention_sentence,
    kl_chart,
    kl_sentence,
    lens_chart,
    lens_divergence,
    norms_chart,
    parting_sentence,
)
from pages.charts.branches.tree import Lane, in_order, marked_text, tree_chart, tree_rows, tree_sentence
from pages.look.numbers import bits, percent
from pages.look.palette import LIGHT
from pages.look.tokens import spoken
from tests.models import PROMPT

WARM, AT, STEPS = Sampling(0.9, 50, 0.95, seed=12), 3, 8


@pytest.fixture(scope="module")
def two(engine: Engine) -> tuple[Trace, Trace, float]:
    """A run, its branch by the model's second choice, and that token's probability."""
    run = engine.start(PROMPT)
    for _ in range(STEPS):
        run.advance(WARM)
    raw = Distribution.of(run.trace.steps[AT].logits, Sampling())
    token = next(one for one in raw.order.tolist() if one != run.trace.steps[AT].draw.token)
    branch = run.fork(AT + 1)
    branch.choose(token, WARM)
    for _ in range(4):
        branch.advance(WARM)
    return run.trace, branch.trace, float(raw.raw[token])


@pytest.fixture
def lanes(two: tuple[Trace, Trace, float]) -> list[Lane]:
    base, branch, chance = two
    token, instead = branch.steps[AT].draw.token, base.steps[AT].draw.token
    own = float(Distribution.of(base.steps[AT].logits, Sampling()).raw[instead])
    return [
        Lane("The first run", base, base.ids),
        Lane("Branch 1", branch, branch.ids, 0, AT, token, chance, instead, own, is_on_stage=True),
    ]


@pytest.fixture
def pair(two: tuple[Trace, Trace, float]) -> Pair:
    found = Pair.of(*two[:2], ("The first run", "Branch 1"))
    assert found is not None
    return found


def divergence(one: np.ndarray, other: np.ndarray) -> float:
    p, q = (np.exp(row - row.max()) / np.exp(row - row.max()).sum() for row in np.float64([one, other]))
    return float((p * np.log2(p / q)).sum())


def test_a_branch_is_drawn_from_the_step_where_it_parts_with_the_probabilities_of_both_ways(lanes, two) -> None:
    vocabulary, n = two[0].vocabulary, len(two[0].prompt_ids)
    rows = tree_rows(lanes, vocabulary, n)
    assert [(row["x"], row["x2"]) for row in rows["lines"]] == [(0, STEPS - 1), (AT, AT + 4)]
    assert len(rows["points"]) == STEPS + 5 and rows["elbows"] == [{"x": AT, "row": 0, "row2": 1}]
    edges = [row["text"] for row in rows["labels"] if row["kind"] != "title"]
    assert edges == [f"{vocabulary.label(t)} {percent(p)}" for t, p in
                     ((lanes[1].token, lanes[1].chance), (lanes[1].instead, lanes[1].instead_chance))]  # fmt: skip
    chosen = next(row for row in rows["points"] if row["row"] == 1 and row["x"] == AT)
    assert chosen["how"] == "chosen by hand" and chosen["chance"] == pytest.approx(lanes[1].chance)
    assert percent(lanes[1].chance) in tree_sentence(lanes, vocabulary)
    assert tree_chart(lanes, vocabulary, n, AT, LIGHT).to_dict()["datasets"]["lines"] == rows["lines"]


def test_a_branch_without_numbers_is_still_drawn_from_its_tokens(lanes, two) -> None:
    freed = Lane("Branch 1", two[1].cut(0), two[1].ids, 0, AT, 5, 0.1)
    rows = tree_rows([lanes[0], freed], two[0].vocabulary, len(two[0].prompt_ids))
    own = [row for row in rows["points"] if row["row"] == 1]
    assert len(own) == 5 and all(row["chance"] is None for row in own)


def test_lines_never_cross_as_the_last_to_leave_comes_first(lanes) -> None:
    def lane(parent: int, step: int) -> Lane:
        return Lane("", lanes[0].trace, lanes[0].ids, parent, step)

    assert in_order([lanes[0], lane(0, 2), lane(0, 6), lane(1, 4), lane(0, 4)]) == [0, 2, 4, 1, 3]


def test_a_text_marks_the_token_that_parts_it_and_shows_all_that_follows(two) -> None:
    trace, n = two[0], len(two[0].prompt_ids)
    told = marked_text(trace.ids, n + AT, trace.vocabulary)
    head, mark = trace.vocabulary.text(list(trace.ids[: n + AT])), spoken(trace.vocabulary.label(trace.ids[n + AT]))
    assert told == head + mark + trace.vocabulary.text(list(trace.ids[n + AT + 1 :]))
    assert marked_text(trace.ids, n + AT, trace.vocabulary, before=4).startswith(f"…{head[-4:]}")


def test_two_runs_part_where_their_tokens_first_differ(pair, two) -> None:
    assert pair.parted == AT and pair.steps == range(AT + 1, AT + 5)
    assert f"They part at step {AT}: the first run goes on with" in parting_sentence(pair)
    base = two[0]
    assert Pair.of(base, base.cut(4), ("a", "b")) is None


def test_the_divergence_is_that_of_the_next_tokens_both_ways(pair) -> None:
    values = pair.divergences(pair.steps)
    for at, step in enumerate(pair.steps):
        one, other = (trace.steps[step].logits for trace in pair.both)
        assert values[:, at] == pytest.approx([divergence(one, other), divergence(other, one)], rel=1e-6)
    assert bits(values[0, 0]) in kl_sentence(pair, values) and bits(values[1, 0]) in kl_sentence(pair, values)
    data = kl_chart(pair, values, AT + 1, LIGHT).to_dict()["datasets"]["lines"]
    assert [row["bits"] for row in data if row["way"] == pair.ways[1]] == [0.0, *values[1]]


def test_lens_norms_and_attention_are_those_of_the_step_in_both_runs(pair, engine: Engine) -> None:
    step = AT + 2
    lens = lens_divergence(pair, step, engine.lens)
    one, other = (trace.steps[step].logits for trace in pair.both)
    assert lens.shape == (2, 7) and lens[0, -1] == pytest.approx(divergence(one, other), rel=1e-3)
    norms, position = pair.at(step).stream_norms(), pair.first.steps[step].stop - 1
    for trace, line in zip(pair.both, norms, strict=True):
        rows = [np.linalg.norm(trace[f"blocks.{n}.hook_resid_post"][position].astype(np.float64)) for n in range(6)]
        assert line == pytest.approx(rows, rel=1e-5)
    moved = pair.at(step).attention_moved()
    mine, theirs = (trace["blocks.2.attn.hook_pattern"][3, position] for trace in pair.both)
    seen = slice(0, position + 1)
    assert moved[2, 3] == pytest.approx(0.5 * np.abs(mine[seen] - theirs[seen]).sum(), rel=1e-4)
    assert percent(moved.max()) in attention_sentence(step, moved)
    assert attention_picture(pair, step, moved).values[-1, 0] == moved[0, 0]
    assert len(lens_chart(pair, lens, LIGHT).to_dict()["datasets"]["lines"]) == 14
    assert len(norms_chart(pair, norms, LIGHT).to_dict()["datasets"]["lines"]) == 12
    assert not pair.at(AT).attention_moved().any()  # they share that step
