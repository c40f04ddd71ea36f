"""Claims about the lessons' questions: their right answers are what a formula written anew finds in the run."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from gpt2.checkpoints.weights import Checkpoint, load_checkpoint
from gpt2.engine.engine import Engine
from gpt2.errors import TraceError
from gpt2.learn import words
from gpt2.learn.lesson import Lesson
from gpt2.learn.lessons import LESSONS, lesson_of
from gpt2.learn.question import Contest, Question, ask_all, of_numbers
from gpt2.model.sampling import Sampling
from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace
from pages.look import names, numbers, tokens
from tests.checkpoints import write_checkpoint
from tests.models import BUNDLED
from tests.reference import Reference, gelu_new
from tests.shapes import ODD

Hooks = dict[str, np.ndarray]
BY_NAME = [pytest.param(lesson, id=lesson.name) for lesson in LESSONS]


@dataclass(frozen=True)
class Run:
    """A run, the model that made it, the independent model of the same weights, and a layer to ask about."""

    trace: Trace
    checkpoint: Checkpoint
    reference: Reference
    layer: int


@pytest.fixture(scope="module", params=["bundled", "random"])
def run(
    request: pytest.FixtureRequest, trace: Trace, checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """The bundled model's run of forty tokens, and a short one of a random model."""
    if request.param == "bundled":
        return Run(trace, checkpoint, Reference(BUNDLED), layer=3)
    folder = write_checkpoint(tmp_path_factory.mktemp("random"), **ODD["own head"])
    engine = Engine(load_checkpoint(folder))
    begun = engine.start("the fox")
    for _ in range(2):
        begun.advance(Sampling(seed=3))
    return Run(begun.trace, engine.checkpoint, Reference(folder), layer=1)


@pytest.fixture(scope="module")
def hooks(run: Run) -> Hooks:
    """The run's activations, by the independent model in float64."""
    return run.reference.forward(run.trace.computed_ids)


@pytest.fixture(scope="module")
def asked(run: Run) -> dict[str, Question]:
    """Every question about the run, by the numbers of lessons and their names."""
    return {
        f"{lesson.number} {question.name}": question
        for lesson in LESSONS
        for question in ask_all(lesson.asking, run.trace, run.checkpoint, run.layer if lesson.has_layers else 0)
    }


def value(text: str) -> float:
    """The number that an option begins with."""
    return float(re.match(r"-?[\d.,]+", text.replace("−", "-"))[0].replace(",", ""))  # type: ignore[index]


def place(text: str) -> int:
    """The number that an option ends with: a position, a layer, a block."""
    return int(text.split(" ")[-1])


def largest(question: Question, index: Callable[[str], int], values: np.ndarray) -> bool:
    """Whether the right option has the largest value, and every other one a clearly smaller one."""
    best = values[index(question.right)]
    others = [values[index(option)] for option in question.options if option != question.right]
    return all(other < best - 0.005 * abs(best) for other in others)


@pytest.mark.parametrize("lesson", BY_NAME)
def test_every_lesson_asks_two_or_three_questions_whose_options_differ(
    lesson: Lesson, asked: dict[str, Question]
) -> None:
    own = [question for name, question in asked.items() if name.startswith(f"{lesson.number} ")]
    assert 2 <= len(own) <= 3 and len({question.name for question in own}) == len(own)
    for question in own:
        assert 2 <= len(question.options) == len(set(question.options)) <= 4
        assert question.options.count(question.right) == 1
        assert question.answer and question.why


