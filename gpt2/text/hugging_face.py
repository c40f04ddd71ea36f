"""Builds a tokenizer from the files of a Hugging Face folder, by the rules of transformers 5.12.

GPT2Tokenizer takes the vocabulary and merges from `tokenizer.json`, else from `vocab.json` and `merges.txt`, and makes
the rest anew; the general class takes `tokenizer.json` whole. Then come the tokens that other files add: one that is
not in the vocabulary yet gets the next free id, in the order of the ids that the files give.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, decoders, models, pre_tokenizers, processors
from tokenizers import Tokenizer as BPE

from gpt2.errors import CheckpointError
from gpt2.model.config import check_content, json_object

END_OF_TEXT = "<|endoftext|>"
GPT2_CLASS = "GPT2Tokenizer"
GENERAL_CLASSES = ("PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend")
NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
SWITCHES = ("add_prefix_space", "add_bos_token", "add_eos_token", "split_special_tokens")
# Settings that lead to other files, tokens or text. No GPT-2 is known to have one; unset, they change nothing.
UNSUPPORTED = (
    *("vocab", "merges", "vocab_file", "merges_file", "init_inputs", "fast_tokenizer_files", "fix_mistral_regex"),
    "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
)
# The library takes seconds for an added token of ten thousand bytes, and a trace holds none of 65,536.
MAX_TOKEN_BYTES = 4096
BY_NAME = "model_specific_special_tokens"

Json = dict[str, Any]


def read_tokenizer(folder: Path) -> BPE:
    """Build a folder's tokenizer.

    Raises:
        CheckpointError: if a file is missing or a setting is not supported; the message names it.
        BaseException: whatever Python and the library raise for files that do not hold what they should.
    """
    settings, whole = read_settings(folder), folder / "tokenizer.json"
    saved = json_object(whole) if whole.exists() else None
    has_old_files = (folder / "vocab.json").exists() and (folder / "merges.txt").exists()
    if saved is None and not has_old_files:
        raise CheckpointError(f"{folder} has no tokenizer: neither tokenizer.json nor vocab.json + merges.txt.")
    if saved is not None and (kind := saved["model"].get("type", "BPE")) != "BPE":
        raise CheckpointError(f"The tokenizer in {folder} is not GPT-2's byte-level one: it is {kind}.")
    listed = listed_tokens(folder, settings, saved)
    if is_general(folder, settings):
        bpe = as_saved(whole, saved)
    else:
        # The path of the machine that saved the settings. Where it leads nowhere, the old files are read.
        is_elsewhere = bool(settings.get("tokenizer_file"))
        if is_elsewhere and not has_old_files:
            raise CheckpointError(f"{folder}/tokenizer_config.json: tokenizer_file names another file; take it out.")
        bpe = made_anew(folder, settings, None if is_elsewhere else saved)
        settings = {**dict.fromkeys(NAMED[:3], END_OF_TEXT), **settings}
    add_tokens(bpe, listed, settings)
    if saved is None:
        bpe.post_processor = around_prompts(bpe, settings)
    bpe.encode_special_tokens = settings["split_special_tokens"]
    bpe.no_truncation()  # the file may set truncation and padding, which suit training but not a prompt
    bpe.no_padding()
    return bpe


def read_settings(folder: Path) -> Json:
    """Read `tokenizer_config.json` and, unless it lists the added tokens, the older `special_tokens_map.json`.

    Raises:
        CheckpointError: if a setting is not supported, or a switch is neither true nor false.
    """
    path = folder / "tokenizer_config.json"
    older = folder / "special_tokens_map.json"
    settings = json_object(path) if path.exists() else {}
    for name in UNSUPPORTED:
        if settings.get(name):
            raise CheckpointError(f"{path}: {name} = {settings[name]!r} is not supported; take it out.")
    for name in SWITCHES:
        if not isinstance(settings.setdefault(name, False), bool):
            raise CheckpointError(f"{path}: {name} must be true or false, not {settings[name]!r}.")
    if "additional_special_tokens" in settings:  # its name before transformers 5
        settings.setdefault("extra_special_tokens", settings.pop("additional_special_tokens"))
    of_the_model = [name for name in settings if name.endswith("_token") and name not in NAMED]
    by_name = {name: settings.pop(name) for name in of_the_model if isinstance(settings[name], str)}
    by_name |= named_extra_tokens(settings)
    if "added_tokens_decoder" not in settings and older.exists():
        more = json_object(older)
        by_name |= named_extra_tokens(more)
        if isinstance(extra := more.get("extra_special_tokens"), list):
            more["extra_special_tokens"] = [*(settings.get("extra_special_tokens") or ()), *extra]
        settings |= more
    return {**settings, BY_NAME: by_name}


def named_extra_tokens(settings: Json) -> Json:
    """Take the extra special tokens out of the settings if they have names, and return them."""
    return settings.pop("extra_special_tokens") if isinstance(settings.get("extra_special_tokens"), dict) else {}


def is_general(folder: Path, settings: Json) -> bool:
    """Whether the tokenizer is of the general class, and not GPT2Tokenizer; config.json may tell the class too.

    Raises:
        CheckpointError: if it is of another class.
    """
    name, config = settings.get("tokenizer_class"), folder / "config.json"
    if not name and config.exists():
        name = json_object(config).get("tokenizer_class")
    if name in GENERAL_CLASSES:
        return True
    if name and str(name).removesuffix("Fast") != GPT2_CLASS:
        raise CheckpointError(
            f"The tokenizer in {folder} has tokenizer_class = {name!r}, which is not supported; this program reads "
            f"{GPT2_CLASS} and {GENERAL_CLASSES[0]}."
        )
    return False


def as_saved(whole: Path, saved: Json | None) -> BPE:
    """The tokenizer that `tokenizer.json` describes.

    Raises:
        CheckpointError: if there is no such file, it draws tokens by chance, or it does not write them as GPT-2's does.
    """
    if saved is None:
        raise CheckpointError(f"The tokenizer_class in {whole.parent} needs tokenizer.json, which is missing.")
    if dropout := saved["model"].get("dropout"):
        raise CheckpointError(f"{whole}: dropout = {dropout} gives one text different tokens; set it to null.")
    if (decoder := (saved.get("decoder") or {}).get("type")) != "ByteLevel":
        raise CheckpointError(f"{whole} is not GPT-2's byte-level one: its decoder is {decoder}, not ByteLevel.")
    check_lengths(told["content"] for told in saved.get("added_tokens", ()))
    return BPE.from_file(str(whole))


def made_anew(folder: Path, settings: Json, saved: Json | None) -> BPE:
    """GPT-2's tokenizer with a folder's vocabulary and merges; also what the new file puts round a prompt."""
    if saved is None:
        vocab, merges_file = folder / "vocab.json", folder / "merges.txt"
        for path in (vocab, merges_file):
            check_content(path)
        model = models.BPE.from_file(str(vocab), str(merges_file))
    else:
        merges = [one.split(" ") if isinstance(one, str) else one for one in saved["model"].get("merges", ())]
        model = models.BPE(saved["model"]["vocab"], [(left, right) for left, right in merges])
    bpe = BPE(model)
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=settings["add_prefix_space"])
    bpe.decoder = decoders.ByteLevel()
    if saved is not None and saved.get("post_processor"):
        bare = {"type": "BPE", "vocab": {}, "merges": []}
        rest = {"version": "1.0", "model": bare, "post_processor": saved["post_processor"]}
        bpe.post_processor = BPE.from_str(json.dumps(rest)).post_processor
    return bpe


def listed_tokens(folder: Path, settings: Json, saved: Json | None) -> list[tuple[int, AddedToken]]:
    """The added tokens and the ids that the files give them: those in the settings, else those in both other files."""
    if "added_tokens_decoder" in settings:
        return [(int(token), one_token(told)) for token, told in settings["added_tokens_decoder"].items()]
    listed = []
    if (path := folder / "added_tokens.json").exists():
        told_special = [settings.get(name) for name in NAMED] + (settings.get("extra_special_tokens") or [])
        # Flags with a type come from newer files, and are no reason here to transformers.
        special = {one_token(told).content for told in told_special if told and "__type" not in told}
        for content, token in json_object(path).items():
            is_special = content in special
            listed.append((token, AddedToken(content, normalized=not is_special, special=is_special)))
    return listed + [(told["id"], one_token(told)) for told in (saved or {}).get("added_tokens", ())]


def add_tokens(bpe: BPE, listed: list[tuple[int, AddedToken]], settings: Json) -> None:
    """Add the listed tokens, the last of each id, then the special ones that only the settings name."""
    flags = {token.content: token for _, token in listed}
    extra = settings.get("extra_special_tokens", settings.get("additional_special_tokens")) or ()
    named = {name: settings.get(name) for name in NAMED}
    named |= {name: told for name, told in settings.items() if name.endswith("_token") and is_token(told)}
    told_special = {name: one_token(told, special=True) for name, told in (named | settings[BY_NAME]).items() if told}
    special = [flags.get(one.content, one) if name in NAMED else one for name, one in told_special.items()]
    names = {token.content for token in special}
    special += [one_token(told, special=True) for told in extra]
    tokens = [token for _, token in sorted(dict(listed).items(), key=lambda pair: pair[0])]
    # Adding a token again would replace its flags.
    present = {token.content for token in (*bpe.get_added_tokens_decoder().values(), *tokens)}
    tokens += [token for token in special if token.content not in present]
    for token in tokens:
        token.special = token.special or token.content in names
    check_lengths(token.content for token in tokens)
    bpe.add_tokens(tokens)


def check_lengths(contents: Iterable[str]) -> None:
    """Refuse tokens that are too long to be one.

    Raises:
        CheckpointError: if there is one.
    """
    if any(len(content.encode(errors="replace")) > MAX_TOKEN_BYTES for content in contents):
        raise CheckpointError(f"The tokenizer has a token of more than {MAX_TOKEN_BYTES:,} bytes; take it out.")


def is_token(told: object) -> bool:
    """Whether a setting is a token, as a string or with its flags."""
    return isinstance(told, str) or (isinstance(told, dict) and "content" in told)


def one_token(told: str | Json, special: bool = False) -> AddedToken:
    """A token from a string or from its flags; `special` holds for a token that does not say it itself."""
    if isinstance(told, str):
        return AddedToken(told, special=special)
    flags = {name: told[name] for name in told if name not in ("id", "__type")}
    return AddedToken(**{"special": special, **flags})


def around_prompts(bpe: BPE, settings: Json) -> processors.TemplateProcessing:
    """What the settings put before and after a prompt."""
    before, after = (
        [one_token(settings[name]).content] if settings[switch] and settings.get(name) else []
        for switch, name in (("add_bos_token", "bos_token"), ("add_eos_token", "eos_token"))
    )
    tokens = [(content, bpe.token_to_id(content)) for content in {*before, *after}]
    return processors.TemplateProcessing(single=[*before, "$A", *after], special_tokens=tokens)
