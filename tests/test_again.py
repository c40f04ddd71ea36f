"""Claims about what all visitors share of runs that let captures go: it is bounded, in bytes and in number."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpt2.captures import BARE
from gpt2.engine import Engine
from gpt2.recompute import Recomputed
from gpt2.trace import Trace
from pages.charts.attention import mosaic_of_heads
from pages.charts.attention_shares import Reading
from pages.frame.again import Drawn
from tests.long_runs import squeezed


def weighed(recomputed: Recomputed) -> int:
    return sum(array.nbytes for array in recomputed._hooks.values())


def test_single_rows_are_bounded_in_number_and_counted_as_they_go(engine: Engine, trace: Trace) -> None:
    recomputed = Recomputed(max_hooks=30)
    source = recomputed.source(engine, squeezed(trace, BARE))
    for position in (*range(10), *range(10)):
        for layer in range(engine.config.n_layer):
            source.attn_out(layer, position)
            assert len(recomputed) <= 30 and recomputed.nbytes == weighed(recomputed) > 0
    assert source.attn_out(5, 9) is source.attn_out(5, 9)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 50)), max_size=40))
def test_the_bytes_are_those_of_what_is_kept_though_an_array_takes_anothers_place(kept: list[tuple[int, int]]) -> None:
    recomputed, mark = Recomputed(max_bytes=400, max_hooks=4), object()
    for layer, size in kept:
        recomputed._keep(mark, layer, {"hook": np.zeros(size, np.float32)})
        assert recomputed.nbytes == weighed(recomputed) <= 400 and len(recomputed) <= 4


def test_pictures_are_bounded_in_bytes_and_one_that_is_too_large_is_drawn_each_time(trace: Trace) -> None:
    picture = mosaic_of_heads(trace, Reading(), 400)
    size = picture.values.nbytes
    drawn = Drawn(max_bytes=2 * size)
    for name in "abc":
        assert drawn.picture(trace, name, lambda: picture) is picture
        assert drawn.nbytes <= 2 * size
    assert len(drawn) == 2
    larger = replace(picture, values=np.tile(picture.values, 3))
    assert drawn.picture(trace, "d", lambda: larger) is larger and len(drawn) == 0
