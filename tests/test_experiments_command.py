"""Claims about the commands ablate, steer and patch: they print what the engine finds, or refuse in one line."""

import pytest

from gpt2.__main__ import main
from gpt2.engine.engine import Engine
from gpt2.experiments.ablation import ablate
from gpt2.experiments.part import head
from gpt2.experiments.patching import patch
from gpt2.experiments.steering import steer
from tests.command_line import refused, said

pytestmark = pytest.mark.slow
HERO, OTHER = "The king said to his", "The king went to the"


def test_ablate_prints_the_effect_and_the_change_in_words(capsys: pytest.CaptureFixture[str], engine: Engine) -> None:
    found = ablate(engine, HERO, heads=[(2, 4)], mlps=[1], kind="mean", positions=[-1])
    asked = "--heads", "2.4", "--mlps", "1", "--kind", "mean", "--positions", "-1"
    told = said(capsys, "ablate", HERO, *asked, "--json")
    assert told["change"] == found.says and told["prompt"] == HERO and told["model"] == "bundled"
    assert told["effect"]["probability"] == pytest.approx(found.effect.probability, rel=1e-6)
    assert told["effect"]["kl_bits_base_to_changed"] == pytest.approx(found.effect.kl, rel=1e-6)
    main(["ablate", HERO, *asked])
    assert found.says in (text := capsys.readouterr().out) and f"{found.effect.kl:.4f} bits" in text


def test_steer_takes_a_token_or_two_texts(capsys: pytest.CaptureFixture[str], engine: Engine) -> None:
    (king,) = engine.tokenizer.encode(" king")
    by_token = steer(engine, HERO, 3, 0.5, king, token=king)
    asked = ["--layer", "3", "--dose", "0.5", "--toward-token", " king", "--token", " king"]
    told = said(capsys, "steer", HERO, *asked, "--json")
    assert told["effect"]["logit"] == pytest.approx(by_token.effect.logit, rel=1e-6)
    by_texts = steer(engine, HERO, 3, -0.5, HERO, OTHER)
    asked = ["--layer", "3", "--dose", "-0.5", "--toward", HERO, "--away", OTHER]
    told = said(capsys, "steer", HERO, *asked, "--json")
    assert told["effect"]["logit_difference"] == pytest.approx(by_texts.effect.difference, rel=1e-6)


def test_patch_prints_the_share_and_a_sweep_its_table(capsys: pytest.CaptureFixture[str], engine: Engine) -> None:
    found = patch(engine, OTHER, HERO, head(4, 1), [-1])
    told = said(capsys, "patch", OTHER, "--source", HERO, *["--head", "4.1", "--positions", "-1", "--json"])
    assert told["share"] == pytest.approx(found.share, rel=1e-6)
    swept = said(capsys, "patch", OTHER, "--source", HERO, *["--sweep", "parts", "--json"])
    assert [len(row) for row in swept["values"]] == [9] * 6 and swept["columns"][-1] == "MLP"
    assert (swept["token"]["id"], swept["against"]["id"]) == (found.effect.token, found.effect.against)
    main(["ablate", OTHER, "--sweep"])
    assert len(capsys.readouterr().out.splitlines()) == 2 + 6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ablate", HERO, "--heads", "2-4"], "'2-4' is no head"),
        (["ablate", HERO, "--mlps", "1", "--token", "king said"], "name one, with its blank"),
        (["steer", HERO, "--layer", "1", "--dose", "1"], "Give either --toward-token"),
        (["patch", HERO, "--source", "The king", "--mlp", "1"], "2 tokens and the other 5"),
        (["patch", HERO, "--source", OTHER], "--stream --head --mlp --sweep is required"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sentence in refused(capsys, *arguments)
