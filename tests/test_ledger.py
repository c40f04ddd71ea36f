"""The lines of a number's arithmetic: they add up as they are written, and none is left out in silence."""

import re

import pytest

from gpt2.checkpoints.weights import Checkpoint
from gpt2.reading.arithmetic import explain, explain_norm
from gpt2.trace.trace import Trace
from pages.charts.ledger import check_sentence, ledger, source

NUMBERS = re.compile(r"^ *([−\d.]+)  (?!=)", re.MULTILINE)


@pytest.mark.parametrize(
    ("hook", "index"),
    [
        ("blocks.2.attn.hook_q", (4, 1, 3)),
        ("blocks.2.attn.hook_attn_scores", (1, 9, 3)),
        ("blocks.2.attn.hook_pattern", (1, 9, 3)),
        ("blocks.2.mlp.hook_post", (4, 33)),
        ("blocks.2.hook_mlp_out", (4, 33)),
        ("ln_final.hook_scale", (4,)),
        ("logits", (4, 33)),
    ],
)
def test_the_written_terms_and_the_rest_add_up_to_the_written_sum(
    trace: Trace, checkpoint: Checkpoint, hook: str, index: tuple[int, ...]
) -> None:
    found = explain(trace, checkpoint, hook, index)
    *terms, total = (float(number.replace("−", "-")) for number in NUMBERS.findall(ledger(found)))
    last = len(f"{total}".partition(".")[2])
    assert len(terms) == 7 and sum(terms) == pytest.approx(total, abs=8 * 0.5 * 10 ** -min(last, 4))
    assert f"the rest ({len(found.values) - 6:,} others)" in ledger(found)
    assert check_sentence(found).startswith(f"{hook}{list(index)} = ") and "off by " in check_sentence(found)


def test_a_few_terms_have_no_rest_and_a_root_is_written(trace: Trace, checkpoint: Checkpoint) -> None:
    two = ledger(explain(trace, checkpoint, "blocks.2.hook_resid_mid", (4, 33)))
    assert "the rest" not in two and two.count("\n") == 3
    assert re.search(r"\n *[\d.]+  = √[\d.]+$", ledger(explain_norm(trace, "hook_embed", 4)))


def test_a_key_that_comes_later_has_a_score_of_minus_infinity(trace: Trace, checkpoint: Checkpoint) -> None:
    written = ledger(explain(trace, checkpoint, "blocks.2.attn.hook_attn_scores", (1, 3, 9)))
    assert "−∞  mask: the key comes later" in written and "−∞  the sum" in written


def test_each_line_of_source_stands_under_its_place_without_its_comment(trace: Trace, checkpoint: Checkpoint) -> None:
    lines = source(explain(trace, checkpoint, "blocks.2.mlp.hook_post", (4, 33))).splitlines()
    assert [line for line in lines if line.startswith("#")] == lines[::2]
    assert lines[3] == 'post = self.hook_post(F.gelu(pre, approximate="tanh"))'
