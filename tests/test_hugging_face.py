"""Claims about tokenizer folders: ids and text are those of transformers."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from gpt2.text.tokenizer import Tokenizer
from tests.checkpoints import CONFIG
from tests.tokenizer_folders import FOLDERS, NAMES

pytestmark = pytest.mark.slow

TEXT = st.lists(st.one_of(st.sampled_from([*NAMES, " ", "\n", "fox", "the dog"]), st.text(max_size=6))).map("".join)


@pytest.fixture(scope="module", params=FOLDERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    (path / "config.json").write_text(json.dumps(CONFIG))
    FOLDERS[request.param](path)
    return path


def text_of(reference: PreTrainedTokenizerBase, ids: list[int]) -> str:
    """What transformers writes; an added token in letters beyond ASCII as it is, which transformers distorts."""
    own = {token for token, added in reference.added_tokens_decoder.items() if not added.content.isascii()}
    parts, text = [[]], ""
    for token in ids:
        parts = [*parts, token, []] if token in own else [*parts[:-1], [*parts[-1], token]]
    for part in parts:
        text += reference.added_tokens_decoder[part].content if isinstance(part, int) else reference.decode(part)
    return text


def test_ids_and_text_are_those_of_transformers(folder: Path) -> None:
    ours, reference = Tokenizer.from_folder(folder), AutoTokenizer.from_pretrained(folder)
    assert len(ours.vocabulary) == max(reference.get_vocab().values()) + 1

    @given(TEXT)
    @settings(max_examples=150)
    def same(text: str) -> None:
        ids = reference(text).input_ids
        assert ours.encode(text) == ids
        assert ours.vocabulary.text(ids) == text

    @given(st.lists(st.sampled_from(sorted(reference.get_vocab().values())), max_size=9))
    @settings(max_examples=150)
    def same_text(ids: list[int]) -> None:
        assert ours.vocabulary.text(ids) == text_of(reference, ids)

    same()
    same_text()
    for token, added in reference.added_tokens_decoder.items():
        assert ours.vocabulary.text([token]) == added.content
