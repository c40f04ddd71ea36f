"""Claims about tokens on the screen: characters that several share, and sentences that show them letter by letter."""

import itertools
import re

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gpt2.text.characters import split_character_at, split_characters
from gpt2.text.vocabulary import Vocabulary
from pages.look.tokens import BEGIN, END, markdown, spoken, unmarked

TEXTS = st.text(st.sampled_from("aé·ا€中😀🏳️\n ") | st.characters(codec="utf-8"), max_size=20)
# What a label may hold: no blanks, no controls, and no mark of ours, which a vocabulary writes as a code.
LABELS = st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=4).map(
    lambda tokens: "".join(map(Vocabulary(tuple(tokens)).label, range(len(tokens))))
)
HOSTILE = "``a`b$x$*c*_d_<b>:red[e]~~f~~![](g)\\&amp;|#"


@given(TEXTS, st.lists(st.integers(0, 80)))
@example("😀ا", [1, 2, 3, 5])
def test_every_character_that_tokens_share_is_found_however_the_bytes_are_cut(text: str, cuts: list[int]) -> None:
    raw = text.encode()
    edges = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    tokens = [raw[begin:end] for begin, end in itertools.pairwise(edges)]
    begins = [len("".join(text[:n]).encode()) for n in range(len(text) + 1)]
    expected = []
    for (begin, end), char in zip(itertools.pairwise(begins), text, strict=True):
        first, last = (sum(edge <= at for edge in edges) - 1 for at in (begin, end - 1))
        if first != last:
            expected.append((first + 7, last + 7, char, char.encode()))
    assert [(one.first, one.last, one.text, one.raw) for one in split_characters(tokens, 7)] == expected


@given(st.lists(st.binary(max_size=3), max_size=12))
def test_bytes_that_are_no_character_belong_to_none(tokens: list[bytes]) -> None:
    for one in split_characters(tokens):
        assert one.raw.decode() == one.text and one.raw in b"".join(tokens) and one.first < one.last


def test_a_part_of_a_character_knows_its_whole_wherever_it_stands() -> None:
    vocabulary = Vocabulary((b"a", b"\xf0\x9f", b"\x98", b"\x80", b"\xd8"))
    ids = [0] * 50 + [1, 2, 3] + [0, 4]
    found = [split_character_at(vocabulary, ids, at) for at in range(len(ids))]
    assert [one and one.label for one in found] == [None] * 50 + ["😀 (⟨f0 9f 98 80⟩)"] * 3 + [None] * 2


def shown(source: str) -> list[tuple[bool, str]]:
    """What a reader of Markdown shows of one paragraph: pieces of text, and whether each is code."""
    (opening, inline, closing) = MarkdownIt("commonmark").enable("strikethrough").parse(source)
    assert (opening.type, closing.type) == ("paragraph_open", "paragraph_close")
    pieces: list[tuple[bool, str]] = []
    for one in inline.children or []:
        assert one.type in {"text", "text_special", "code_inline"}, one.type
        is_code = one.type == "code_inline"
        if pieces and not is_code and not pieces[-1][0]:
            pieces[-1] = False, pieces[-1][1] + one.content
        elif one.content:
            pieces.append((is_code, one.content))
    return pieces


@given(LABELS, LABELS)
@example(HOSTILE, "`")
@example("`` ` ``", "$")
def test_a_sentence_is_shown_letter_by_letter_and_its_tokens_as_code(one: str, other: str) -> None:
    sentence = f"L0·H1: {spoken(one)} looks most at {spoken(other)} (92 %, [2] * 3 < 4_5_6 & $1 ~ `7`)."
    assert unmarked(sentence) == sentence.replace(BEGIN, "").replace(END, "")
    assert shown(markdown(sentence)) == [
        (False, "L0·H1: "),
        (True, one),
        (False, " looks most at "),
        (True, other),
        (False, " (92 %, [2] * 3 < 4_5_6 & $1 ~ `7`)."),
    ]


@given(st.sampled_from(["# ", "1. ", "- ", "+ ", "> ", "12) ", "= ", "| "]), LABELS)
def test_no_sentence_begins_a_list_or_a_heading(begin: str, label: str) -> None:
    assert "".join(text for _, text in shown(markdown(f"{begin}a {spoken(label)}"))) == f"{begin}a {label}"


@given(st.binary(min_size=1, max_size=8))
def test_no_label_holds_the_marks_of_a_token(raw: bytes) -> None:
    assert not re.search(f"[{BEGIN}{END}\\s]", Vocabulary((raw,)).label(0))
