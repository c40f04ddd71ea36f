"""Claims about what all visitors share of runs that let captures go: it is bounded, in bytes and in number."""

from dataclasses import replace

import numpy as np

from gpt2.engine.engine import Engine
from gpt2.engine.recompute import RecomputeCache
from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace
from pages.charts.attention import mosaic_of_heads
from pages.charts.attention_shares import Reading
from pages.server.caches import PictureCache
from tests.long_runs import squeezed


def test_single_rows_are_bounded_in_number(engine: Engine, trace: Trace) -> None:
    recomputed = RecomputeCache(max_hooks=30)
    source = recomputed.recomputer(engine, squeezed(trace, Level.NO_PATTERNS))
    for position in (*range(10), *range(10)):
        for layer in range(engine.config.n_layer):
            source.attn_out(layer, position)
            assert 0 < len(recomputed) <= 30 and recomputed.nbytes > 0
    assert source.attn_out(5, 9) is source.attn_out(5, 9)


def test_pictures_are_bounded_in_bytes_and_one_that_is_too_large_is_drawn_each_time(trace: Trace) -> None:
    picture = mosaic_of_heads(trace, Reading(), 400)
    size = picture.values.nbytes
    drawn = PictureCache(max_bytes=2 * size)
    for name in "abc":
        assert drawn.picture(trace, name, lambda: picture) is picture
        assert drawn.nbytes <= 2 * size
    assert len(drawn) == 2
    larger = replace(picture, values=np.tile(picture.values, 3))
    assert drawn.picture(trace, "d", lambda: larger) is larger and len(drawn) == 0