def test_counts_of_the_configuration(asked: dict[str, Question], run: Run) -> None:
    sizes = {name: array.size for name, array in run.checkpoint.weights.items() if name != "lm_head.weight"}
    parts = {"tokens": "wte", "positions": "wpe", "attention": ".attn.", "MLPs": ".mlp."}
    counts = {word: sum(n for name, n in sizes.items() if part in name) for word, part in parts.items()}
    right = asked["1 largest_part"].right
    assert max(counts, key=lambda word: counts[word]) in right
    assert f"{max(counts.values()):,}" in asked["1 largest_part"].answer
    query = run.checkpoint.weights["h.0.attn.c_attn.weight"].shape[0] // 3
    assert value(asked["1 head_width"].right) * run.checkpoint.config.n_head == query
    assert value(asked["1 room_left"].right) + run.trace.seq == len(run.checkpoint.weights["wpe.weight"])


def test_cells_of_the_mask(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    mask = np.isinf(hooks["blocks.0.attn.hook_attn_scores"][0])
    row = int(re.search(r"row (\d+)", asked["2 cells_of_row"].ask)[1])  # type: ignore[index]
    assert value(asked["2 cells_of_row"].right) == mask[row].sum()
    assert value(asked["2 cells_of_square"].right) == mask.sum()
    question = asked["2 tempting_cell"]
    head, query, key = (int(n) for n in re.search(r"·H(\d+).*position (\d+).*position (\d+)", question.ask).groups())  # type: ignore[union-attr]
    assert key > query and value(question.right) == hooks["blocks.0.attn.hook_pattern"][head, query, key] == 0
    q, k = (hooks[f"blocks.0.attn.hook_{part}"][:, head] for part in "qk")
    powers = np.exp(q[query] @ k.T / np.sqrt(run.trace.config.d_head))
    assert words.percent(powers[key] / powers.sum()) in question.ask


def test_numbers_of_the_norm(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    row = hooks[f"blocks.{run.layer}.hook_resid_pre"][-1]
    normalized = (row - row.mean()) / row.std()
    assert value(asked["3 mean_after"].right) == pytest.approx(normalized.mean(), abs=1e-9)
    assert value(asked["3 doubled"].right) == pytest.approx((2 * row).std(), rel=1e-3)
    assert largest(asked["3 largest_scale"], place, hooks[f"blocks.{run.layer}.hook_resid_pre"].std(axis=1))


def test_neurons_of_the_mlp(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    pre = hooks[f"blocks.{run.layer}.mlp.hook_pre"]
    assert abs(value(asked["4 held_back"].right) - 100 * np.mean(pre[-1] < 0)) <= 0.5 + 100 / len(pre[-1])
    neuron = int(re.search(r"Neuron (\d+)", asked["4 small_negative"].ask)[1])  # type: ignore[index]
    assert value(asked["4 small_negative"].right) == pytest.approx(gelu_new(pre[-1, neuron]), abs=2e-3)
    neuron = int(re.search(r"than neuron (\d+)", asked["4 where_it_fires"].ask)[1])  # type: ignore[index]
    assert gelu_new(pre).max(axis=0).argmax() == neuron
    assert largest(asked["4 where_it_fires"], place, gelu_new(pre[:, neuron]))


def test_rows_of_the_token_table(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    by_text = {words.spoken(label): row for label, row in zip(run.trace.labels, hooks["hook_embed"], strict=True)}
    texts = list(by_text)
    rows = np.stack(list(by_text.values()))
    assert largest(asked["5 longest"], texts.index, np.sqrt((rows**2).sum(axis=1)))
    newest = hooks["hook_embed"][-1]
    cosines = np.array([row @ newest / np.sqrt((row @ row) * (newest @ newest)) for row in rows])
    assert largest(asked["5 most_alike"], texts.index, cosines)
    assert words.spoken(run.trace.labels[-1]) not in asked["5 most_alike"].options
    assert value(asked["5 how_many_numbers"].right) == hooks["hook_embed"].size


def test_rows_of_the_position_table(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    rows = hooks["hook_pos_embed"]
    middle = int(re.search(r"of position (\d+)", asked["6 most_alike"].ask)[1])  # type: ignore[index]
    cosines = np.array([row @ rows[middle] / np.sqrt((row @ row) * (rows[middle] @ rows[middle])) for row in rows])
    assert middle not in map(place, asked["6 most_alike"].options)
    assert largest(asked["6 most_alike"], place, cosines)
    question = asked["6 which_is_longer"]
    at = int(re.search(r"position (\d+)", question.ask)[1])  # type: ignore[index]
    token, position = (np.sqrt((hooks[hook][at] ** 2).sum()) for hook in ("hook_embed", "hook_pos_embed"))
    assert ("token" in question.right) == (token > position)
    assert largest(asked["6 longest"], place, np.sqrt((rows**2).sum(axis=1)))


def test_patterns_of_the_heads(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    pattern = hooks[f"blocks.{run.layer}.attn.hook_pattern"]
    back = np.array([np.diagonal(head, offset=-1).mean() for head in pattern])
    assert largest(asked["7 looks_back"], lambda option: int(option.split("H")[1]), back)
    head = int(re.search(r"·H(\d+)", asked["7 looks_where"].ask)[1])  # type: ignore[index]
    assert largest(asked["7 looks_where"], place, pattern[head, -1])
    assert pattern[:, -1].max() == pattern[head, -1].max()
    assert value(asked["7 first_row"].right) == pytest.approx(100 * pattern[:, 0, 0].mean())


def test_lengths_in_the_stream(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    def length(layer: int, *parts: str) -> float:
        return float(np.sqrt((sum(hooks[f"blocks.{layer}.hook_{part}"][-1] for part in parts) ** 2).sum()))

    more = "MLP" if length(run.layer, "mlp_out") > length(run.layer, "attn_out") else "Attention"
    assert more in asked["8 adds_more"].right
    assert value(asked["8 length_of_sum"].right) == pytest.approx(length(run.layer, "resid_pre", "attn_out"), rel=1e-3)
    layers = range(run.trace.config.n_layer)
    steps = np.array([length(layer, "attn_out", "mlp_out") for layer in layers])
    assert largest(asked["8 largest_step"], place, steps)


def test_what_a_block_changes(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    change = hooks[f"blocks.{run.layer}.hook_attn_out"] + hooks[f"blocks.{run.layer}.hook_mlp_out"]
    assert largest(asked["9 changed_most"], place, np.sqrt((change**2).sum(axis=1)))
    if question := asked.get("9 second_norm"):
        first, second = (hooks[f"blocks.{run.layer}.hook_resid_{part}"][-1].std() for part in ("pre", "mid"))
        assert ("second" in question.right) == (second > first)
    question = asked["9 who_knows"]
    at = int(re.search(r"position (\d+)", question.ask)[1])  # type: ignore[index]
    other = list(run.trace.computed_ids)
    other[at] = (other[at] + 1) % run.trace.config.vocab_size
    name = f"blocks.{run.layer}.hook_resid_post"
    differs = np.abs(run.reference.forward(other)[name] - hooks[name]).max(axis=1) > 0
    assert value(question.right) == differs.sum()


def test_the_way_through_the_stack(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    reference = run.reference
    last = run.trace.config.n_layer - 1
    stream = [
        hooks["blocks.0.hook_resid_pre"][-1],
        *(hooks[f"blocks.{n}.hook_resid_post"][-1] for n in range(last + 1)),
    ]
    lens = reference.norm("ln_f", np.stack(stream), "lens", {}) @ reference.unembedding.T
    np.testing.assert_allclose(lens[-1], hooks["logits"][-1])
    final = lens[-1].argmax()
    leads = [int(row.argmax()) == final for row in lens]
    depth = next(at for at in range(len(lens)) if all(leads[at:]))
    right = asked["10 first_after"].right
    assert right == ("Before the first block" if depth == 0 else f"After block {depth - 1}")
    times = np.sqrt((stream[-1] ** 2).sum() / (stream[0] ** 2).sum())
    assert value(asked["10 grown"].right) == pytest.approx(times, abs=0.06)
    second = int(np.argsort(-lens[-1])[1])
    assert largest(asked["10 turns_most"], place, np.diff(lens[:, final] - lens[:, second]))


def test_scores_of_the_head(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    logits = hooks["logits"][-1]
    by_text = {words.spoken(run.trace.vocabulary.label(token)): token for token in range(len(logits) - 1, -1, -1)}
    assert largest(asked["11 highest"], lambda option: by_text[option], logits)
    assert value(asked["11 how_many_scores"].right) == hooks["logits"].size
    first, second = np.sort(np.exp(logits))[-1:-3:-1]
    assert value(asked["11 times_as_likely"].right) == pytest.approx(first / second, rel=1e-3)


def test_temperature_and_dice(asked: dict[str, Question], run: Run, hooks: Hooks) -> None:
    powers = np.exp(hooks["logits"][-1] - hooks["logits"][-1].max())
    cold, hot = (powers**power / (powers**power).sum() for power in (2, 0.5))
    assert asked["12 colder"].right == words.percent(cold.max())
    label = run.trace.vocabulary.label
    assert asked["12 likeliest_stays"].right == words.spoken(label(int(hot.argmax())))
    order, draw = np.argsort(-cold, kind="stable"), run.trace.steps[-1].draw
    assert draw is not None
    taken = next(token for token, end in zip(order, np.cumsum(cold[order]), strict=True) if end > draw.u)
    assert asked["12 same_throw"].right == words.spoken(label(int(taken)))


@pytest.mark.parametrize("lesson", BY_NAME)
def test_short_runs_are_asked_about_too_and_right_answers_are_among_the_options(
    lesson: Lesson, trace: Trace, checkpoint: Checkpoint
) -> None:
    for cut in map(trace.cut, (1, 2, 3, 9)):
        for layer in range(checkpoint.config.n_layer if lesson.has_layers else 1):
            questions = ask_all(lesson.asking, cut, checkpoint, layer)  # a question without its answer cannot be made
            assert len(questions) >= 1


def test_a_run_that_has_dropped_the_numbers_says_so(trace: Trace, checkpoint: Checkpoint) -> None:
    squeezed = replace(trace, steps=tuple(step.squeezed(Level.NO_PATTERNS) for step in trace.steps))
    with pytest.raises(TraceError, match="dropped to save memory"):
        ask_all(lesson_of(7).asking, squeezed, checkpoint, 0)


def test_what_is_as_good_as_the_best_is_never_offered_as_wrong() -> None:
    contest = Contest.of([0.2, 1.0, 0.99, 0.5, 0.1, 0.3])
    assert contest is not None and contest.best == 1 and 2 not in contest.places and len(contest.places) == 4
    assert Contest.of([1.0, 1.0, 0.999]) is None and Contest.of([]) is None and Contest.of([1.0, float("nan")]) is None


def test_wrong_numbers_that_read_as_the_right_one_are_left_out() -> None:
    question = of_numbers("name", "?", "5", ["5", "7", "7", "3"], "", "")
    assert question is not None and question.options == ("3", "5", "7")
    assert of_numbers("name", "?", "5", ["5"], "", "") is None
    with pytest.raises(ValueError, match="must be one of"):
        Question("name", "?", ("1", "1"), "1", "", "")


@pytest.mark.parametrize("size", [0.0, 1e-5, 0.0004, 0.05, 0.5, 3.14159, 12.5, 99.996, 512.0])
def test_numbers_and_tokens_are_written_as_the_pages_write_them(size: float) -> None:
    assert [words.number(size), words.number(-size)] == [numbers.number(size), numbers.number(-size)]
    assert words.percent(min(size, 1.0)) == numbers.percent(min(size, 1.0))
    assert words.spoken("·time") == tokens.spoken("·time") and words.head_name(2, 4) == names.head_name(2, 4)
