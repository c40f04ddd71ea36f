"""Lesson 7: how does a token find out what the earlier ones have to say?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(7))
