"""Every page works on a run that was squeezed into little memory, and says what it could not keep as captured."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace
from pages.charts.attention import mosaic_of_heads
from pages.charts.attention_shares import Reading
from pages.charts.storage_note import storage_sentence
from pages.matrix.blob import Picture
from pages.server.caches import PictureCache
from pages.server.models import ALWAYS, pool
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.long_runs import squeezed

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SAYS = {
    "attention": ("half precision", "recomputed"),
    "mlp": ("hook_pre and hook_post are recomputed",),
    "residual": ("difference of two points of the stream",),
    "attribution": ("recomputed",),
    "paths": ("recomputed",),
    "sampling": ("logits are recomputed",),
}
SAVING = "To stay within the memory of one run"


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The bundled model, ready: what was let go is computed again by it."""
    job, until = pool().get(ALWAYS) or pool().request(ALWAYS), time.monotonic() + 60
    while job.is_loading and time.monotonic() < until:
        time.sleep(0.02)
    assert job.engine is not None, job.error


def page(name: str, trace: Trace, cursor: int) -> AppTest:
    test = AppTest.from_file(str(ROOT / "pages" / "watch" / f"{name}.py"), default_timeout=60)
    test.session_state["visit"] = Visit(Player(trace, "Once upon a time"), cursor=cursor)
    return test.run()


def texts(test: AppTest) -> str:
    return "\n".join(element.value for element in (*test.text, *test.caption, *test.info))


@pytest.fixture(scope="module")
def of_whole(trace: Trace) -> Callable[[str], str]:
    """What a page says of the whole run, to the digits it writes; each page is drawn once."""
    return cache(lambda name: texts(page(name, trace, 20)))


@pytest.mark.parametrize("level", [Level.STREAM, Level.NO_LOGITS, Level.NO_PATTERNS])
@pytest.mark.parametrize(
    "name", ["live", "embeddings", "attention", "mlp", "residual", "attribution", "paths", "sampling"]
)
def test_every_page_opens_on_a_squeezed_run_says_what_changed_and_quotes_the_same_numbers(
    name: str, level: int, trace: Trace, of_whole: Callable[[str], str]
) -> None:
    test = page(name, squeezed(trace, level), 20)
    assert not test.exception
    said = texts(test)
    expected = () if name == "sampling" and level == Level.STREAM else SAYS.get(name, ())
    if level == Level.NO_PATTERNS and name in ("attention", "residual"):
        expected = ("hook_pattern are recomputed" if name == "attention" else "hook_mlp_out are recomputed",)
    assert all(part in said for part in expected)
    assert (SAVING in said) == bool(expected)
    whole = of_whole(name).splitlines()
    # How far a stored number is off differs.
    changed = [line for line in said.splitlines() if not (line in whole or SAVING in line or "run; off by" in line)]
    operands = 2 if name == "paths" else 4  # its operands have four decimals, computed from stored halves
    assert len(changed) <= len(whole) // operands, changed


@pytest.mark.parametrize("name", SAYS)
def test_a_page_says_nothing_of_memory_where_all_is_as_captured(name: str, of_whole: Callable[[str], str]) -> None:
    assert SAVING not in of_whole(name)


def test_a_picture_is_drawn_once_for_each_run_step_and_reading_and_few_are_kept(trace: Trace) -> None:
    drawn, made = PictureCache(max_pictures=3), []

    def picture(shown: Trace, reading: Reading) -> Picture:
        made.append((shown.seq, reading))
        return mosaic_of_heads(shown, reading, 400)

    plain, changed = Reading(), Reading(without_first=True)
    asked = [(trace, plain), (trace.cut(5), plain), (trace, changed), (squeezed(trace, Level.STREAM), plain)]
    for shown, reading in (*asked, *asked):
        found = drawn.picture(shown, reading, partial(picture, shown, reading))
        np.testing.assert_array_equal(found.values, mosaic_of_heads(trace.cut(len(shown.steps)), reading, 400).values)
    assert len(made) == len(drawn) == 3
    drawn.picture(trace.cut(7), plain, partial(picture, trace.cut(7), plain))
    drawn.picture(trace.cut(5), plain, partial(picture, trace.cut(5), plain))
    assert len(made) == 5 and len(drawn) == 3


def foreign(trace: Trace) -> Trace:
    """The same run of a model that is not loaded."""
    return replace(trace, model="someone/else", config=replace(trace.config, layer_norm_epsilon=2e-5))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("attention", "blocks.1.attn.hook_q was dropped to save memory"),
        ("residual", "difference of two points"),
        ("attribution", "the weights that made this run (someone/else) are needed"),
        ("paths", "the weights that made this run (someone/else) are needed"),
        ("sampling", "load the model that made this run"),
    ],
)
def test_what_cannot_be_computed_again_is_one_sentence_in_its_place(name: str, said: str, trace: Trace) -> None:
    test = AppTest.from_file(str(ROOT / "pages" / "watch" / f"{name}.py"), default_timeout=60)
    test.session_state["visit"] = Visit(Player(foreign(squeezed(trace, Level.NO_LOGITS)), ""), cursor=20, head=(1, 3))
    test.run()
    assert not test.exception
    assert said in texts(test)


@pytest.mark.parametrize(
    ("name", "hook"), [("attention", "hook_pattern"), ("mlp", "hook_post"), ("residual", "hook_mlp_out")]
)
def test_a_bare_run_of_a_model_that_is_not_loaded_says_what_it_lacks(name: str, hook: str, trace: Trace) -> None:
    test = AppTest.from_file(str(ROOT / "pages" / "watch" / f"{name}.py"), default_timeout=60)
    test.session_state["visit"] = Visit(Player(foreign(squeezed(trace, Level.NO_PATTERNS)), ""), cursor=20)
    test.run()
    assert not test.exception
    assert f"{hook} are not stored, and the model that could recompute them is not loaded" in texts(test)


def test_the_sentence_counts_the_positions_that_are_not_as_captured(trace: Trace) -> None:
    steps = trace.steps
    mixed = replace(trace, steps=(*(step.squeezed(Level.NO_LOGITS) for step in steps[:10]), *steps[10:]))
    count = steps[9].stop
    assert f"at {count} of {trace.seq} positions: " in storage_sentence(mixed, ["attn.hook_q", "attn.hook_pattern"])
    assert f"at all {trace.seq} positions: " in storage_sentence(squeezed(trace, Level.STREAM), ["hook_attn_out"])
    assert storage_sentence(mixed, ["hook_resid_pre"]) == storage_sentence(trace, ["attn.hook_q"]) == ""
