"""Lesson 1: which few numbers say what a GPT-2 looks like?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(1))
