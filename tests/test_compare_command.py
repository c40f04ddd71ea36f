"""Claims about the command compare: it prints what the engine finds at each step, or refuses in one line."""

from pathlib import Path

import pytest

from gpt2.__main__ import main
from gpt2.engine.engine import Engine
from gpt2.experiments.second_run import compare
from gpt2.model.sampling import Sampling, softmax
from tests.command_line import refused, said
from tests.models import copies

pytestmark = pytest.mark.slow
HERO, OTHER = "The king said to his", "The queen said to her"
SHORT = ["--max-new-tokens", "3", "--seed", "5"]


def test_two_prompts_are_compared_step_by_step(capsys: pytest.CaptureFixture[str], engine: Engine) -> None:
    pair = compare(engine, HERO, with_prompt=OTHER, max_new_tokens=3, sampling=Sampling(seed=5))
    told = said(capsys, "compare", HERO, "--with-prompt", OTHER, *SHORT, "--json")
    assert told["texts"] == [pair.first.text, pair.second.text] and told["parted_at"] == 1
    assert [step["kl_bits"] for step in told["steps"]] == pytest.approx(pair.divergences().T, rel=1e-6)
    best = told["steps"][2]["likeliest"][1]
    chance = softmax(pair.second.steps[2].logits)
    assert best["id"] == chance.argmax() and best["probability"] == pytest.approx(chance.max(), rel=1e-6)
    main(["compare", HERO, "--with-prompt", OTHER, *SHORT])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("The texts part at token 1: '·king' in the first, '·queen' in the second")
    assert len(lines) == 2 + 3 and f"{pair.divergences()[0, 2]:.4f} bits" in lines[-1]


def test_another_model_reads_the_first_ones_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (same,) = copies(tmp_path, "same")
    told = said(capsys, "compare", HERO, "--with-model", same, *SHORT, "--json")
    assert told["models"] == ["bundled", same] and told["have_one_text"] and told["texts"][0] == told["texts"][1]
    assert [step["kl_bits"] for step in told["steps"]] == [[0, 0]] * 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([HERO], "--with-prompt --with-model is required"),
        ([HERO, "--with-prompt", " the" * 600], "88 more than the 512"),
        ([HERO, "--with-prompt", OTHER, "--with-model", "bundled"], "not allowed with"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sentence in refused(capsys, "compare", *arguments)
