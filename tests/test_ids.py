"""Token ids as a prompt: what cannot be typed can be run, and what is no token is refused."""

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.errors import PromptError
from gpt2.model.sampling import Sampling
from tests.models import PROMPT


def test_token_ids_are_a_prompt_too(engine: Engine) -> None:
    ids = engine.tokenizer.encode(PROMPT)
    for given in (ids, tuple(ids), np.array(ids)):
        assert np.array_equal(engine.run(given)["logits"], engine.run(PROMPT)["logits"])
    first, other = (next(iter(engine.generate(prompt, 1, Sampling(0)))) for prompt in (ids, PROMPT))
    assert first.draw == other.draw


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([], "no token ids"),
        ([1, -1], r"from 0 to 2047; -1 is none"),
        ([2048], "2048 is none"),
        ([1.5], r"1\.5 is none"),
        ([True], "True is none"),
        (["1"], "'1' is none"),
        ([1] * 513, "513 tokens, 1 more than"),
    ],
)
def test_ids_that_are_no_tokens_are_refused(engine: Engine, ids: list, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        engine.run(ids)
