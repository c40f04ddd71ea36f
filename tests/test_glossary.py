"""Claims about the glossary: every term has a sentence, every panel a line, and the browser gets them."""

import json
import re

import pytest

from gpt2.learn.lesson import Lesson
from gpt2.learn.lessons import LESSONS
from pages.learn.words import words_in
from pages.look.glossary import TERMS
from pages.look.panels import PANELS
from pages.look.scripts import glossary_script


def test_every_term_that_a_panel_uses_is_explained_and_none_is_left_over() -> None:
    used = {term for panel in PANELS.values() for term in panel.terms}
    assert used == set(TERMS)
    assert all(panel.terms and len(set(panel.terms)) == len(panel.terms) for panel in PANELS.values())


@pytest.mark.parametrize("sentence", [*TERMS.values(), *(panel.shows for panel in PANELS.values())])
def test_an_explanation_is_a_line_or_two(sentence: str) -> None:
    assert sentence[0].isupper() or sentence.startswith("u ")
    assert sentence.endswith(".")
    assert len(sentence) <= 130


def test_the_browser_gets_the_same_words() -> None:
    terms, shown = re.findall(r"^const \w+ = (.+);$", glossary_script(), re.MULTILINE)
    assert json.loads(terms) == TERMS
    assert {name: panel["shows"] for name, panel in json.loads(shown).items()} == {
        name: panel.shows for name, panel in PANELS.items()
    }


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_explains_the_words_that_its_text_uses(lesson: Lesson) -> None:
    found = words_in(lesson.text)
    assert found and all(term.lower() in re.sub(r"[*`$]", "", lesson.text).lower() for term in found)


def test_a_word_within_another_is_not_taken_for_it() -> None:
    assert words_in("Two **heads** of one `layer`.") == ["head", "layer"]
    assert words_in("ahead, relayer, headless") == []
