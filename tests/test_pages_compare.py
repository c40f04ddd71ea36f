"""The Compare page: the second run from each of its sources, and what is said of both are the engine's numbers."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from threading import Event

import pytest
from streamlit.testing.v1 import AppTest

from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine.engine import Engine
from gpt2.experiments.part import head
from gpt2.experiments.plan import Mute
from gpt2.experiments.plan_text import NamedChange
from gpt2.experiments.second_run import alongside, reread
from gpt2.experiments.trace_pair import TracePair
from gpt2.trace.budget import squeeze_to_fit
from gpt2.trace.trace import Trace
from pages.change.comparison import BRANCH, CHANGE, MODEL, PROMPT
from pages.change.second import NO_BRANCH, NO_CHANGE, NOT_RUN
from pages.charts.branches.parting import norms_sentence
from pages.charts.compare import bars, strip, texts
from pages.look.tokens import markdown
from pages.visit.branching import start_branch
from pages.visit.examples import EXAMPLES
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.models import lower_half
from tests.players import wait

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[1] / "pages" / "change" / "compare.py"
OTHER, AT = "The king said", 4


def page(trace: Trace, cursor: int = AT) -> AppTest:
    test = AppTest.from_file(str(PAGE), default_timeout=60)
    visit = Visit(Player(trace, "Once upon a time"), cursor=cursor)
    visit.job.wait(60)
    test.session_state["visit"] = visit
    test.session_state["compare.How it is computed"] = True  # a box that is open
    return test.run()


def said(test: AppTest) -> str:
    return "\n".join(element.value for element in (*test.text, *test.markdown, *test.caption))


def run(test: AppTest) -> AppTest:
    """Press the button, and return the page once the second run has ended."""
    test.button(key="compare.run").click().run()
    second = test.session_state["comparison"].run
    if second is not None:
        second.wait(60)
    return test.run()


def test_an_example_is_written_into_the_box_and_run(trace: Trace) -> None:
    test = page(trace)
    offered = {button.label for button in test.button} & {example.label for example in EXAMPLES}
    assert offered == {example.label for example in EXAMPLES if example.prompt != "Once upon a time"}
    example = EXAMPLES[-1]
    test.button(key=f"compare.example {example.label}").click().run()
    test.session_state["comparison"].run.wait(60)
    test.run()
    assert not test.exception and test.text_input(key="compare.prompt").value == example.prompt
    assert f"Second: the prompt “{example.prompt}”." in said(test)
    assert not {button.label for button in test.button} & offered  # they are for the beginning
    test.run()
    assert test.session_state["comparison"].says == f"the prompt “{example.prompt}”"


def choose(test: AppTest, source: str) -> AppTest:
    return test.segmented_control(key="compare.source").set_value(source).run()


def tells(test: AppTest, pair: TracePair, step: int = AT) -> None:
    """Fail unless the page says of the pair, at a step, what its own numbers are."""
    at = pair.at(step)
    for sentence in (
        texts.texts_sentence(pair, pair.next_tokens(range(pair.n_steps))[1]),
        texts.step_sentence(pair, step, AT),
        bars.next_sentence(at),
        norms_sentence(at, step, at.stream_norms()),
        *strip.operands(pair, pair.divergences(), step),
    ):
        assert markdown(sentence) in said(test) or sentence in said(test), sentence
    assert not test.exception


def test_every_kind_of_run_can_be_looked_at(trace: Trace) -> None:
    for shown in (trace.cut(1), squeeze_to_fit(trace, trace.nbytes // 3)):
        test = page(shown, cursor=0)
        assert not test.exception and NOT_RUN[PROMPT] in said(test)
        assert [header.value for header in test.header] == ["How do two runs differ, step by step?"]
        for source, sentence in ((BRANCH, NO_BRANCH), (CHANGE, NO_CHANGE), (MODEL, NOT_RUN[MODEL])):
            assert sentence in said(choose(test, source)) and not test.exception
    assert "Type a prompt above" in said(page(trace.cut(0)))
    foreign = replace(trace, model="someone/else", config=replace(trace.config, layer_norm_epsilon=2e-5))
    test = run(page(foreign))
    assert not test.exception and "is not loaded, so nothing can be run again" in said(test)


def test_a_second_prompt_is_run_and_all_three_views_are_drawn(engine: Engine, trace: Trace) -> None:
    shown = trace.cut(8)
    test = page(shown)
    test.text_input(key="compare.prompt").set_value(OTHER).run()
    assert "It has 3 tokens; the prompt of the first run has 5." in said(test)
    *_, second = alongside(engine, shown, OTHER)
    pair = TracePair(shown, second)
    tells(run(test), pair)
    for which in ("Second", "Difference"):
        test.segmented_control(key="compare.which").set_value(which).run()
        tells(test, pair)
    test.session_state["visit"].head = (2, 3)
    tells(test.run(), pair)
    test.text_input(key="compare.prompt").set_value(" the" * 600).run()
    assert "88 more than the 512" in said(run(test)) and not test.exception
    test.session_state["visit"].open(trace.branch(6))  # another run: nothing is told of the second
    assert NOT_RUN[PROMPT] in said(test.run()) and not test.exception


def test_a_second_run_is_drawn_while_it_grows(engine: Engine, trace: Trace) -> None:
    shown, test, has_two, may_go_on = trace.cut(8), page(trace.cut(8)), Event(), Event()

    def slow(engine: Engine, stop: Event) -> Iterator[Trace]:
        steps = alongside(engine, shown, OTHER, stop)
        yield from islice(steps, 2)
        has_two.set()
        may_go_on.wait(60)
        yield from steps

    comparison = test.session_state["comparison"]
    comparison.start(PROMPT, "the prompt", slow)
    assert has_two.wait(60)
    test.run()
    *_, second = alongside(engine, shown, OTHER)
    assert "The second run has not reached step 4, so its last is shown." in said(test) and not test.exception
    assert f"Step 1 of both: the first has read {len(shown.prompt_ids) + 1} tokens" in said(test)
    may_go_on.set()
    comparison.run.wait(60)
    tells(test.run(), TracePair(shown, second))


def test_a_branch_of_the_tree_and_the_changed_model_are_second_runs_too(engine: Engine, trace: Trace) -> None:
    test = choose(page(trace.cut(8)), BRANCH)
    visit = test.session_state["visit"]
    token = (trace.steps[2].draw.token + 1) % 100
    start_branch(visit, 2, token, 4)
    wait(visit)
    tree = visit.branches
    visit.cursor = AT
    tells(test.run(), TracePair(visit.player.trace, tree.trace(tree.all[0])))
    visit.change = NamedChange(Mute((head(2, 4),)), "")
    test = choose(test, CHANGE)
    assert "Changed: L2·H4 set to zero at all positions." in said(test)
    *_, second = reread(engine, visit.player.trace, Mute((head(2, 4),)).make(engine, trace, lambda _: trace)[0])
    tells(run(test), TracePair(visit.player.trace, second))


def test_a_second_run_that_ends_early_is_shown_at_its_last_step(engine: Engine, trace: Trace) -> None:
    shown = trace.cut(8)
    test = page(shown)
    test.text_input(key="compare.prompt").set_value(OTHER).run()
    run(test)
    second = test.session_state["comparison"].run
    second.found = second.found.cut(3)
    tells(test.run(), TracePair(shown, second.found), step=2)
    assert "The second run ends before step 4, so its last is shown." in said(test)


def test_a_model_of_another_shape_is_shown_in_what_both_have(checkpoint: Checkpoint, trace: Trace) -> None:
    shown = trace.cut(6)
    test = page(shown)
    test.text_input(key="compare.prompt").set_value(OTHER).run()
    run(test)
    *_, second = reread(lower_half(checkpoint, n_positions=9), shown)
    test.session_state["comparison"].run.found = second
    test.session_state["visit"].head = (5, 7)  # which the other has not
    pair = TracePair(shown, second)
    assert pair.n_steps == 5
    for which in ("First", "Second", "Difference"):
        tells(test.run(), pair)
        assert "The first has 6 layers: those from L3 on are left out." in said(test)
        test.segmented_control(key="compare.which").set_value(which).run()
