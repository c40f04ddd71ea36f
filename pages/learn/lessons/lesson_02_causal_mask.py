"""Lesson 2: what keeps a token from reading the answer?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(2))
