"""Claims about the second run of a comparison: made beside the stage, held as memory, and let go with its run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt2.engine.turns import Turn
from gpt2.experiments.part import head
from gpt2.experiments.plan import Mute
from gpt2.experiments.trace_pair import TracePair
from pages.change.comparison import CHANGE, MODEL, PROMPT, Comparison, from_change, from_model, from_prompt
from pages.server.models import Pool
from pages.server.traces import TRACES
from pages.visit.experiment import FREED
from pages.visit.visit import Visit
from tests.checkpoints import write_checkpoint
from tests.models import copies
from tests.test_experiment import until


@pytest.fixture
def comparison(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> Iterator[Comparison]:
    made = Comparison(visit)
    yield made
    made.stop()
    if made.run is not None:
        made.run.wait(30)


def finished(comparison: Comparison) -> Comparison:
    """The comparison once its second run has ended."""

    def is_over() -> bool:
        comparison.tend()
        return not comparison.is_running

    until(is_over)
    return comparison


def test_a_second_prompt_goes_on_for_as_many_steps_and_leaves_the_stage_as_it_is(comparison: Comparison) -> None:
    first = comparison.visit.player.trace
    comparison.start(PROMPT, "the prompt", from_prompt(first, "The bird sang", False))
    found = finished(comparison).found
    assert comparison.run.error == comparison.error == "" and len(found.steps) == len(first.steps) == 6
    assert comparison.visit.player.trace is first
    pair = TracePair(first, found)
    for both, steps in ((pair, range(6)), (pair.at(3), range(4))):
        for told, expected in zip(comparison.next_tokens(both), pair.next_tokens(steps), strict=True):
            assert told.tolist() == expected.tolist()


def test_a_changed_model_and_the_settings_of_a_prompt_are_refused_in_a_sentence(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = comparison.visit.player.trace
    comparison.start(CHANGE, "changed", from_change(first, Mute((head(2, 4),))))
    assert finished(comparison).found.ids == first.ids
    assert comparison.next_tokens(TracePair(first, comparison.found))[0].max() > 1e-3
    for prompt, sentence in (("", "The prompt is empty"), (" the" * 600, "88 more than the 512")):
        comparison.start(PROMPT, "the prompt", from_prompt(first, prompt, False))
        assert sentence in finished(comparison).run.error and comparison.found is None
    monkeypatch.setenv("GPT2_MAX_PROMPT_TOKENS", "3")
    comparison.start(PROMPT, "the prompt", from_prompt(first, " the" * 4, False))
    assert "1 more than the 3 allowed here" in finished(comparison).run.error


def test_it_waits_for_its_turns_is_stopped_in_the_line_and_let_go_with_the_run(comparison: Comparison) -> None:
    visit, first = comparison.visit, comparison.visit.player.trace
    engine = visit.model_of_run.engine
    with Turn(engine.turns):
        comparison.start(PROMPT, "the prompt", from_prompt(first, "The bird", False))
        until(lambda: len(engine.turns) == 2)
        comparison.stop()
        assert not comparison.is_running and comparison.found is None and comparison.run.error == ""
    comparison.start(PROMPT, "the prompt", from_prompt(first, "The bird", False))
    finished(comparison)
    visit.open(first.branch(3))
    comparison.tend()
    assert comparison.run is None and comparison.source == ""


def test_the_second_run_counts_as_memory_and_can_be_freed(comparison: Comparison) -> None:
    first, before = comparison.visit.player.trace, TRACES.nbytes
    comparison.start(PROMPT, "the prompt", from_prompt(first, "The bird", False))
    found = finished(comparison).found
    assert TRACES.nbytes - before == found.nbytes > 100_000
    assert comparison.run.evict() == found.nbytes and TRACES.nbytes == before
    assert comparison.found is None and comparison.run.error == FREED


@pytest.mark.slow
def test_another_model_is_loaded_and_reads_the_first_text_or_is_refused_by_name(
    comparison: Comparison, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.change.comparison.pool", lambda: pool)
    first = comparison.visit.player.trace
    (same,) = copies(tmp_path, "same")
    comparison.start(MODEL, "the same", from_model(first), same)
    assert comparison.uses == {same}
    assert finished(comparison).found.ids == first.ids and not comparison.error
    assert comparison.job is pool.get(same) and comparison.job.engine is not None
    assert not TracePair(first, comparison.found).divergences().any()
    other = tmp_path / "other"
    write_checkpoint(other)
    loading = pool.request(str(other))
    comparison.start(MODEL, "another", from_model(first), str(other))
    assert finished(comparison).error.startswith(f"bundled and {other} have different vocabularies")
    assert comparison.uses == frozenset() and comparison.found is None
    loading.wait(60)  # its end: a process that ends while MAX traces a graph is aborted
    assert loading.engine is None
    comparison.start(MODEL, "GPT-2", from_model(first), "gpt2")  # known without a look at the network
    assert comparison.error.startswith("bundled and gpt2 have different vocabularies") and pool.get("gpt2") is None
    comparison.start(MODEL, "none", from_model(first), str(tmp_path / "none"))
    assert finished(comparison).error and not comparison.is_running
