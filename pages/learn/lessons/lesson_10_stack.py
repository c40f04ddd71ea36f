"""Lesson 10: what do many blocks, one on top of the other, make of a token?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(10))
