"""Lesson 12: how does a row of scores become one token?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(12))
