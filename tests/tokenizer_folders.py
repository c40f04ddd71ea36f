"""Tokenizer folders as transformers and its forerunners leave them, in the old layout and the new."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from tests.checkpoints import byte_tokenizer

Make = Callable[[Path], object]
NAMES = ("<teacher>", "<teacher>s", "<pupil two>", "<élève>", "漢字", "<pad>", "<mask>", "<|endoftext|>", "loose")
TEACHER, PUPIL = "<teacher>", "<pupil two>"


def old_files(folder: Path, *more: str, **files: Any) -> None:
    """The old layout: a vocabulary with the end of text and `more`, merges, and other files as JSON."""
    bpe = byte_tokenizer(300)
    bpe.model.save(str(folder))
    path = folder / "vocab.json"
    vocab = json.loads(path.read_text()) | {"<|endoftext|>": 0}
    path.write_text(json.dumps(vocab | {name: len(vocab) + index for index, name in enumerate(more)}))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def new_file(folder: Path, *tokens: str | AddedToken, **settings: Any) -> None:
    """The new layout: tokenizer.json with added tokens, and settings in tokenizer_config.json."""
    bpe = byte_tokenizer(300)
    bpe.add_tokens(list(tokens))
    bpe.save(str(folder / "tokenizer.json"))
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def saved_by_transformers(folder: Path) -> None:
    from transformers import GPT2Tokenizer  # here, as that takes seconds

    old_files(folder)
    tokenizer = GPT2Tokenizer.from_pretrained(folder)
    tokenizer.add_tokens([TEACHER, AddedToken("loose", single_word=True), "<élève>"])
    tokenizer.add_special_tokens({"pad_token": "<pad>", "extra_special_tokens": [PUPIL, "<teacher>s"]})
    tokenizer.save_pretrained(folder)
    (folder / "vocab.json").unlink()


def general_saved_by_transformers(folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    bpe = byte_tokenizer(300)
    bpe.add_special_tokens([PUPIL])
    PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|endoftext|>", pad_token="<pad>").save_pretrained(folder)


def flags(content: str, **changed: bool) -> dict[str, Any]:
    """A token as files have it."""
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"content": content, **plain, **changed}


FOLDERS: dict[str, Make] = {
    "old": old_files,
    "old without the end of text": lambda at: byte_tokenizer(300).model.save(str(at)),
    "old, dialogue tokens added": lambda at: old_files(at, added_tokens={TEACHER: 300, PUPIL: 302, "<teacher>s": 301}),
    "old, ids with a gap": lambda at: old_files(at, added_tokens={PUPIL: 400, TEACHER: 350}),
    "old, special tokens map": lambda at: old_files(
        at,
        added_tokens={"<pad>": 300, TEACHER: 301},
        special_tokens_map={"pad_token": "<pad>", "mask_token": flags("<mask>", single_word=True)},
    ),
    "old, additional special tokens": lambda at: old_files(
        at, special_tokens_map={"additional_special_tokens": [TEACHER, PUPIL], "eos_token": "<teacher>s"}
    ),
    "old, extra special tokens in both": lambda at: old_files(
        at,
        special_tokens_map={"extra_special_tokens": [TEACHER, PUPIL]},
        tokenizer_config={"extra_special_tokens": ["<teacher>s"], "image_token": "<mask>"},
    ),
    "old, special tokens inside the vocabulary": lambda at: old_files(
        at, TEACHER, "<pupil two>", "<élève>", "<pad>", special_tokens_map={"bos_token": TEACHER, "pad_token": "<pad>"}
    ),
    "old, another end of text": lambda at: old_files(
        at, tokenizer_config={"eos_token": {"__type": "AddedToken", **flags("<mask>")}, "bos_token": None}
    ),
    "old, decoder in the settings": lambda at: old_files(
        at,
        added_tokens={"never": 300},
        tokenizer_config={"added_tokens_decoder": {"301": flags("<teacher>s"), "300": flags(TEACHER, special=True)}},
    ),
    "old, special tokens are split": lambda at: old_files(
        at, tokenizer_config={"split_special_tokens": True, "pad_token": "<pad>"}
    ),
    "old, settings of another machine": lambda at: old_files(
        at, tokenizer_config={"tokenizer_file": "/somewhere/else.json", "name_or_path": "x", "errors": "replace"}
    ),
    "new": new_file,
    "new, added tokens": lambda at: new_file(
        at, TEACHER, "<teacher>s", PUPIL, "漢字", AddedToken("loose", single_word=True)
    ),
    "new, tokens in two files": lambda at: new_file(at, TEACHER, added_tokens_decoder={"300": flags(PUPIL)}),
    "new, normalized or not": lambda at: new_file(
        at,
        AddedToken("<teacher>s", normalized=False),
        AddedToken(TEACHER, normalized=True),
        tokenizer_class="GPT2TokenizerFast",
    ),
    "new, begun by settings that the new file overrules": lambda at: new_file(
        at, add_bos_token=True, add_eos_token=True
    ),
    "new, extra tokens by name": lambda at: new_file(at, extra_special_tokens={"teacher_token": TEACHER}),
    "general": lambda at: new_file(
        at, TEACHER, PUPIL, tokenizer_class="PreTrainedTokenizerFast", add_prefix_space=True
    ),
    "general, tokens in two files": lambda at: new_file(
        at,
        TEACHER,
        tokenizer_class="PreTrainedTokenizerFast",
        added_tokens_decoder={"300": flags(TEACHER, single_word=True), "301": flags(PUPIL)},
        cls_token="<mask>",
    ),
    "saved by transformers": saved_by_transformers,
    "general, saved by transformers": general_saved_by_transformers,
}
